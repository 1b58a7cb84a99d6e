import type { AnomalyName } from '../../model/mime.ts';

const CR = 13;
const LF = 10;

/** RFC 5322 2.1.1: a line has no more characters than this, its CRLF not counted. */
const MAX_LINE = 998;

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
    while (i < end) {
      // Four bytes of which none is below 14, over and over.
      if (!afterCr) {
        while (i + 4 <= end) {
          const word =
            (bytes[i] as number) |
            ((bytes[i + 1] as number) << 8) |
            ((bytes[i + 2] as number) << 16) |
            ((bytes[i + 3] as number) << 24);
          if (((word - 0x0e0e0e0e) & ~word & 0x80808080) !== 0) break;
          i += 4;
        }
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
