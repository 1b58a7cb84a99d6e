import type { Dialect } from 'kysely';
import { DummyDriver, Kysely, SqliteAdapter, SqliteIntrospector, SqliteQueryCompiler } from 'kysely';

const COMPILE_ONLY: Dialect = {
  createAdapter: () => new SqliteAdapter(),
  createDriver: () => new DummyDriver(),
  createIntrospector: db => new SqliteIntrospector(db),
  createQueryCompiler: () => new SqliteQueryCompiler(),
};

/**
 * Kysely as a builder and compiler of SQLite's SQL. It never runs anything: the statements are prepared once on a
 * node:sqlite connection (statement.ts).
 */
export function sqliteCompiler<Tables>(): Kysely<Tables> {
  return new Kysely<Tables>({ dialect: COMPILE_ONLY });
}
