/**
 * A deadline that is set for one operation after another and nearly never passes. Setting it again costs a clock
 * reading: the timer is left running, and when it fires early it looks how much is left.
 */
export class Deadline {
  readonly #passed: () => void;
  #at = Number.POSITIVE_INFINITY;
  #timer: NodeJS.Timeout | null = null;
  #firesAt = 0;

  /** `passed` is called once for each deadline that passes. The timer does not keep the process alive. */
  constructor(passed: () => void) {
    this.#passed = passed;
  }

  /** Sets the deadline `ms` from now, in place of the former one. */
  set(ms: number): void {
    const now = performance.now();
    this.#at = now + ms;
    if (this.#timer === null || this.#firesAt > this.#at) this.#arm(now, ms);
  }

  /** Nothing is waited for now. */
  clear(): void {
    this.#at = Number.POSITIVE_INFINITY;
  }

  /** Ends the timer; for the end of what owned the deadline. */
  close(): void {
    this.clear();
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #arm(now: number, ms: number): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#firesAt = now + ms;
    this.#timer = setTimeout(() => this.#look(), ms);
    this.#timer.unref();
  }

  #look(): void {
    this.#timer = null;
    if (this.#at === Number.POSITIVE_INFINITY) return;
    const now = performance.now();
    if (this.#at > now) {
      this.#arm(now, this.#at - now);
      return;
    }
    this.clear();
    this.#passed();
  }
}
