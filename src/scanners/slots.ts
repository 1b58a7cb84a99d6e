/** Gives a slot back; further calls do nothing. */
export type Release = () => void;

/** A bound on what runs at a time, with a line of bounded length in front of it. First come, first served. */
export class Slots {
  readonly #parallel: number;
  readonly #maxWaiting: number;
  #used = 0;
  readonly #line = new Set<(release: Release | null) => void>();

  /** `parallel` run at a time, `maxWaiting` wait. */
  constructor(parallel: number, maxWaiting: number) {
    this.#parallel = parallel;
    this.#maxWaiting = maxWaiting;
  }

  /** How many run now. */
  get used(): number {
    return this.#used;
  }

  /** How many wait now. */
  get waiting(): number {
    return this.#line.size;
  }

  /**
   * Waits up to `ms` for a slot, which must be given back. Null when none became free in time, when the line is full, or when
   * `signal` says that nobody wants it any more.
   */
  take(ms: number, signal?: AbortSignal): Promise<Release | null> {
    if (signal?.aborted === true) return Promise.resolve(null);
    if (this.#used < this.#parallel) {
      this.#used++;
      return Promise.resolve(this.#release());
    }
    if (this.#line.size >= this.#maxWaiting || ms <= 0) return Promise.resolve(null);
    return new Promise(resolve => {
      const done = (release: Release | null): void => {
        this.#line.delete(done);
        clearTimeout(timer);
        signal?.removeEventListener('abort', gone);
        resolve(release);
      };
      const gone = (): void => done(null);
      const timer = setTimeout(gone, ms);
      signal?.addEventListener('abort', gone);
      this.#line.add(done);
    });
  }

  /** A slot that is given back goes to the first in the line, and is never free in between. */
  #release(): Release {
    let given = false;
    return () => {
      if (given) return;
      given = true;
      const [next] = this.#line;
      if (next === undefined) this.#used--;
      else next(this.#release());
    };
  }
}
