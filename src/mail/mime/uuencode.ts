import type { AnomalyName } from '../../model/mime.ts';
import type { Consumed, OpenConsumer, PartConsumer } from './consumer.ts';
import { undeclaredName } from './file-names.ts';
import { InnerFile, InnerFinds } from './inner-file.ts';
import { decodeBase64Line, decodeExactLine, decodeUuLine, isUuLine, parseBegin } from './uuencode-lines.ts';
import type { Begin } from './uuencode-lines.ts';

const CR = 13;
const LF = 10;

/** Longest line that can matter: a `begin` line with a long name. */
const MAX_LINE = 2048;

/** Files of one text; the rest is not looked at, which is said. */
const MAX_FILES = 500;

const SCRATCH_BYTES = 16_384;
const NO_SCRATCH = Buffer.alloc(0);

const BEGIN = Buffer.from('begin');

/** Lines between `begin` and the first line of data that careless readers decode too. */
const MAX_MISSED = 8;

/** Length of a full line of uuencode, 45 bytes: prose hardly has one by chance. */
const FULL_LINE = 61;

/** A `begin` line was seen (`pending`), or a file is being read. */
type Mode =
  | { readonly at: 'text' }
  | { readonly at: 'pending'; readonly begin: Begin; missed: number }
  | { readonly at: 'file'; readonly begin: Begin; readonly file: InnerFile; damaged: string | null };

/**
 * Finds uuencoded files (`begin 644 name` … `end`; POSIX uuencode, also `begin-base64`) in text, several in a row,
 * wherever a line begins with one. In: the decoded bytes of a text part; `open` is asked for what lies in the files,
 * `within` are the names of the files round this text. A `begin` line with an octal mode and a name counts when a line
 * follows that can be one of its own, or its end. What breaks off or is damaged is the anomaly
 * MIME_UUENCODE_UNREADABLE, and counts as a file all the same. Memory: one line and one file's first bytes.
 */
export function uuencodeConsumer(open: OpenConsumer, within: readonly string[] = []): PartConsumer {
  return new UuencodeReader(open, within);
}

class UuencodeReader implements PartConsumer {
  readonly #open: OpenConsumer;
  readonly #within: readonly string[];
  readonly #finds = new InnerFinds();
  readonly #anomalies: { rule: AnomalyName; detail: string }[] = [];
  #mode: Mode = { at: 'text' };
  /** Beginning of a line whose end has not come yet. */
  #line: Buffer[] = [];
  #lineBytes = 0;
  /** The line goes past MAX_LINE, or cannot matter: nothing of it is kept. */
  #skipping = false;
  #files = 0;
  /** Decoded lines on their way to the file. */
  #scratch = NO_SCRATCH;

  constructor(open: OpenConsumer, within: readonly string[]) {
    this.#open = open;
    this.#within = within;
  }

  write(bytes: Buffer): void {
    let at = 0;
    while (at < bytes.length) {
      if (this.#mode.at === 'text' && this.#lineBytes === 0) {
        // Only what may be a `begin` line is looked at.
        at = this.#skipText(bytes, at);
        if (at >= bytes.length) return;
      }
      if (this.#mode.at === 'file' && !this.#mode.begin.base64 && this.#lineBytes === 0) {
        at = writeExactLines(bytes, at, this.#mode.file, this.#scratch);
        if (at >= bytes.length) return;
      }
      const end = lineEnd(bytes, at);
      this.#collect(bytes.subarray(at, end));
      if (end === bytes.length) return;
      this.#endLine();
      at = end + 1;
    }
  }

  end(): Consumed | Promise<Consumed> {
    if (this.#lineBytes > 0) this.#endLine();
    const mode = this.#mode;
    // A `begin` at the very end: what followed is lost.
    if (mode.at === 'pending' && mode.missed === 0) this.#startFile(mode.begin, null);
    this.#endFile('breaks off');
    return this.#finds.consumed(this.#anomalies);
  }

  get pending(): Promise<void> | null {
    return this.#finds.pending ?? (this.#mode.at === 'file' ? this.#mode.file.pending : null);
  }

  abandon(): void {
    if (this.#mode.at === 'file') this.#mode.file.abandon();
  }

  /**
   * Offset of the next line that begins, as far as it is here, with `begin`; the end when there is none. A line that has
   * begun in an earlier piece of text is passed over first.
   */
  #skipText(bytes: Buffer, start: number): number {
    let at = start;
    if (this.#skipping) {
      at = lineEnd(bytes, at);
      if (at === bytes.length) return at;
      this.#skipping = false;
      at++;
    }
    if (beginsLikeBegin(bytes, at)) return at;
    for (;;) {
      const found = bytes.indexOf(BEGIN, at);
      if (found < 0) break;
      const before = found === 0 ? LF : bytes[found - 1];
      if (before === LF || before === CR) return found;
      at = found + 1;
    }
    // The last line may still become one.
    const last = Math.max(bytes.lastIndexOf(LF), bytes.lastIndexOf(CR)) + 1;
    if (last > start && last >= at - 1 && beginsLikeBegin(bytes, last)) return last;
    this.#skipping = last < bytes.length;
    return bytes.length;
  }

  #collect(piece: Buffer): void {
    if (this.#skipping || piece.length === 0) return;
    this.#lineBytes += piece.length;
    if (this.#lineBytes > MAX_LINE) {
      this.#skipping = true;
      this.#line = [];
    } else this.#line.push(Buffer.from(piece));
  }

  #endLine(): void {
    const long = this.#skipping;
    const line = long ? '' : Buffer.concat(this.#line).toString('latin1');
    this.#line = [];
    this.#lineBytes = 0;
    this.#skipping = false;
    this.#take(line, long);
  }

  #take(line: string, long: boolean): void {
    const mode = this.#mode;
    if (mode.at === 'text') {
      this.#begin(line);
      return;
    }
    if (line === '' && !long) return;
    if (mode.at === 'pending') this.#pendingLine(mode, line, long);
    else this.#fileLine(mode, line, long);
  }

  #pendingLine(mode: Extract<Mode, { at: 'pending' }>, line: string, long: boolean): void {
    const own = long ? 'none' : isUuLine(line, mode.begin.base64);
    const another = long ? null : parseBegin(line);
    if (another !== null) this.#mode = { at: 'pending', begin: another, missed: 0 };
    else if (own !== 'none' && (mode.missed === 0 || (own === 'clean' && line.length >= FULL_LINE))) {
      this.#startFile(mode.begin, mode.missed > 0 ? 'lines before its data' : null);
      this.#take(line, long);
    } else if (mode.missed++ >= MAX_MISSED) this.#mode = { at: 'text' };
  }

