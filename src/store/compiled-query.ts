import type { Compilable, RawBuilder } from 'kysely';
import { sql } from 'kysely';

/** What a statement takes as a parameter. */
export type ParameterValue = string | number | null;

export type Parameters = Readonly<Record<string, ParameterValue>>;

/**
 * A query compiled once, to be run as a prepared statement for ever after: compiling costs more than running. `Row`
 * is what it returns; the property only carries the type.
 */
export interface CompiledQuery<P extends Parameters, Row> {
  readonly sql: string;
  /** The parameter that stands at each place of `sql`, in order. */
  readonly names: readonly (keyof P & string)[];
  readonly row?: Row;
}

class Placeholder {
  readonly parameter: string;
  constructor(parameter: string) {
    this.parameter = parameter;
  }
}

/**
 * Compiles the query that `build` makes. `example` gives the names and types of its parameters, `{ id: '', limit: 0 }`;
 * the values mean nothing. Throws when the query holds a value that is not one of them, since it would be the same
 * value for ever.
 */
export function compileQuery<P extends Parameters, Row>(
  example: P,
  build: (parameters: { readonly [K in keyof P]: RawBuilder<P[K]> }) => Compilable<Row>,
): CompiledQuery<P, Row> {
  const parameters = Object.fromEntries(
    Object.keys(example).map(name => [name, sql`${new Placeholder(name)}`]),
  ) as { [K in keyof P]: RawBuilder<P[K]> };
  const compiled = build(parameters).compile();
  const names = compiled.parameters.map(value => {
    if (value instanceof Placeholder) return value.parameter;
    throw new TypeError(`constant ${String(value)} in a compiled query: ${compiled.sql}`);
  });
  return { sql: compiled.sql, names };
}

/** The values of one call in the order of the statement's places. */
export function inOrder<P extends Parameters>(query: CompiledQuery<P, unknown>, values: P): ParameterValue[] {
  return query.names.map(name => values[name] ?? null);
}
