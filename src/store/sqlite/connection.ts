import { statSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import { StoreError } from '../journal-store.ts';
import { storeError } from './database.ts';

/** A connection to one SQLite file whose errors are StoreErrors that name the file. */
export class SqliteConnection {
  readonly db: DatabaseSync;
  readonly #file: string;
  readonly #inode: number;

  constructor(db: DatabaseSync, file: string) {
    this.db = db;
    this.#file = file;
    this.#inode = inodeOf(file);
  }

  guarded<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw storeError(this.#file, error);
    }
  }

  /** All of `work` or, when it throws, nothing. */
  transaction<T>(work: () => T): T {
    return this.guarded(() => {
      // An administrator may move a damaged file away: SQLite would go on writing to a file that nobody can find.
      if (inodeOf(this.#file) !== this.#inode) throw new StoreError(`${this.#file}: was moved or removed`);
      this.db.exec('BEGIN IMMEDIATE');
      try {
        const result = work();
        this.db.exec('COMMIT');
        return result;
      } catch (error) {
        // Some errors, a full disk among them, have rolled back already.
        if (this.db.isTransaction) this.db.exec('ROLLBACK');
        throw error;
      }
    });
  }

  close(): void {
    this.guarded(() => this.db.close());
  }
}

/** -1 when there is no such file. */
function inodeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.ino ?? -1;
}
