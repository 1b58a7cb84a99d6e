import { setImmediate as nextTurn } from 'node:timers/promises';
import type { JournalStore } from '../store/journal-store.ts';
import type { FromWriter } from './writer-messages.ts';

/**
 * Time between the beginnings of two transactions, milliseconds. A lone record is written at once; under load a
 * transaction holds half a second of records, so that index pages they share are written once.
 */
const COMMIT_INTERVAL_MS = 500;

/** Records in one transaction at most: bounds how long the thread hears nothing and how large the WAL grows. */
const TRANSACTION_RECORDS = 2000;

/** Records removed in one transaction, so that new records never wait long for a purge. */
const PURGE_RECORDS = 500;

/** Waits between attempts on a store that cannot be written: this, doubled each time, up to the second. */
const RETRY_MS = 100;
const RETRY_MAX_MS = 30_000;

/** How long the last records are tried once the end is asked for, milliseconds. */
const CLOSE_DEADLINE_MS = 5000;

export interface WriterLoopOptions {
  /** Opens the store; called again after each failure. May throw. */
  readonly open: () => JournalStore;
  /** Tells the supervisor. */
  readonly tell: (message: FromWriter) => void;
}

/**
 * The work of the writer thread: one transaction at a time, new records before old ones are purged, and no failure of
 * the store is the end. It keeps what it could not write; the supervisor bounds how much that can be.
 */
export class WriterLoop {
  readonly #open: () => JournalStore;
  readonly #tell: (message: FromWriter) => void;
  readonly #queue: (readonly string[])[] = [];
  #store: JournalStore | null = null;
  #purgeBefore: number | null = null;
  #closingSince: number | null = null;
  #lastCommit = -Infinity;
  #failures = 0;
  #wake: () => void = () => undefined;

  constructor(options: WriterLoopOptions) {
    this.#open = options.open;
    this.#tell = options.tell;
  }

  append(batch: readonly string[]): void {
    this.#queue.push(batch);
    this.#wake();
  }

  /** Removes records older than `beforeMs` (epoch milliseconds) when there is nothing to append. */
  purge(beforeMs: number): void {
    this.#purgeBefore = beforeMs;
    this.#wake();
  }

  /** Lets `run` end once everything is written, or cannot be written for CLOSE_DEADLINE_MS. */
  close(): void {
    this.#closingSince = performance.now();
    this.#wake();
  }

  /** Works until `close` is called. Never rejects because of the store. */
  async run(): Promise<void> {
    // Opened before there is anything to write, so that a wrong path is reported when the server starts.
    await this.#attempt(async () => undefined);
    while (this.#closingSince === null || this.#queue.length > 0) {
      if (!(await this.#step())) {
        if (this.#closingSince !== null && performance.now() - this.#closingSince > CLOSE_DEADLINE_MS) break;
        await this.#retryPause();
      }
      // Messages that came meanwhile are heard now.
      await nextTurn();
    }
    const lost = this.#queue.reduce((sum, batch) => sum + batch.length, 0);
    if (lost > 0) this.#tell({ kind: 'lost', records: lost });
    await this.#letGo();
  }

  /** Does the next thing there is to do; false when the store failed. */
  async #step(): Promise<boolean> {
    if (this.#queue.length > 0) {
      await this.#commitPause();
      return this.#attempt(store => this.#appendNext(store));
    }
    if (this.#purgeBefore !== null && this.#closingSince === null) {
      const beforeMs = this.#purgeBefore;
      return this.#attempt(store => this.#purgeNext(store, beforeMs));
    }
    if (this.#closingSince === null) await this.#pause(null);
    return true;
  }

  async #appendNext(store: JournalStore): Promise<void> {
    this.#lastCommit = performance.now();
    let batches = 0;
    const texts: string[] = [];
    while (batches < this.#queue.length) {
      const batch = this.#queue[batches] ?? [];
      if (batches > 0 && texts.length + batch.length > TRANSACTION_RECORDS) break;
      for (const text of batch) texts.push(text);
      batches++;
    }
    const unreadable = await store.appendJson(texts);
    this.#queue.splice(0, batches);
    const chars = texts.reduce((sum, text) => sum + text.length, 0);
    this.#tell({ kind: 'taken', records: texts.length, chars, unreadable });
  }

  async #purgeNext(store: JournalStore, beforeMs: number): Promise<void> {
    const removed = await store.purge(beforeMs, PURGE_RECORDS);
    this.#tell({ kind: 'taken', records: 0, chars: 0, unreadable: 0 });
    if (removed < PURGE_RECORDS && this.#purgeBefore === beforeMs) this.#purgeBefore = null;
  }

  async #attempt(work: (store: JournalStore) => Promise<void>): Promise<boolean> {
    try {
      this.#store ??= this.#open();
      await work(this.#store);
      this.#failures = 0;
      return true;
    } catch (error) {
      this.#failures++;
      this.#tell({ kind: 'failed', text: error instanceof Error ? error.message : String(error) });
      await this.#letGo();
      return false;
    }
  }

  /** Closes the store; the next attempt opens it anew, in case the file was repaired or replaced. */
  async #letGo(): Promise<void> {
    const store = this.#store;
    this.#store = null;
    try {
      await store?.close();
    } catch {
      // It has failed already, and that was told.
    }
  }

  async #commitPause(): Promise<void> {
    const wait = this.#lastCommit + COMMIT_INTERVAL_MS - performance.now();
    const waiting = this.#queue.reduce((sum, batch) => sum + batch.length, 0);
    if (wait <= 0 || waiting >= TRANSACTION_RECORDS || this.#closingSince !== null) return;
    await this.#pause(wait, () => this.#closingSince !== null);
  }

  async #retryPause(): Promise<void> {
    const ms = this.#closingSince === null ? RETRY_MS * 2 ** (this.#failures - 1) : RETRY_MS;
    await this.#pause(Math.min(ms, RETRY_MAX_MS), () => this.#closingSince !== null);
  }

  /** Waits `ms` (null: without end) or until something is asked of us that `until` is true for. */
  #pause(ms: number | null, until: () => boolean = () => true): Promise<void> {
    return new Promise(resolve => {
      const done = () => {
        clearTimeout(timer);
        this.#wake = () => undefined;
        resolve();
      };
      const timer = ms === null ? undefined : setTimeout(done, ms);
      this.#wake = () => {
        if (until()) done();
      };
    });
  }
}
