import type { DecodedSink, Decoder } from './decoder.ts';

const LF = 10;
const CR = 13;
const EQUALS = 61;

/** A run of blanks, or blanks after `=`, longer than this is no end of a line any more: RFC 2045 6.7 allows 76. */
const MAX_HELD = 1000;

const NOTHING = Buffer.alloc(0);

/** Larger inputs are cut. */
const MAX_INPUT = 16 * 1024;

/** Room for what is decoded of an input and of what was held before it. */
const OUT_BYTES = MAX_INPUT + 2 * MAX_HELD;

/** Where decoders work whose `emit` decodes nothing itself. */
const common = Buffer.allocUnsafeSlow(OUT_BYTES);

/**
 * Quoted-printable of a body (RFC 2045 6.7): `=XX` in either case, soft line breaks (also with blanks before the line
 * end), blanks at the end of lines removed. An `=` that begins nothing stays as it is.
 */
export class QuotedPrintableDecoder implements Decoder {
  /** An `=` that begins nothing, blanks behind one (RFC 2045 6.7: never generated), or bytes that should have been encoded. */
  invalid = false;
  readonly afterPadding = false;
  readonly #emit: DecodedSink;
  readonly #out: Buffer;
  #held = NOTHING;

  /** `nests`: `emit` may lead to another decoder's `write`. */
  constructor(emit: DecodedSink, nests: boolean) {
    this.#out = nests ? Buffer.allocUnsafeSlow(OUT_BYTES) : common;
    this.#emit = emit;
  }

  write(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; at += MAX_INPUT) {
      const piece = bytes.length <= MAX_INPUT ? bytes : bytes.subarray(at, at + MAX_INPUT);
      this.#decode(this.#held.length === 0 ? piece : Buffer.concat([this.#held, piece]), false);
    }
  }

  end(): void {
    if (this.#held.length > 0) this.#decode(this.#held, true);
  }

  #decode(bytes: Buffer, final: boolean): void {
    const out = this.#out;
    let at = 0;
    let length = 0;
    const end = bytes.length;
    while (at < end) {
      const byte = bytes[at] as number;
      if (byte === EQUALS) {
        const step = this.#escape(bytes, at, final);
        if (step.next < 0) break;
        if (step.byte >= 0) out[length++] = step.byte;
        at = step.next;
      } else if (byte === 0x20 || byte === 0x09) {
        const past = pastBlanks(bytes, at);
        const tooMany = past - at === MAX_HELD;
        if (!tooMany && !final && (past === end || (past + 1 === end && bytes[past] === CR))) break;
        if (tooMany || (past < end && !isLineEnd(bytes, past)))
          while (at < past) out[length++] = bytes[at++] as number;
        at = past;
      } else {
        if (byte > 126) this.invalid = true;
        out[length++] = byte;
        at++;
      }
    }
    this.#held = at === end ? NOTHING : Buffer.from(bytes.subarray(at));
    if (length > 0) this.#emit(out.subarray(0, length));
  }

  /** What the `=` at `at` stands for: a byte or none (-1), and where to go on; `next` -1: more bytes are needed. */
  #escape(bytes: Buffer, at: number, final: boolean): { readonly byte: number; readonly next: number } {
    const end = bytes.length;
    if (at + 1 >= end) return { byte: -1, next: final ? end : -1 };
    const high = hex(bytes[at + 1] as number);
    if (high >= 0) {
      if (at + 2 >= end && !final) return { byte: -1, next: -1 };
      const low = at + 2 < end ? hex(bytes[at + 2] as number) : -1;
      if (low >= 0) return { byte: high * 16 + low, next: at + 3 };
    } else {
      const past = pastBlanks(bytes, at + 1);
      if (past - at > MAX_HELD) return this.#literal(at);
      if (past >= end) return { byte: -1, next: final ? end : -1 };
      if (past > at + 1) this.invalid = true;
      if (bytes[past] === LF) return { byte: -1, next: past + 1 };
      if (bytes[past] === CR) {
        if (past + 1 >= end && !final) return { byte: -1, next: -1 };
        if (past + 1 >= end || bytes[past + 1] === LF) return { byte: -1, next: past + 2 };
      }
    }
    return this.#literal(at);
  }

  #literal(at: number): { readonly byte: number; readonly next: number } {
    this.invalid = true;
    return { byte: EQUALS, next: at + 1 };
  }
}

/** Past the blanks at `from`, `MAX_HELD` of them at most. */
function pastBlanks(bytes: Buffer, from: number): number {
  let at = from;
  while (at - from < MAX_HELD && (bytes[at] === 0x20 || bytes[at] === 0x09)) at++;
  return at;
}

function isLineEnd(bytes: Buffer, at: number): boolean {
  return bytes[at] === LF || (bytes[at] === CR && (at + 1 >= bytes.length || bytes[at + 1] === LF));
}

function hex(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48;
  if (byte >= 65 && byte <= 70) return byte - 55;
  if (byte >= 97 && byte <= 102) return byte - 87;
  return -1;
}
