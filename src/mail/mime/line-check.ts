import type { AnomalyName } from '../../model/mime.ts';

const CR = 13;
const LF = 10;

/** RFC 5322 2.1.1: a line has no more characters than this, its CRLF not counted. */
const MAX_LINE = 998;

const NO_WORDS = new Int32Array(0);

/**
 * Watches the raw bytes of a message for what lines of mail must not have: bare CR, bare LF, NUL, more than 998 bytes.
 * One pass over all bytes, several at a time, since nearly none of them is a control character.
 */
export class LineCheck {
  readonly #report: (rule: AnomalyName, detail: string) => void;
  /** Bytes of the line before `check`'s first. */
  #before = 0;
  #afterCr = false;

  constructor(report: (rule: AnomalyName, detail: string) => void) {
    this.#report = report;
  }

  /** The next bytes, in order. */
  check(bytes: Buffer): void {
    let lineStart = -this.#before;
    let afterCr = this.#afterCr;
    let i = 0;
    const end = bytes.length;
    // Four bytes at a time where none of them is below 14.
    const aligned = -bytes.byteOffset & 3;
    const count = Math.max(0, (end - aligned) >> 2);
    const words = count === 0 ? NO_WORDS : new Int32Array(bytes.buffer, bytes.byteOffset + aligned, count);
    while (i < end) {
      if (!afterCr && ((i - aligned) & 3) === 0) {
        let word = (i - aligned) >> 2;
        while (word < words.length && !hasControl(words[word] as number)) word++;
        i = aligned + (word << 2);
        if (i >= end) break;
      }
      const byte = bytes[i] as number;
      if (byte === LF) {
        if (!afterCr) this.#report('MIME_BARE_LF', '');
        if (i - lineStart - (afterCr ? 1 : 0) > MAX_LINE) this.#long();
        lineStart = i + 1;
        afterCr = false;
      } else {
        if (afterCr) this.#report('MIME_BARE_CR', '');
        afterCr = byte === CR;
        if (byte === 0) this.#report('MIME_NUL', '');
      }
      i++;
    }
    this.#before = end - lineStart;
    this.#afterCr = afterCr;
    // The line need not end for that.
    if (this.#before > MAX_LINE + 2) this.#long();
  }

  /** The stream is over. */
  end(): void {
    if (this.#afterCr) this.#report('MIME_BARE_CR', '');
    if (this.#before - (this.#afterCr ? 1 : 0) > MAX_LINE) this.#long();
  }

  #long(): void {
    this.#report('MIME_LINE_LONG', `more than ${MAX_LINE} bytes`);
  }
}

/** Some of the four bytes is below 14. */
function hasControl(word: number): boolean {
  return ((word - 0x0e0e0e0e) & ~word & 0x80808080) !== 0;
}
