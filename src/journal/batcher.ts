import type { Journal, VerdictRecord } from '../model/record.ts';

/** How long a record may wait for company, milliseconds: the larger a batch, the less each record costs the store. */
const FLUSH_MS = 250;

/** Records made into JSON at one go: some 2 ms of work. */
const MAX_BATCH = 200;

/** Records kept while nobody takes them; beyond it new ones are dropped and counted. */
const MAX_WAITING = 10_000;

export interface BatcherOptions {
  /**
   * Takes a batch of records, each as JSON. As with process.send: false means "taken, but wait before the next", and
   * throwing means "not taken", whereupon the batch is offered again later. A record offered twice is kept once.
   */
  readonly send: (batch: readonly string[]) => void | boolean;
  readonly flushMs?: number;
  readonly maxBatch?: number;
  readonly maxWaiting?: number;
}

/** A worker process's end of the journal. */
export interface BatchedJournal extends Journal {
  /** Records that could not be kept since the start. */
  readonly dropped: number;
  /** Sends all that is waiting, now. */
  flush(): void;
  /** Sends all that is waiting and takes no more. */
  close(): void;
}

/**
 * A journal that costs the session nothing but an array push: records are made into JSON and sent in batches, one
 * batch in a turn of the event loop. Records must not change once written. Its timers do not keep the process alive.
 */
export function createJournal(options: BatcherOptions): BatchedJournal {
  return new Batcher(options);
}

class Batcher implements BatchedJournal {
  readonly #send: (batch: readonly string[]) => void | boolean;
  readonly #flushMs: number;
  readonly #maxBatch: number;
  readonly #maxWaiting: number;
  #waiting: VerdictRecord[] = [];
  #timer: NodeJS.Timeout | null = null;
  #immediate: NodeJS.Immediate | null = null;
  #closed = false;
  #dropped = 0;

  constructor(options: BatcherOptions) {
    this.#send = options.send;
    this.#flushMs = options.flushMs ?? FLUSH_MS;
    this.#maxBatch = options.maxBatch ?? MAX_BATCH;
    this.#maxWaiting = options.maxWaiting ?? MAX_WAITING;
  }

  get dropped(): number {
    return this.#dropped;
  }

  write(record: VerdictRecord): void {
    if (this.#closed || this.#waiting.length >= this.#maxWaiting) {
      this.#dropped++;
      return;
    }
    this.#waiting.push(record);
    if (this.#waiting.length === this.#maxBatch) this.#soon();
    else if (this.#waiting.length === 1) this.#later();
  }

  flush(): void {
    while (this.#waiting.length > 0) if (this.#sendBatch() === 'not taken') break;
    this.#disarm();
    if (this.#waiting.length > 0) this.#later();
  }

  close(): void {
    this.flush();
    this.#closed = true;
    this.#disarm();
    this.#dropped += this.#waiting.length;
    this.#waiting = [];
  }

  #turn(): void {
    this.#disarm();
    const outcome = this.#sendBatch();
    if (this.#waiting.length === 0) return;
    if (outcome === 'taken' && this.#waiting.length >= this.#maxBatch) this.#soon();
    else this.#later();
  }

  #sendBatch(): 'taken' | 'taken, wait' | 'not taken' {
    const records = this.#waiting.slice(0, this.#maxBatch);
    const batch = records.map(jsonOf).filter(text => text !== null);
    try {
      const more = batch.length === 0 || this.#send(batch);
      this.#waiting.splice(0, records.length);
      this.#dropped += records.length - batch.length;
      return more === false ? 'taken, wait' : 'taken';
    } catch {
      return 'not taken';
    }
  }

  #soon(): void {
    this.#disarm();
    this.#immediate = setImmediate(() => this.#turn()).unref();
  }

  #later(): void {
    this.#timer ??= setTimeout(() => this.#turn(), this.#flushMs).unref();
  }

  #disarm(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (this.#immediate !== null) clearImmediate(this.#immediate);
    this.#timer = null;
    this.#immediate = null;
  }
}

/** null for what JSON cannot hold (a cycle, a BigInt): a mistake of ours, which must not end the process. */
function jsonOf(record: VerdictRecord): string | null {
  try {
    return JSON.stringify(record);
  } catch {
    return null;
  }
}
