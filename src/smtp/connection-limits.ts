/** Answers whether one more connection may be open. */
export interface ConnectionLimits {
  /** Counts a connection of `key` when both limits allow it; then `release` must follow. */
  acquire(key: string, perClient: number, total: number): boolean | Promise<boolean>;
  release(key: string): void;
}

/** Counts of one process. */
export class ConnectionCounts {
  total = 0;
  readonly #byKey = new Map<string, number>();

  of(key: string): number {
    return this.#byKey.get(key) ?? 0;
  }

  add(key: string): void {
    this.total++;
    this.#byKey.set(key, this.of(key) + 1);
  }

  remove(key: string): void {
    this.total--;
    const left = this.of(key) - 1;
    if (left > 0) this.#byKey.set(key, left);
    else this.#byKey.delete(key);
  }
}

/** Asks the supervisor for one more connection; it answers for all workers together. */
export type AskForConnection = (key: string, perClient: number, total: number) => Promise<boolean>;

/** How long a key that came near its limit is always asked about, milliseconds. */
const CONTENDED_MS = 10_000;

/**
 * Limits that hold for all workers together, without a word between processes as long as a client is far from them: a
 * worker may have its equal share open by itself. Beyond that it asks the supervisor, who counts in all workers, one
 * question at a time; from then on every worker asks about that key for a while. The sum can never pass the limit.
 */
export class SharedConnectionLimits implements ConnectionLimits {
  readonly counts = new ConnectionCounts();
  readonly #workers: number;
  readonly #ask: AskForConnection;
  readonly #now: () => number;
  readonly #contended = new Map<string, number>();
  #totalContended = 0;

  constructor(workers: number, ask: AskForConnection, now: () => number) {
    this.#workers = workers;
    this.#ask = ask;
    this.#now = now;
  }

  acquire(key: string, perClient: number, total: number): boolean | Promise<boolean> {
    if (this.#workers === 1) {
      const free = this.counts.of(key) < perClient && this.counts.total < total;
      if (free) this.counts.add(key);
      return free;
    }
    const share = (limit: number) => Math.floor(limit / this.#workers);
    const far = this.counts.of(key) < share(perClient) && this.counts.total < share(total);
    if (far && !this.#isContended(key)) {
      this.counts.add(key);
      return true;
    }
    return this.#ask(key, perClient, total);
  }

  release(key: string): void {
    this.counts.remove(key);
  }

  /** The supervisor counts `key`: from now on nobody adds to it unasked. */
  count(key: string): { readonly client: number; readonly total: number } {
    const until = this.#now() + CONTENDED_MS;
    if (this.#contended.size > 10_000) this.#contended.clear();
    this.#contended.set(key, until);
    this.#totalContended = until;
    return { client: this.counts.of(key), total: this.counts.total };
  }

  /** The supervisor has granted a connection. */
  granted(key: string): void {
    this.counts.add(key);
  }

  #isContended(key: string): boolean {
    const until = this.#contended.get(key);
    if (until === undefined) return this.#totalContended > this.#now() && this.#contended.size > 10_000;
    if (until > this.#now()) return true;
    this.#contended.delete(key);
    return false;
  }
}
