import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { ProblemReports } from './problem-reports.ts';
import type { FromWriter, ToWriter } from './writer-messages.ts';

const DAY_MS = 86_400_000;

/** How often old records are removed, milliseconds. */
const PURGE_EVERY_MS = 3_600_000;

/** What may wait for a slow or full disk: records, and chars (about as many bytes) in all. */
const MAX_RECORDS = 50_000;
const MAX_CHARS = 64 * 1024 * 1024;

/** A lasting trouble is reported this often, milliseconds. */
const REPORT_EVERY_MS = 60_000;

/** A thread that died is started again after this, milliseconds. */
const RESTART_MS = 1000;

/** The thread ends by itself 5 s after close; one that hangs in the disk is left behind after this, milliseconds. */
const CLOSE_DEADLINE_MS = 15_000;

export interface JournalWriterOptions {
  /** The SQLite file; created when there is none. */
  readonly file: string;
  /** Records older than this are removed; 0 keeps them for ever. */
  readonly retentionDays: number;
  /** Epoch milliseconds; decides what is old. */
  readonly now: () => number;
  /** Told, in one line, what is wrong: at once, then at most once a minute while it lasts, and when it is over. */
  readonly onProblem?: (text: string) => void;
  /** How many records may wait (default 50,000). */
  readonly maxRecords?: number;
  /** Time between two reports of a lasting trouble, milliseconds (default a minute). */
  readonly reportEveryMs?: number;
}

/**
 * The supervisor's end of the journal: hands batches to a thread that writes them. It never blocks and never throws;
 * what cannot be kept is counted and reported. Keeps the process alive until `close`.
 */
export class JournalWriter {
  readonly #options: JournalWriterOptions;
  readonly #reports: ProblemReports;
  readonly #purgeTimer: NodeJS.Timeout;
  #retentionDays: number;
  #thread: Worker | null = null;
  #restart: NodeJS.Timeout | null = null;
  #closed = false;
  #waiting = 0;
  #waitingChars = 0;
  #dropped = 0;

  constructor(options: JournalWriterOptions) {
    this.#options = options;
    this.#retentionDays = options.retentionDays;
    this.#reports = new ProblemReports(
      text => options.onProblem?.(text),
      () => ({ waiting: this.#waiting, dropped: this.#dropped }),
      options.reportEveryMs ?? REPORT_EVERY_MS,
    );
    this.#purgeTimer = setInterval(() => this.#purge(), PURGE_EVERY_MS).unref();
    this.#start();
  }

  /** Records handed over and not written yet. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Records that could not be kept since the start. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Takes records, each as JSON. A batch for which there is no room is dropped whole. */
  write(batch: readonly string[]): void {
    const chars = charsOf(batch);
    if (this.#closed) return this.#drop(batch.length, 'the journal is closed');
    if (this.#thread === null) return this.#drop(batch.length, 'the writer thread is being restarted');
    const full =
      this.#waiting + batch.length > (this.#options.maxRecords ?? MAX_RECORDS) ||
      this.#waitingChars + chars > MAX_CHARS;
    if (full) return this.#drop(batch.length, 'records come faster than they can be written');
    this.#waiting += batch.length;
    this.#waitingChars += chars;
    this.#tell({ kind: 'append', batch });
  }

  /** Changes how long records are kept, in days (0: for ever), and removes what is too old now. */
  setRetention(days: number): void {
    this.#retentionDays = days;
    this.#purge();
  }

  /**
   * Writes what is waiting and lets go of the file. When the store cannot be written it gives up after 5 s and reports
   * how many records were lost. Never rejects.
   */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#purgeTimer);
    if (this.#restart !== null) clearTimeout(this.#restart);
    const thread = this.#thread;
    if (thread !== null) {
      const ended = once(thread, 'exit');
      this.#tell({ kind: 'close' });
      const stop = new AbortController();
      await Promise.race([ended, delay(CLOSE_DEADLINE_MS, null, { signal: stop.signal }).catch(() => null)]);
      stop.abort();
      thread.unref();
    }
    this.#reports.close();
  }

  #start(): void {
    this.#restart = null;
    const thread = new Worker(new URL('./writer-thread.ts', import.meta.url), {
      workerData: { file: this.#options.file },
      name: 'journal',
      // What the process was started with (--input-type, --test) is not meant for this thread.
      execArgv: [],
    });
    thread.on('message', (message: FromWriter) => this.#hear(message));
    thread.on('error', error => {
      this.#reports.problem(
        `the writer thread died: ${error instanceof Error ? error.message : String(error)}`,
      );
    });
    thread.on('exit', () => this.#ended());
    this.#thread = thread;
    this.#purge();
  }

  #hear(message: FromWriter): void {
    switch (message.kind) {
      case 'taken':
        this.#waiting -= message.records;
        this.#waitingChars -= message.chars;
        if (message.unreadable > 0) this.#drop(message.unreadable, 'some records were not readable');
        else this.#reports.working();
        return;
      case 'failed':
        return this.#reports.problem(message.text);
      case 'lost':
        return this.#loseWaiting();
    }
  }

  #ended(): void {
    this.#thread = null;
    this.#loseWaiting();
    if (!this.#closed) this.#restart = setTimeout(() => this.#start(), RESTART_MS);
  }

  #loseWaiting(): void {
    const lost = this.#waiting;
    this.#waiting = 0;
    this.#waitingChars = 0;
    if (lost > 0) this.#drop(lost, `${lost} records were lost unwritten`);
  }

  #drop(records: number, why: string): void {
    this.#dropped += records;
    this.#reports.problem(why);
  }

  #purge(): void {
    if (this.#retentionDays <= 0) return;
    this.#tell({ kind: 'purge', beforeMs: this.#options.now() - this.#retentionDays * DAY_MS });
  }

  #tell(message: ToWriter): void {
    this.#thread?.postMessage(message);
  }
}

function charsOf(batch: readonly string[]): number {
  let chars = 0;
  for (const text of batch) chars += text.length;
  return chars;
}
