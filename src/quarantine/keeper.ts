import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import type { FromKeeper, KeeperSettings, ToKeeper } from './keeper-messages.ts';

/** A thread that died is started again after this, milliseconds. */
const RESTART_MS = 1000;
/** What is not taken up by then is found by the next start: milliseconds. */
const CLOSE_DEADLINE_MS = 5000;

export interface KeeperOptions {
  /** The SQLite file of the index; created when there is none. */
  readonly store: string;
  readonly settings: KeeperSettings;
  /** Told what the thread has to say. */
  readonly hear: (message: FromKeeper) => void;
}

/**
 * The supervisor's end of the quarantine: a thread keeps the index up to date with the files and ends what is too old.
 * Nothing here blocks or throws, and nothing is promised: all of it can be found in the files again, which each start
 * of the thread does first. Keeps the process alive until `close`.
 */
export class QuarantineKeeper {
  readonly #options: KeeperOptions;
  #settings: KeeperSettings;
  #thread: Worker | null = null;
  #restart: NodeJS.Timeout | null = null;
  #closed = false;

  constructor(options: KeeperOptions) {
    this.#options = options;
    this.#settings = options.settings;
    this.#start();
  }

  /** The copy `id` was held. */
  held(id: string): void {
    this.#tell({ kind: 'held', id });
  }

  /** A process died that may have held copies. */
  catchUp(): void {
    this.#tell({ kind: 'catch-up' });
  }

  configure(settings: KeeperSettings): void {
    this.#settings = settings;
    this.#tell({ kind: 'configure', settings });
  }

  /** Takes up what was told of, and ends. Never rejects. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#restart !== null) clearTimeout(this.#restart);
    const thread = this.#thread;
    if (thread === null) return;
    const ended = once(thread, 'exit');
    this.#tell({ kind: 'close' });
    const stop = new AbortController();
    await Promise.race([ended, delay(CLOSE_DEADLINE_MS, null, { signal: stop.signal }).catch(() => null)]);
    stop.abort();
    thread.unref();
  }

  #start(): void {
    this.#restart = null;
    const thread = new Worker(new URL('./keeper-thread.ts', import.meta.url), {
      workerData: { store: this.#options.store, settings: this.#settings },
      name: 'quarantine',
      // What the process was started with (--input-type, --test) is not meant for this thread.
      execArgv: [],
    });
    thread.on('message', (message: FromKeeper) => this.#options.hear(message));
    thread.on('error', error => {
      const text = error instanceof Error ? error.message : String(error);
      this.#options.hear({ kind: 'problem', text: `the thread died: ${text}` });
    });
    thread.on('exit', () => {
      this.#thread = null;
      if (!this.#closed) this.#restart = setTimeout(() => this.#start(), RESTART_MS);
    });
    this.#thread = thread;
  }

  #tell(message: ToKeeper): void {
    this.#thread?.postMessage(message);
  }
}
