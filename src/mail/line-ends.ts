const CR = 0x0d;
const LF = 0x0a;

/** Turns CRLF into LF in a message that comes in pieces; a CR without an LF stays as it is. */
export class LineEnds {
  /** The last piece ended in a CR that may belong to a CRLF. */
  #cr = false;
  #bareLf = false;

  /**
   * True as long as every LF came behind a CR: then `CrLfEnds` gives back what was put in, byte for byte, CRs without
   * LF included. An LF alone would come back as CRLF.
   */
  get reversible(): boolean {
    return !this.#bareLf;
  }

  /** The next piece with LF line ends, in memory of its own. */
  toLf(piece: Buffer): Buffer {
    const out = Buffer.allocUnsafe(piece.length + 1);
    let to = 0;
    let cr = this.#cr;
    for (let at = 0; at < piece.length; at++) {
      const byte = piece[at] as number;
      if (byte === LF) {
        if (!cr) this.#bareLf = true;
      } else if (cr) out[to++] = CR;
      cr = byte === CR;
      if (!cr) out[to++] = byte;
    }
    this.#cr = cr;
    return out.subarray(0, to);
  }

  /** What is left at the end: a CR that was held back, or nothing. */
  end(): Buffer {
    return this.#cr ? Buffer.from([CR]) : Buffer.alloc(0);
  }
}

/** The way back: `piece` with a CR before each LF, in memory of its own. Pieces may be cut anywhere. */
export function toCrLf(piece: Buffer): Buffer {
  let ends = 0;
  for (let at = piece.indexOf(LF); at >= 0; at = piece.indexOf(LF, at + 1)) ends++;
  const out = Buffer.allocUnsafe(piece.length + ends);
  let to = 0;
  let from = 0;
  for (let at = piece.indexOf(LF); at >= 0; at = piece.indexOf(LF, from)) {
    to += piece.copy(out, to, from, at);
    out[to++] = CR;
    out[to++] = LF;
    from = at + 1;
  }
  piece.copy(out, to, from);
  return out;
}
