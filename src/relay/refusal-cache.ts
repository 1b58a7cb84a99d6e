import type { HopAnswer } from '../model/delivery.ts';

/** How many refusals are remembered; some 200 bytes each. */
const CAPACITY = 10_000;

/** Enhanced statuses that say there is no such mailbox, whoever asks (RFC 3463 3.2, RFC 7505 section 4). */
const NO_MAILBOX: ReadonlySet<string> = new Set(['5.1.1', '5.1.10', '5.2.1']);

/**
 * Remembers which recipients a hop has refused for good, so that a dictionary attack does not reach it name by name.
 * Bounded; what was asked for longest ago goes first.
 */
export class RefusalCache {
  readonly #ms: number;
  readonly #now: () => number;
  readonly #entries = new Map<string, { readonly answer: HopAnswer; readonly until: number }>();

  /**
   * @param seconds how long a refusal is remembered; 0 switches the cache off
   * @param now a clock in milliseconds
   */
  constructor(seconds: number, now: () => number = () => performance.now()) {
    this.#ms = seconds * 1000;
    this.#now = now;
  }

  /** The refusal of `recipient` by the hop with `key`, marked ` (cached)`; null when none is known. */
  get(key: string, recipient: string): HopAnswer | null {
    if (this.#entries.size === 0) return null;
    const id = `${key}\n${recipient}`;
    const entry = this.#entries.get(id);
    if (entry === undefined) return null;
    this.#entries.delete(id);
    if (entry.until <= this.#now()) return null;
    this.#entries.set(id, entry);
    return entry.answer;
  }

  /** Notes what a hop answered to RCPT, when it is a refusal that will be the same for the next sender. */
  note(key: string, recipient: string, answer: HopAnswer, hadStatus: boolean): void {
    if (this.#ms <= 0 || answer.kind !== 'refused') return;
    if (hadStatus ? !NO_MAILBOX.has(answer.reply.enhanced) : answer.reply.code !== 550) return;
    const id = `${key}\n${recipient}`;
    this.#entries.delete(id);
    this.#entries.set(id, {
      answer: { ...answer, hop: `${answer.hop} (cached)` },
      until: this.#now() + this.#ms,
    });
    if (this.#entries.size <= CAPACITY) return;
    for (const oldest of this.#entries.keys()) {
      this.#entries.delete(oldest);
      break;
    }
  }

  /** Number of refusals held. */
  get size(): number {
    return this.#entries.size;
  }
}
