const LF = 10;

/** A stretch of whole lines. */
export interface LineWindow {
  /** Byte strings. */
  readonly lines: readonly string[];
  /** The same with a LF behind each. */
  readonly text: string;
}

const WINDOW_BYTES = 64 * 1024;

/**
 * Cuts a message into windows of whole lines, of some 64 KiB each, so that a search can skip a window at once. Line ends
 * are CRLF or LF and are not part of the line; of a line only the first `lineBytes` bytes are kept, so that memory is
 * bounded whatever the message.
 */
export async function* lineWindows(
  chunks: Iterable<Buffer> | AsyncIterable<Buffer>,
  lineBytes: number,
): AsyncGenerator<LineWindow, void, void> {
  let lines: string[] = [];
  let bytes = 0;
  // The beginning of the line that has not ended yet.
  let open = '';
  const take = (line: string) => {
    const end = line.endsWith('\r') ? line.slice(0, -1) : line;
    lines.push(end.slice(0, lineBytes));
    bytes += Math.min(end.length, lineBytes) + 1;
  };
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.length; ) {
      const lf = chunk.indexOf(LF, at);
      const end = lf < 0 ? chunk.length : lf;
      // One byte more, for a CR that would be its end.
      const room = lineBytes + 1 - open.length;
      open += chunk.toString('latin1', at, Math.min(end, at + Math.max(0, room)));
      at = end + 1;
      if (lf < 0) continue;
      take(open);
      open = '';
      if (bytes < WINDOW_BYTES) continue;
      yield windowOf(lines);
      lines = [];
      bytes = 0;
    }
  }
  if (open !== '') take(open);
  if (lines.length > 0) yield windowOf(lines);
}

function windowOf(lines: readonly string[]): LineWindow {
  return { lines, text: `${lines.join('\n')}\n` };
}
