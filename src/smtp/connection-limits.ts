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

/** A question for the supervisor, who counts the connections of all workers. */
export interface ConnectionQuestion {
  readonly key: string;
  readonly perClient: number;
  readonly total: number;
  /** The worker's share of the total is used up: nobody may add to the total unasked for a while. */
  readonly crowded: boolean;
}

/** Resolves to whether the connection is granted; `granted` was called then, in the order of the answers. */
export type AskForConnection = (question: ConnectionQuestion) => Promise<boolean>;

/** Limits of which a worker has more than its equal share, as it tells the others from time to time. */
export interface Overdraft {
  readonly keys: readonly string[];
  readonly crowded: boolean;
}

/** How long a key, or the total, is always asked about after somebody has come near its limit, milliseconds. */
const CONTENDED_MS = 10_000;
/** How often an overdraft is to be told to the other workers, milliseconds: well within CONTENDED_MS. */
export const OVERDRAFT_MS = 2500;
/** Keys that are remembered as contended; when there are more, all count as such for a while. */
const MAX_CONTENDED = 10_000;

/**
 * Limits that hold for all workers together, without a word between processes as long as a client is far from them: a
 * worker may have its equal share open by itself. Beyond that it asks the supervisor, who counts in all workers, one
 * question at a time; from then on every worker asks, for a while and as long as somebody has more than its share. So
 * the sum cannot pass the limit.
 */
export class SharedConnectionLimits implements ConnectionLimits {
  readonly counts = new ConnectionCounts();
  readonly #workers: number;
  readonly #ask: AskForConnection;
  readonly #now: () => number;
  /** Keys that are asked about, each until a time. */
  readonly #contended = new Map<string, number>();
  #allContendedUntil: number;
  #crowdedUntil: number;
  /** Questions that are not answered yet; each may become a connection. */
  #asking = 0;
  /** Keys of which this worker may have more than its share, with that share; and its share of the total. */
  readonly #shares = new Map<string, number>();
  #shareOfTotal = Number.POSITIVE_INFINITY;

  /** `replacement`: other workers may have connections already, and this one has not been told of them. */
  constructor(workers: number, ask: AskForConnection, now: () => number, replacement = false) {
    this.#workers = workers;
    this.#ask = ask;
    this.#now = now;
    this.#allContendedUntil = replacement ? now() + CONTENDED_MS : 0;
    this.#crowdedUntil = this.#allContendedUntil;
  }

  acquire(key: string, perClient: number, total: number): boolean | Promise<boolean> {
    if (this.#workers === 1) {
      const free = this.counts.of(key) < perClient && this.counts.total < total;
      if (free) this.counts.add(key);
      return free;
    }
    const share = Math.floor(perClient / this.#workers);
    this.#shareOfTotal = Math.floor(total / this.#workers);
    const crowded =
      this.counts.total + this.#asking >= this.#shareOfTotal || this.#crowdedUntil > this.#now();
    if (!crowded && this.counts.of(key) < share && !this.#isContended(key)) {
      this.counts.add(key);
      return true;
    }
    this.#shares.set(key, share);
    this.#asking++;
    return this.#ask({ key, perClient, total, crowded }).finally(() => {
      this.#asking--;
      this.#forgetShare(key);
    });
  }

  release(key: string): void {
    this.counts.remove(key);
    this.#forgetShare(key);
  }

  /** The supervisor counts `key`: from now on nobody adds to it unasked, nor to the total when that is `crowded`. */
  count(key: string, crowded: boolean): { readonly client: number; readonly total: number } {
    this.contend({ keys: [key], crowded });
    return { client: this.counts.of(key), total: this.counts.total };
  }

  /** Another worker has more than its share of these. */
  contend({ keys, crowded }: Overdraft): void {
    const now = this.#now();
    for (const key of keys) {
      if (this.#contended.size >= MAX_CONTENDED) this.#forgetContended(now);
      this.#contended.set(key, now + CONTENDED_MS);
    }
    if (crowded) this.#crowdedUntil = now + CONTENDED_MS;
  }

  /** The supervisor has granted a connection. */
  granted(key: string): void {
    this.counts.add(key);
  }

  /** What this worker has more of than its share; null when there is nothing to tell. */
  overdraft(): Overdraft | null {
    const keys = [...this.#shares].flatMap(([key, share]) => (this.counts.of(key) > share ? [key] : []));
    const crowded = this.counts.total > this.#shareOfTotal;
    return keys.length > 0 || crowded ? { keys, crowded } : null;
  }

  #forgetShare(key: string): void {
    const share = this.#shares.get(key);
    if (share !== undefined && this.counts.of(key) <= share) this.#shares.delete(key);
  }

  #forgetContended(now: number): void {
    for (const [key, until] of this.#contended) if (until <= now) this.#contended.delete(key);
    if (this.#contended.size < MAX_CONTENDED) return;
    this.#contended.clear();
    this.#allContendedUntil = now + CONTENDED_MS;
  }

  #isContended(key: string): boolean {
    const now = this.#now();
    if (this.#allContendedUntil > now) return true;
    const until = this.#contended.get(key);
    if (until === undefined) return false;
    if (until > now) return true;
    this.#contended.delete(key);
    return false;
  }
}
