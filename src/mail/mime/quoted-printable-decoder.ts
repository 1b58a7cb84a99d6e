import type { DecodedSink, Decoder } from './transfer-decoders.ts';

const LF = 10;
const CR = 13;
const EQUALS = 61;

/** A run of blanks, or blanks after `=`, longer than this is no end of a line any more: RFC 2045 6.7 allows 76. */
const MAX_HELD = 1000;

/**
 * Quoted-printable of a body (RFC 2045 6.7): `=XX` in either case, soft line breaks (also with blanks before the line
 * end), blanks at the end of lines removed. An `=` that begins nothing stays as it is.
 */
export class QuotedPrintableDecoder implements Decoder {
  /** An `=` that begins nothing, or bytes that should have been encoded, were seen. */
  invalid = false;
  readonly afterPadding = false;
  readonly #emit: DecodedSink;
  #held = Buffer.alloc(0);

  constructor(emit: DecodedSink) {
    this.#emit = emit;
  }

  write(bytes: Buffer): void {
    this.#decode(this.#held.length === 0 ? bytes : Buffer.concat([this.#held, bytes]), false);
  }

  end(): void {
    if (this.#held.length > 0) this.#decode(this.#held, true);
  }

  #decode(bytes: Buffer, final: boolean): void {
    const out = Buffer.allocUnsafe(bytes.length);
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
    this.#held = Buffer.from(bytes.subarray(at));
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
