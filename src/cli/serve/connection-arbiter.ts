import type { ConnectionQuestion } from '../../smtp/connection-limits.ts';

/** A worker as the arbiter sees it: it can be asked for its counts. */
export interface CountingWorker {
  count(id: number, key: string, crowded: boolean): void;
}

/** A worker that does not answer in this time is taken to have no connections: it is hanging or gone. Milliseconds. */
const COUNT_MS = 1000;

interface Question extends ConnectionQuestion {
  readonly answer: (granted: boolean) => void;
}

/**
 * Decides in the supervisor whether one more connection is within the limits of all workers together. One question at
 * a time; for each, every worker is asked for its counts. The worker that is granted a connection counts it before it
 * sees the next question, since messages to it keep their order: so no two questions see the same free place.
 */
export class ConnectionArbiter {
  readonly #workers: () => readonly CountingWorker[];
  readonly #queue: Question[] = [];
  #asking = false;
  #id = 0;
  #missing = 0;
  #client = 0;
  #total = 0;
  #settle: (() => void) | null = null;

  constructor(workers: () => readonly CountingWorker[]) {
    this.#workers = workers;
  }

  ask(question: Question): void {
    this.#queue.push(question);
    if (!this.#asking) void this.#next();
  }

  /** A worker's counts, in answer to question `id`. */
  counted(id: number, client: number, total: number): void {
    if (id !== this.#id || this.#settle === null) return;
    this.#client += client;
    this.#total += total;
    if (--this.#missing === 0) this.#settle();
  }

  async #next(): Promise<void> {
    this.#asking = true;
    for (let question = this.#queue.shift(); question !== undefined; question = this.#queue.shift()) {
      await this.#count(question);
      question.answer(this.#client < question.perClient && this.#total < question.total);
    }
    this.#asking = false;
  }

  #count({ key, crowded }: Question): Promise<void> {
    const workers = this.#workers();
    this.#id++;
    this.#client = 0;
    this.#total = 0;
    this.#missing = workers.length;
    if (workers.length === 0) return Promise.resolve();
    return new Promise(resolve => {
      const timer = setTimeout(() => this.#settle?.(), COUNT_MS);
      this.#settle = () => {
        clearTimeout(timer);
        this.#settle = null;
        resolve();
      };
      for (const worker of workers) worker.count(this.#id, key, crowded);
    });
  }
}
