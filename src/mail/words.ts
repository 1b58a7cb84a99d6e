import { decodeCharset, decodeRawHeader, decodeUndeclared } from './charset.ts';

interface Word {
  readonly charset: string;
  readonly bytes: Buffer;
  /** Offset just past it. */
  readonly end: number;
}

/** RFC 2047 2 allows 75 for the whole word; what is longer is no charset. */
const MAX_CHARSET = 60;

/**
 * Decodes the encoded words (RFC 2047, language suffix of RFC 2231 5) in a byte string, as most readers show them:
 * blanks between two words vanish, bytes of adjacent words in one charset are joined before they are decoded (a
 * character may be cut between words), words in unknown charsets are read as if undeclared, what is no whole word
 * stays as it is. Bytes outside words are UTF-8 if valid, else windows-1252 (or raw ISO-2022-JP/-KR). Linear time;
 * never throws; the answer is at most as long as `raw`.
 */
export function decodeWords(raw: string): string {
  if (!raw.includes('=?')) return plain(raw);
  const scanner = new WordScanner(raw);
  let text = '';
  let group: Word[] = [];
  // Start of what is not decoded yet, and of what is not looked at yet.
  let from = 0;
  let at = raw.indexOf('=?');
  while (at >= 0) {
    const word = scanner.wordAt(at);
    if (word === null) {
      at = raw.indexOf('=?', at + 1);
      continue;
    }
    const between = raw.slice(from, at);
    const joined = group.length > 0 && /^[ \t\r\n]*$/.test(between);
    if (!joined) {
      text += flush(group) + plain(between);
      group = [];
    } else if (!sameCharset(group[0], word)) {
      text += flush(group);
      group = [];
    }
    group.push(word);
    from = word.end;
    at = raw.indexOf('=?', from);
  }
  return text + flush(group) + plain(raw.slice(from));
}

function sameCharset(a: Word | undefined, b: Word): boolean {
  return a?.charset === b.charset;
}

function flush(words: readonly Word[]): string {
  const first = words[0];
  if (first === undefined) return '';
  const bytes = words.length === 1 ? first.bytes : Buffer.concat(words.map(word => word.bytes));
  return decodeCharset(bytes, first.charset) ?? decodeUndeclared(bytes);
}

function plain(text: string): string {
  if (!/[\x1b\x80-\xff]/.test(text)) return text;
  return decodeRawHeader(Buffer.from(text, 'latin1'));
}

/** Finds whole words; remembers where the next end is, so that a row of beginnings without an end costs nothing. */
class WordScanner {
  readonly #raw: string;
  #nextEnd = 0;

  constructor(raw: string) {
    this.#raw = raw;
  }

  /** The word that begins at `start`, or null. */
  wordAt(start: number): Word | null {
    const raw = this.#raw;
    const charsetEnd = raw.slice(start + 2, start + 3 + MAX_CHARSET).indexOf('?') + start + 2;
    if (charsetEnd < start + 3 || raw[charsetEnd + 2] !== '?') return null;
    const charset = raw
      .slice(start + 2, charsetEnd)
      .replace(/\*.*/s, '')
      .toLowerCase();
    const encoding = raw[charsetEnd + 1]?.toLowerCase();
    if (/[\x00-\x20]/.test(charset) || (encoding !== 'b' && encoding !== 'q')) return null;
    const textStart = charsetEnd + 3;
    const end = this.#endFrom(textStart);
    if (end < 0) return null;
    // The beginning of another word within: this one has lost its end. (`=?=` is a text that ends with `=`.)
    const inner = raw.indexOf('=?', textStart);
    if (inner >= 0 && inner + 1 < end) return null;
    const text = raw.slice(textStart, end);
    return { charset, bytes: encoding === 'b' ? decodeB(text) : decodeQ(text), end: end + 2 };
  }

  /** Offset of the first `?=` at or after `from`, or -1. */
  #endFrom(from: number): number {
    if (this.#nextEnd >= 0 && this.#nextEnd < from) this.#nextEnd = this.#raw.indexOf('?=', from);
    return this.#nextEnd;
  }
}

/** Padding may stand in the middle: some programs write the words of a long text as one. */
function decodeB(text: string): Buffer {
  const runs = text.split(/=+/).filter(run => run !== '');
  if (runs.length === 1) return Buffer.from(text, 'base64');
  return Buffer.concat(runs.map(run => Buffer.from(run, 'base64')));
}

function decodeQ(text: string): Buffer {
  const bytes = Buffer.allocUnsafe(text.length);
  let length = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === 0x5f) bytes[length++] = 0x20;
    else if (c === 0x3d && /^[0-9a-f]{2}$/i.test(text.slice(i + 1, i + 3))) {
      bytes[length++] = Number.parseInt(text.slice(i + 1, i + 3), 16);
      i += 2;
    } else bytes[length++] = c;
  }
  return bytes.subarray(0, length);
}
