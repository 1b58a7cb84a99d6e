/** What is known about a trouble when it is reported. */
export interface ProblemState {
  /** Records that wait to be written. */
  readonly waiting: number;
  /** Records dropped since the start. */
  readonly dropped: number;
}

/**
 * Keeps a lasting trouble from filling the log: the first report comes at once, then at most one in each `everyMs`
 * while it lasts, and one when it is over.
 */
export class ProblemReports {
  readonly #report: (text: string) => void;
  readonly #state: () => ProblemState;
  readonly #everyMs: number;
  #latest: string | null = null;
  #failing = false;
  #timer: NodeJS.Timeout | null = null;

  /** `report` takes one line of text; it must not throw. */
  constructor(report: (text: string) => void, state: () => ProblemState, everyMs: number) {
    this.#report = report;
    this.#state = state;
    this.#everyMs = everyMs;
  }

  /** Something is wrong now. */
  problem(text: string): void {
    this.#latest = text;
    if (this.#timer === null) this.#say();
  }

  /** It works. */
  working(): void {
    if (!this.#failing) return;
    this.#failing = false;
    this.#latest = null;
    this.#report(`journal: writing again; ${this.#state().dropped} records dropped since the start`);
  }

  /** Says what has not been said, and no more afterwards. */
  close(): void {
    if (this.#latest !== null) this.#say();
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #say(): void {
    const { waiting, dropped } = this.#state();
    this.#failing = true;
    this.#report(`journal: ${this.#latest}; ${waiting} records waiting, ${dropped} dropped since the start`);
    this.#latest = null;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      if (this.#latest !== null) this.#say();
    }, this.#everyMs).unref();
  }
}
