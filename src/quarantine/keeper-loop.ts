import { setTimeout as pause } from 'node:timers/promises';
import type { QuarantineIndex } from '../store/quarantine-index.ts';
import type { FromKeeper, KeeperSettings } from './keeper-messages.ts';
import { Quarantine } from './quarantine.ts';
import { expireOld } from './retention.ts';

/** Ids of copies that wait to be taken up; beyond it they are looked for in the folder instead. */
const MAX_WAITING = 10_000;
/** Copies gather for this long, so that they share a transaction: milliseconds. */
const GATHER_MS = 100;
const EXPIRE_EVERY_MS = 3_600_000;
/** Copies ended in one run, which then waits an hour. */
const EXPIRE_LIMIT = 20_000;
/** Waits after a failure: this, doubled each time, up to the second; milliseconds. */
const RETRY_MS = 200;
const RETRY_MAX_MS = 30_000;

export interface KeeperLoopOptions {
  readonly settings: KeeperSettings;
  /** Opens the index; called again after each failure. May throw. */
  readonly openIndex: () => QuarantineIndex;
  readonly now: () => number;
  readonly tell: (message: FromKeeper) => void;
}

/**
 * The work of the keeper's thread: what is held is taken into the index, what its process could not tell of is found,
 * what is too old is ended. One job at a time; a failure is told and the job done again later.
 */
export class KeeperLoop {
  readonly #options: KeeperLoopOptions;
  #settings: KeeperSettings;
  #quarantine: Quarantine | null = null;
  #held: string[] = [];
  #catchUp = true;
  #expire = true;
  /** The settings have changed: the folder may be another one. */
  #stale = false;
  readonly #closing = new AbortController();
  #failures = 0;
  #wake: () => void = () => undefined;

  constructor(options: KeeperLoopOptions) {
    this.#options = options;
    this.#settings = options.settings;
  }

  /** A copy was held. */
  held(id: string): void {
    if (this.#held.length >= MAX_WAITING) this.#catchUp = true;
    else this.#held.push(id);
    this.#wake();
  }

  /** Somebody may have held copies and died before he could tell. */
  catchUp(): void {
    this.#catchUp = true;
    this.#wake();
  }

  configure(settings: KeeperSettings): void {
    this.#settings = settings;
    this.#stale = true;
    this.#catchUp = true;
    this.#expire = true;
    this.#wake();
  }

  close(): void {
    this.#closing.abort();
    this.#wake();
  }

  /** Works until `close`; never rejects. What is waiting then is taken up, or found by the next start. */
  async run(): Promise<void> {
    const timer = setInterval(() => {
      this.#expire = true;
      this.#catchUp = true;
      this.#wake();
    }, EXPIRE_EVERY_MS);
    const { signal } = this.#closing;
    while (!signal.aborted) {
      const done = await this.#step();
      if (done === 'failed') {
        const ms = Math.min(RETRY_MS * 2 ** (this.#failures - 1), RETRY_MAX_MS);
        await pause(ms, undefined, { signal }).catch(() => undefined);
      } else if (done === 'nothing') {
        await new Promise<void>(resolve => {
          this.#wake = resolve;
        });
      }
    }
    clearInterval(timer);
    await this.#step();
    this.#letGo();
  }

  async #step(): Promise<'done' | 'nothing' | 'failed'> {
    try {
      if (this.#stale) this.#letGo();
      this.#stale = false;
      this.#quarantine ??= new Quarantine(
        this.#settings.folder,
        this.#options.openIndex(),
        this.#options.now,
      );
      const done = await this.#next(this.#quarantine);
      this.#failures = 0;
      return done ? 'done' : 'nothing';
    } catch (error) {
      this.#failures++;
      // What was to be taken up is found in the folder.
      this.#catchUp = true;
      this.#tell(error instanceof Error ? error.message : String(error));
      this.#letGo();
      return 'failed';
    }
  }

  /** False when there was nothing to do; nothing has come since, for all that tells of work runs between two steps. */
  async #next(quarantine: Quarantine): Promise<boolean> {
    const watcher = { problem: (text: string) => this.#tell(text) };
    if (this.#held.length > 0) {
      const ids = this.#held;
      this.#held = [];
      await quarantine.takeUp(ids, watcher);
      const { signal } = this.#closing;
      await pause(GATHER_MS, undefined, { signal }).catch(() => undefined);
      return true;
    }
    if (this.#closing.signal.aborted) return false;
    if (this.#catchUp) {
      this.#catchUp = false;
      await quarantine.files.removeLitter(this.#options.now());
      await quarantine.catchUp(watcher);
      return true;
    }
    if (!this.#expire) return false;
    this.#expire = false;
    const { expired, forgotten } = await expireOld(
      quarantine,
      this.#settings,
      this.#options.now(),
      EXPIRE_LIMIT,
      watcher,
    );
    if (expired + forgotten > 0) this.#options.tell({ kind: 'expired', expired, forgotten });
    return true;
  }

  #tell(text: string): void {
    this.#options.tell({ kind: 'problem', text });
  }

  #letGo(): void {
    const quarantine = this.#quarantine;
    this.#quarantine = null;
    void quarantine?.close().catch(() => undefined);
  }
}
