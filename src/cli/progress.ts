/** Shown at most this often, milliseconds; and not at all before so much time has passed. */
const EVERY_MS = 100;
const WIDTH = 30;

/** A bar on standard error while a long job runs; nothing when that is no terminal. */
export class Progress {
  readonly #shows: boolean;
  #last = performance.now();
  #shown = false;

  constructor(stream: { readonly isTTY?: boolean } = process.stderr) {
    this.#shows = stream.isTTY === true;
  }

  /** `done` of `total`; 0: nobody knows how many there are. */
  show(done: number, total: number): void {
    const now = performance.now();
    if (!this.#shows || now - this.#last < EVERY_MS) return;
    this.#last = now;
    this.#shown = true;
    process.stderr.write(`\r${bar(done, total)}\x1b[K`);
  }

  /** Takes the bar away, so that other lines can be written. */
  clear(): void {
    if (!this.#shown) return;
    this.#shown = false;
    process.stderr.write('\r\x1b[K');
  }
}

/** `[#########---------------------] 31 % (310 of 1000)` */
export function bar(done: number, total: number): string {
  if (total <= 0) return String(done);
  const part = Math.min(1, done / total);
  const full = Math.floor(part * WIDTH);
  return `[${'#'.repeat(full)}${'-'.repeat(WIDTH - full)}] ${Math.floor(part * 100)} % (${done} of ${total})`;
}
