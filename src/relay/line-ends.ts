const CR = 0x0d;
const LF = 0x0a;

/** Turns CRLF into LF in a message that comes in pieces; a CR without an LF stays as it is. */
export class LineEnds {
  /** The last piece ended in a CR that may belong to a CRLF. */
  #cr = false;

  /** The next piece with LF line ends, in memory of its own. */
  toLf(piece: Buffer): Buffer {
    const out = Buffer.allocUnsafe(piece.length + 1);
    let to = 0;
    let cr = this.#cr;
    for (let at = 0; at < piece.length; at++) {
      const byte = piece[at] as number;
      if (cr && byte !== LF) out[to++] = CR;
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