  #begin(line: string): void {
    const begin = parseBegin(line);
    if (begin !== null) this.#mode = { at: 'pending', begin, missed: 0 };
  }

  #startFile(begin: Begin, damaged: string | null): void {
    this.#files++;
    if (this.#files > MAX_FILES) {
      if (this.#files === MAX_FILES + 1) this.#anomaly(`more than ${MAX_FILES} files in one text`);
      this.#mode = { at: 'text' };
      return;
    }
    const names = [undeclaredName(begin.name, 'uuencode')];
    if (this.#scratch === NO_SCRATCH) this.#scratch = Buffer.allocUnsafe(SCRATCH_BYTES);
    const file = new InnerFile('uuencode', names, this.#within, this.#open);
    this.#mode = { at: 'file', begin, file, damaged };
  }

  #fileLine(mode: Extract<Mode, { at: 'file' }>, line: string, long: boolean): void {
    const { base64 } = mode.begin;
    if (base64 ? /^={4}\s*$/.test(line) : /^end\s*$/i.test(line)) {
      this.#endFile(null);
      return;
    }
    const another = long ? null : parseBegin(line);
    if (another !== null) {
      this.#endFile('another file begins before its end');
      this.#mode = { at: 'pending', begin: another, missed: 0 };
      return;
    }
    const own = long ? 'none' : isUuLine(line, base64);
    if (own !== 'clean') mode.damaged ??= 'damaged line';
    if (own === 'none') return;
    mode.file.write(base64 ? decodeBase64Line(line) : decodeUuLine(line));
  }

  #endFile(broken: string | null): void {
    const mode = this.#mode;
    if (mode.at !== 'file') return;
    const why = broken ?? mode.damaged;
    if (why !== null) this.#anomaly(`${mode.begin.name}: ${why}`);
    this.#finds.add(mode.file.end(why === null));
    this.#mode = { at: 'text' };
  }

  #anomaly(detail: string): void {
    if (this.#anomalies.length < 10)
      this.#anomalies.push({ rule: 'MIME_UUENCODE_UNREADABLE', detail: detail.slice(0, 200) });
  }
}

/** Decodes whole lines from `start` on that are exactly as they should be; gives the offset of the first other one. */
function writeExactLines(bytes: Buffer, start: number, file: InnerFile, out: Buffer): number {
  let filled = 0;
  let at = start;
  while (at < bytes.length) {
    const end = lineEnd(bytes, at);
    if (end === bytes.length) break;
    const count = end === at ? 0 : decodeExactLine(bytes, at, end, out, filled);
    if (count < 0) break;
    filled += count;
    at = end + 1;
    if (filled > SCRATCH_BYTES - 63) {
      file.write(out.subarray(0, filled));
      filled = 0;
    }
  }
  if (filled > 0) file.write(out.subarray(0, filled));
  return at;
}

/** Offset of the CR or LF that ends the line, or of the end. */
function lineEnd(bytes: Buffer, start: number): number {
  let at = start;
  while (at < bytes.length && bytes[at] !== LF && bytes[at] !== CR) at++;
  return at;
}

/** Whether the bytes at `at` are `begin`, as far as there are any. */
function beginsLikeBegin(bytes: Buffer, at: number): boolean {
  const length = Math.min(BEGIN.length, bytes.length - at);
  return bytes.compare(BEGIN, 0, length, at, at + length) === 0;
}
