const CR = 13;
const LF = 10;
const DOT = 46;

/**
 * Turns bare CR and bare LF into CRLF and drops NUL, for `linebreaks=normalise`. Comes after the DATA reader: where the
 * message ends has been decided by then, so nothing it makes can end it again, and what it makes of `LF . LF` is dot
 * stuffed on the way out like any other line of one dot.
 */
export class LineBreakNormaliser {
  lines = 0;
  dotLines = false;
  #afterCr = false;
  #atLineStart = true;

  push(chunk: Buffer): Buffer {
    // Worst case: every byte is a bare line end, and a CR waits from before.
    const out = Buffer.allocUnsafe(chunk.length * 2 + 2);
    let to = 0;
    const lineEnd = () => {
      out[to++] = CR;
      out[to++] = LF;
      this.lines++;
      this.#atLineStart = true;
    };
    for (const byte of chunk) {
      if (this.#afterCr) {
        this.#afterCr = false;
        lineEnd();
        if (byte === LF) continue;
      }
      if (byte === CR) this.#afterCr = true;
      else if (byte === LF) lineEnd();
      else if (byte !== 0) {
        if (this.#atLineStart && byte === DOT) this.dotLines = true;
        this.#atLineStart = false;
        out[to++] = byte;
      }
    }
    return out.subarray(0, to);
  }

  /** What still has to be written when the message ends. */
  end(): Buffer {
    if (!this.#afterCr) return Buffer.alloc(0);
    this.#afterCr = false;
    this.lines++;
    return Buffer.from('\r\n');
  }
}
