import type { Connection } from './connection.ts';

/** Idle connections kept for each hop. */
const IDLE_EACH = 8;
/** How long one is kept idle: well below the 300 s after which Postfix hangs up (smtpd_timeout). */
const IDLE_MS = 30_000;
/** A connection is not used for longer than this in all, so that a changed MX or a recovered host is noticed. */
const AGE_MS = 300_000;
/** How often idle connections are looked at. */
const SWEEP_MS = 5000;
/** How long a place that could not be connected to is put behind the others. */
const AVOID_MS = 10_000;

export interface PoolLimits {
  readonly idleEach?: number;
  readonly idleMs?: number;
}

interface Idle {
  readonly connection: Connection;
  readonly since: number;
}

/** Idle connections to next hops, by hop; and which places did not answer lately. */
export class ConnectionPool {
  readonly #idleEach: number;
  readonly #idleMs: number;
  /** For each hop the one used last is at the end and is used first, so that the others may age. */
  readonly #idle = new Map<string, Idle[]>();
  readonly #down = new Map<string, number>();
  #sweeper: NodeJS.Timeout | null = null;
  #closed = false;

  constructor(limits: PoolLimits = {}) {
    this.#idleEach = limits.idleEach ?? IDLE_EACH;
    this.#idleMs = limits.idleMs ?? IDLE_MS;
  }

  /** An idle connection to the hop with `key` that is open as far as we know, or null. */
  take(key: string): Connection | null {
    const list = this.#idle.get(key);
    for (let idle = list?.pop(); idle !== undefined; idle = list?.pop()) {
      if (!idle.connection.usable) {
        void idle.connection.quit();
        continue;
      }
      idle.connection.wake();
      return idle.connection;
    }
    return null;
  }

  /** Takes back a connection on which no transaction is open. */
  give(key: string, connection: Connection): void {
    const now = performance.now();
    if (this.#closed || !connection.usable || now - connection.openedAt > AGE_MS) {
      void connection.quit();
      return;
    }
    let list = this.#idle.get(key);
    if (list === undefined) this.#idle.set(key, (list = []));
    list.push({ connection, since: now });
    connection.rest();
    if (list.length > this.#idleEach) void list.shift()?.connection.quit();
    this.#startSweeper();
  }

  /** Number of idle connections. */
  get size(): number {
    let size = 0;
    for (const list of this.#idle.values()) size += list.length;
    return size;
  }

  /** Notes that `place` could not be used. */
  avoid(place: string): void {
    this.#down.set(place, performance.now() + AVOID_MS);
    this.#startSweeper();
  }

  /** `places` in their order, but those that failed a moment ago last. */
  byHealth<P extends { readonly name: string }>(places: readonly P[]): readonly P[] {
    if (this.#down.size === 0 || places.length < 2) return places;
    const now = performance.now();
    const down = (place: P): boolean => (this.#down.get(place.name) ?? 0) > now;
    return [...places.filter(p => !down(p)), ...places.filter(down)];
  }

  /** Says QUIT to everyone idle; connections given back later are closed at once. Resolves when the idle ones are closed. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#sweeper !== null) clearInterval(this.#sweeper);
    this.#sweeper = null;
    const idle = [...this.#idle.values()].flat();
    this.#idle.clear();
    await Promise.all(idle.map(i => i.connection.quit()));
  }

  #startSweeper(): void {
    if (this.#sweeper !== null || this.#closed) return;
    this.#sweeper = setInterval(() => this.#sweep(), Math.min(SWEEP_MS, this.#idleMs));
    this.#sweeper.unref();
  }

  #sweep(): void {
    const now = performance.now();
    for (const [key, list] of this.#idle) {
      const fresh = list.filter(i => i.connection.usable && now - i.since < this.#idleMs);
      for (const idle of list) if (!fresh.includes(idle)) void idle.connection.quit();
      if (fresh.length > 0) this.#idle.set(key, fresh);
      else this.#idle.delete(key);
    }
    for (const [place, until] of this.#down) if (until <= now) this.#down.delete(place);
    if (this.#idle.size > 0 || this.#down.size > 0 || this.#sweeper === null) return;
    clearInterval(this.#sweeper);
    this.#sweeper = null;
  }
}
