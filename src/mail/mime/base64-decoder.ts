import type { DecodedSink, Decoder } from './decoder.ts';

const LF = 10;
const CR = 13;

/** Larger inputs are cut: strings of this size are the quickest to convert. */
const MAX_INPUT = 16 * 1024;

/** Where decoders work whose `emit` decodes nothing itself. */
const common = Buffer.allocUnsafeSlow(MAX_INPUT);

/**
 * Base64 of a body (RFC 2045 6.8) as most readers decode it: bytes that do not belong there are skipped, padding that is
 * missing at the end is no loss. After padding readers differ: they stop there, or go on with the next four
 * characters; `stopsAtPadding` chooses. Whole clean lines go to the native decoder as they are.
 */
export class Base64Decoder implements Decoder {
  /** Bytes that do not belong there were seen. */
  invalid = false;
  /** More base64 came after padding. */
  afterPadding = false;
  readonly #emit: DecodedSink;
  readonly #stopsAtPadding: boolean;
  readonly #out: Buffer;
  /** Up to three characters that wait for the rest of their four. */
  #rest = '';
  #padded = false;
  /** `=` signs since the padding began. */
  #signs = 0;

  /** `nests`: `emit` may lead to another decoder's `write`. */
  constructor(emit: DecodedSink, stopsAtPadding: boolean, nests: boolean) {
    this.#out = nests ? Buffer.allocUnsafeSlow(MAX_INPUT) : common;
    this.#emit = emit;
    this.#stopsAtPadding = stopsAtPadding;
  }

  write(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; at += MAX_INPUT) {
      this.#piece(bytes.length <= MAX_INPUT ? bytes : bytes.subarray(at, at + MAX_INPUT));
    }
  }

  end(): void {
    const { length } = this.#rest;
    if (length === 1) this.invalid = true;
    if (length > 1) this.#decode(this.#rest);
    this.#rest = '';
  }

  #piece(bytes: Buffer): void {
    let at = 0;
    if (this.#rest !== '') {
      // To the end of the line: most often that of a group of four too.
      at = bytes.indexOf(LF) + 1;
      if (at === 0) at = bytes.length;
      this.#characters(bytes.toString('latin1', 0, at));
    }
    while (at < bytes.length && this.#rest === '' && !this.#padded) {
      const next = this.#cleanLines(bytes, at);
      if (next === at) break;
      at = next;
    }
    if (at < bytes.length) this.#characters(bytes.toString('latin1', at, bytes.length));
  }

  /** Lines of equal length, a multiple of four, with nothing but base64 in them; gives the offset behind them. */
  #cleanLines(bytes: Buffer, start: number): number {
    const first = bytes.indexOf(LF, start);
    if (first < 0) return start;
    const breakLength = first > start && bytes[first - 1] === CR ? 2 : 1;
    const stride = first + 1 - start;
    const perLine = stride - breakLength;
    if (perLine === 0) return first + 1;
    if (perLine % 4 !== 0) return start;
    let end = first + 1;
    if (breakLength === 2) {
      while (end + stride <= bytes.length && bytes[end + stride - 1] === LF && bytes[end + stride - 2] === CR)
        end += stride;
    } else {
      while (end + stride <= bytes.length && bytes[end + stride - 1] === LF) end += stride;
    }
    const expected = (((end - start) / stride) * perLine * 3) / 4;
    const written = this.#out.write(bytes.toString('latin1', start, end), 0, MAX_INPUT, 'base64');
    // Fewer bytes: something else is among the characters. `-` and `_`, which Node takes for base64, do not show so.
    if (written !== expected || hasUrlCharacters(bytes, start, end)) return start;
    this.#emit(this.#out.subarray(0, written));
    return end;
  }

  #characters(text: string): void {
    if (this.#padded && this.#stopsAtPadding) return this.#ignored(text);
    if (/[^A-Za-z0-9+/\r\n]/.test(text)) return this.#anything(text);
    this.#groups(text.replaceAll(/[\r\n]+/g, ''));
  }

  #anything(text: string): void {
    if (/[^A-Za-z0-9+/\r\n= \t]/.test(text)) this.invalid = true;
    const pieces = text.replaceAll(/[^A-Za-z0-9+/=]+/g, '').split('=');
    for (const [index, piece] of pieces.entries()) {
      if (piece !== '') {
        this.#groups(piece);
        if (this.#padded && this.#stopsAtPadding) return;
      }
      if (index < pieces.length - 1) this.#equalsSign();
    }
  }

  #ignored(text: string): void {
    if (/[A-Za-z0-9+/]/.test(text)) this.afterPadding = true;
  }

  #equalsSign(): void {
    if (this.#rest.length >= 2) {
      this.#signs = 4 - this.#rest.length - 1;
      this.end();
      this.#padded = true;
    } else if (this.#signs > 0 && this.#rest === '') this.#signs--;
    else this.invalid = true;
  }

  #groups(characters: string): void {
    if (characters === '') return;
    if (this.#padded) {
      this.afterPadding = true;
      if (this.#stopsAtPadding) return;
      this.#signs = 0;
      this.#padded = false;
    }
    const all = this.#rest + characters;
    const whole = all.length - (all.length % 4);
    this.#rest = all.slice(whole);
    if (whole > 0) this.#decode(all.slice(0, whole));
  }

  #decode(characters: string): void {
    this.#emit(this.#out.subarray(0, this.#out.write(characters, 0, MAX_INPUT, 'base64')));
  }
}

function hasUrlCharacters(bytes: Buffer, start: number, end: number): boolean {
  const dash = bytes.indexOf(45, start);
  if (dash >= 0 && dash < end) return true;
  const underscore = bytes.indexOf(95, start);
  return underscore >= 0 && underscore < end;
}
