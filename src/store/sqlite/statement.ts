import type { DatabaseSync } from 'node:sqlite';
import type { CompiledQuery, Parameters } from '../compiled-query.ts';
import { inOrder } from '../compiled-query.ts';

/** A compiled query on one connection. */
export interface Statement<P extends Parameters, Row> {
  /** Every row. */
  all(values: P): Row[];
  /** The first row. */
  first(values: P): Row | undefined;
  /** Runs it; returns the number of rows it changed. */
  run(values: P): number;
  /** Inserts one row; returns its rowid, or null when a conflict clause let nothing be inserted. */
  insert(values: P): number | null;
}

/** Prepares `query` on `db`; the statement lives as long as the connection. */
export function prepare<P extends Parameters, Row>(
  db: DatabaseSync,
  query: CompiledQuery<P, Row>,
): Statement<P, Row> {
  const statement = db.prepare(query.sql);
  return {
    all: values => statement.all(...inOrder(query, values)) as Row[],
    first: values => statement.get(...inOrder(query, values)) as Row | undefined,
    run: values => Number(statement.run(...inOrder(query, values)).changes),
    insert: values => {
      const { changes, lastInsertRowid } = statement.run(...inOrder(query, values));
      return Number(changes) === 0 ? null : Number(lastInsertRowid);
    },
  };
}
