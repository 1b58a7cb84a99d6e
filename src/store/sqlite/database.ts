import { closeSync, openSync, statSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { StoreError } from '../journal-store.ts';
import { APPLICATION_ID, SCHEMA_STEPS, SCHEMA_VERSION } from './schema.ts';

/** How long a statement waits for another process's lock, milliseconds. Only a writer's thread or the CLI waits. */
const BUSY_TIMEOUT_MS = 5000;

/** Pages kept in memory, KiB. Senders and Message-IDs land all over their indexes; 16 MiB holds the warm part. */
const CACHE_KIB = 16_384;

/** Records of 2 kB fill pages of 8 kB much better than SQLite's 4 kB, of which one record would take one alone. */
const PAGE_BYTES = 8192;

/** WAL pages between checkpoints, 32 MiB: a page that changes often is then written to the database file once. */
const CHECKPOINT_PAGES = 4096;

/** What the WAL file is cut back to after a burst or a long reader, bytes. */
const WAL_LIMIT_BYTES = 64 * 1024 * 1024;

/**
 * Opens `file` for the one writer, creating it (mode 0600, since records hold personal data; an existing file keeps
 * its mode) and bringing its schema up to date. Throws a StoreError when that is impossible, when the file is another
 * program's, or when a newer Postern wrote it.
 *
 * WAL with synchronous=NORMAL: readers never wait, a crash of the process loses nothing that was committed, and a
 * power cut may lose the last seconds but never damages the file (sqlite.org/wal.html).
 */
export function openForWriting(file: string): DatabaseSync {
  return opened(file, () => {
    closeSync(openSync(file, 'a', 0o600));
    const db = new DatabaseSync(file, { timeout: BUSY_TIMEOUT_MS });
    return prepared(db, () => {
      const version = checkedVersion(db, file);
      if (version === 0) db.exec(`PRAGMA page_size = ${PAGE_BYTES}`);
      db.exec('PRAGMA journal_mode = WAL');
      db.exec('PRAGMA synchronous = NORMAL');
      db.exec(`PRAGMA cache_size = -${CACHE_KIB}`);
      db.exec(`PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
      db.exec(`PRAGMA journal_size_limit = ${WAL_LIMIT_BYTES}`);
      if (version < SCHEMA_VERSION) migrate(db);
    });
  });
}

/**
 * Opens `file` for reading while a server may be writing it. Throws a StoreError when it does not exist, cannot be
 * read, or is not a store of this version.
 */
export function openForReading(file: string): DatabaseSync {
  return opened(file, () => {
    const stat = statSync(file, { throwIfNoEntry: false });
    if (stat === undefined) {
      throw new StoreError(
        `${file}: no such file: nothing has been recorded here yet, or the server uses another store`,
      );
    }
    if (!stat.isFile()) throw new StoreError(`${file}: is not a file`);
    const db = new DatabaseSync(file, { readOnly: true, timeout: BUSY_TIMEOUT_MS });
    return prepared(db, () => {
      const version = checkedVersion(db, file);
      if (version === 0) throw new StoreError(`${file}: is empty: nothing has been recorded here yet`);
      if (version < SCHEMA_VERSION) {
        throw new StoreError(
          `${file}: has the older schema version ${version}; a start of the server brings it to ${SCHEMA_VERSION}`,
        );
      }
    });
  });
}

/** `error` as a StoreError that names `file`; a StoreError stays what it is. */
export function storeError(file: string, error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  const text = error instanceof Error ? error.message : String(error);
  return new StoreError(`${file}: ${text}`, { cause: error });
}

function opened(file: string, open: () => DatabaseSync): DatabaseSync {
  try {
    return open();
  } catch (error) {
    throw storeError(file, error);
  }
}

function prepared(db: DatabaseSync, prepare: () => void): DatabaseSync {
  try {
    prepare();
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/** The schema version of the file, 0 for a new one. */
function checkedVersion(db: DatabaseSync, file: string): number {
  const version = pragma(db, 'user_version');
  const application = pragma(db, 'application_id');
  const tables = db.prepare('SELECT count(*) AS n FROM sqlite_schema').get()?.['n'];
  if (application !== APPLICATION_ID && (application !== 0 || version !== 0 || tables !== 0)) {
    throw new StoreError(`${file}: is a database of another program`);
  }
  if (version > SCHEMA_VERSION) {
    throw new StoreError(
      `${file}: has schema version ${version}, written by a newer Postern; this one knows versions up to ${SCHEMA_VERSION}`,
    );
  }
  return version;
}

function migrate(db: DatabaseSync): void {
  db.exec('BEGIN IMMEDIATE');
  try {
    // Read again under the lock: another thread or process may have been faster.
    for (const step of SCHEMA_STEPS.slice(pragma(db, 'user_version'))) db.exec(step);
    db.exec(`PRAGMA application_id = ${APPLICATION_ID}`);
    db.exec(`PRAGMA user_version = ${SCHEMA_VERSION}`);
    db.exec('COMMIT');
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK');
    throw error;
  }
}

function pragma(db: DatabaseSync, name: 'user_version' | 'application_id'): number {
  return Number(db.prepare(`PRAGMA ${name}`).get()?.[name]);
}
