const CR = 0x0d;
const LF = 0x0a;
const DOT = 0x2e;

/** CRLF and a dot: what stuffing looks for. */
const DOT_LINE = Buffer.from('\r\n.', 'latin1');

/** After so many bytes without a dot line, searching is cheaper than looking at each byte. */
const QUIET = 256;

/**
 * Doubles the dot at the start of each line (RFC 5321 4.5.2) of a message that comes in pieces. A line starts at the
 * beginning and after CRLF. Long stretches without dot lines are searched and copied whole; where the dots are thick
 * it goes byte by byte, for there a search per dot would cost a hundred times more.
 */
export class DotStuffer {
  /** The last two bytes so far; a message begins as if after a CRLF. */
  #before = CR;
  #last = LF;

  /** The stuffed form of `piece`, in `room` if it is large enough (see `roomFor`), else in memory of its own. */
  stuff(piece: Buffer, room?: Buffer): Buffer {
    const end = piece.length;
    const most = roomFor(end);
    const out = room !== undefined && room.length >= most ? room : Buffer.allocUnsafe(most);
    let before = this.#before;
    let last = this.#last;
    let to = 0;
    let at = 0;
    while (at < end) {
      let stop = Math.min(end, at + QUIET);
      while (at < stop) {
        const byte = piece[at++] as number;
        if (byte === DOT && last === LF && before === CR) {
          out[to++] = DOT;
          // Lines of a single dot come in crowds.
          while (at + 2 < end && piece[at] === CR && piece[at + 1] === LF && piece[at + 2] === DOT) {
            out[to] = DOT;
            out[to + 1] = CR;
            out[to + 2] = LF;
            out[to + 3] = DOT;
            to += 4;
            at += 3;
          }
          stop = Math.min(end, at + QUIET);
        }
        out[to++] = byte;
        before = last;
        last = byte;
      }
      if (at === end) break;
      // The CRLF of a dot line may be behind us already.
      const found = piece.indexOf(DOT_LINE, at - 2);
      const until = found < 0 ? end : found + 2;
      to += piece.copy(out, to, at, until);
      at = until;
      before = piece[at - 2] as number;
      last = piece[at - 1] as number;
    }
    this.#before = before;
    this.#last = last;
    return out.subarray(0, to);
  }
}

/** Bytes that `bytes` bytes of message can come to: the thickest there is are lines of a single dot, three bytes to four. */
export function roomFor(bytes: number): number {
  return bytes + Math.ceil(bytes / 3) + 1;
}
