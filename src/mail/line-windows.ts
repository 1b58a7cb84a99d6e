const LF = 10;

const WINDOW_BYTES = 64 * 1024;

/** A line of a window. */
export interface WindowLine {
  /** A byte string without its line end, cut where it is too long. */
  readonly text: string;
  /** Where it begins in the window's text. */
  readonly offset: number;
}

/** A stretch of whole lines as they stand, each with its LF: a search in it can skip most of them at once. */
export class LineWindow {
  /** A byte string. */
  readonly text: string;
  readonly #lineBytes: number;

  constructor(text: string, lineBytes: number) {
    this.text = text;
    this.#lineBytes = lineBytes;
  }

  /** The lines that may have `wanted` in them, in order; with `''` all of them. */
  *linesWith(wanted: string): Generator<WindowLine, void, void> {
    const { text } = this;
    for (let at = text.indexOf(wanted); at >= 0 && at < text.length; ) {
      const offset = at === 0 ? 0 : text.lastIndexOf('\n', at - 1) + 1;
      const lf = text.indexOf('\n', at);
      const end = text[lf - 1] === '\r' && lf > offset ? lf - 1 : lf;
      yield { text: text.slice(offset, Math.min(end, offset + this.#lineBytes)), offset };
      at = text.indexOf(wanted, lf + 1);
    }
  }

  /** How many lines begin before `offset`. */
  linesBefore(offset: number): number {
    let count = 0;
    for (let at = this.text.indexOf('\n'); at >= 0 && at < offset; at = this.text.indexOf('\n', at + 1))
      count++;
    return count;
  }
}

/**
 * Cuts a message into windows of whole lines, of some 64 KiB each. Line ends are CRLF or LF; of a line at least the first
 * `lineBytes` bytes are kept, and what follows them may be lost, so that memory is bounded whatever the message.
 */
export async function* lineWindows(
  chunks: Iterable<Buffer> | AsyncIterable<Buffer>,
  lineBytes: number,
): AsyncGenerator<LineWindow, void, void> {
  // The beginning of the line that has not ended yet; one byte more than is kept, for a CR that would be its end.
  let open = '';
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.length; at += WINDOW_BYTES) {
      const piece = chunk.subarray(at, at + WINDOW_BYTES);
      const first = piece.indexOf(LF);
      const end = piece.lastIndexOf(LF) + 1;
      const room = lineBytes + 1 - open.length;
      if (first < 0) {
        if (room > 0) open += piece.toString('latin1', 0, room);
        continue;
      }
      // Of a line that goes on from before, the middle may be missing: its LF must not come too early for that.
      const joined =
        open === '' ? '' : open + piece.toString('latin1', 0, Math.min(first, Math.max(0, room)));
      const text =
        open === '' ? piece.toString('latin1', 0, end) : joined + piece.toString('latin1', first, end);
      yield new LineWindow(text, lineBytes);
      open = piece.toString('latin1', end, Math.min(piece.length, end + lineBytes + 1));
    }
  }
  if (open !== '') yield new LineWindow(`${open}\n`, lineBytes);
}
