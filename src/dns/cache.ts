/** Where the memory limit counts a cached answer: map entry, key, and objects around the strings; measured, rounded up. */
const ENTRY_BYTES = 300;

interface Kept<T> {
  readonly value: T;
  readonly expires: number;
  readonly bytes: number;
}

/**
 * Answers kept for a while. Limited in number and in bytes, since strangers choose what their own zones answer: a
 * thousand reverse names with 60 KB each must not fill the memory. What was put in first goes first.
 */
export class AnswerCache<T> {
  readonly #kept = new Map<string, Kept<T>>();
  readonly #maxEntries: number;
  readonly #maxBytes: number;
  #bytes = 0;

  constructor(maxEntries: number, maxBytes: number) {
    this.#maxEntries = maxEntries;
    this.#maxBytes = maxBytes;
  }

  get size(): number {
    return this.#kept.size;
  }

  /** The value under `key` if it has not expired at `now` (milliseconds). */
  get(key: string, now: number): T | undefined {
    const kept = this.#kept.get(key);
    if (!kept) return undefined;
    if (kept.expires > now) return kept.value;
    this.#drop(key, kept);
    return undefined;
  }

  /** Keeps `value` until `expires`; `bytes` is about what it holds. A value larger than 1/16 of all is not kept. */
  set(key: string, value: T, expires: number, bytes: number): void {
    const cost = bytes + key.length + ENTRY_BYTES;
    const old = this.#kept.get(key);
    if (old) this.#drop(key, old);
    if (cost > this.#maxBytes / 16 || this.#maxEntries === 0) return;
    this.#kept.set(key, { value, expires, bytes: cost });
    this.#bytes += cost;
    for (const [oldest, entry] of this.#kept) {
      if (this.#kept.size <= this.#maxEntries && this.#bytes <= this.#maxBytes) break;
      this.#drop(oldest, entry);
    }
  }

  clear(): void {
    this.#kept.clear();
    this.#bytes = 0;
  }

  #drop(key: string, kept: Kept<T>): void {
    this.#kept.delete(key);
    this.#bytes -= kept.bytes;
  }
}
