import { createHash, hash } from 'node:crypto';
import type { Hash } from 'node:crypto';

/** How a body is brought into canonical form before it is hashed (RFC 6376 3.4.3, 3.4.4). */
export type BodyCanonicalization = 'simple' | 'relaxed';

/** What the hash of a body comes to. */
export interface BodyDigest {
  /** Of the canonical body, cut at the limit if there is one. */
  readonly sha256: Buffer;
  /** Bytes of the canonical body, not cut. */
  readonly length: number;
}

const SPACE = 0x20;
const TAB = 0x09;
const CR = 13;
const LF = 10;
const CRLF = Buffer.from('\r\n');
const ONE_SPACE = Buffer.from(' ');
const EMPTY_LINES = Buffer.from('\r\n'.repeat(512));

/** Bytes that are collected before they are hashed: few calls cost less than many. */
const COLLECTED = 16 * 1024;

/** Buffers of hashes that are done. */
const spare: Buffer[] = [];
const MAX_SPARE = 8;

/** The first of blanks that are more than one space between words. */
const CHANGING = /\t| (?=[ \t\r])/g;

/**
 * SHA-256 of the body of a message in canonical form, while its bytes stream by: `bh=` of DKIM and ARC. The body begins
 * behind the empty line that ends the header; only CRLF ends a line. Memory: 16 KiB, whatever the body holds.
 */
export class BodyHash {
  readonly #relaxed: boolean;
  #hash: Hash | null = null;
  readonly #collected = spare.pop() ?? Buffer.allocUnsafeSlow(COLLECTED);
  #used = 0;
  /** Canonical bytes that may still be hashed. */
  #left: number;
  #length = 0;
  /** CRLFs that count only if something follows them. */
  #lineEnds = 0;
  /** Relaxed: blanks that count, as one, if something follows them on their line. */
  #blank = false;
  /** A CR that may be half a CRLF. */
  #cr = false;

  /** `limit`: the `l=` of a signature; only so many canonical bytes are hashed. */
  constructor(canonicalization: BodyCanonicalization, limit: number = Infinity) {
    this.#relaxed = canonicalization === 'relaxed';
    this.#left = limit;
  }

  /** The next bytes of the body. */
  write(bytes: Buffer): void {
    // Line ends and blanks at the end may turn out to be the end of the body, or of a line.
    let end = bytes.length;
    while (end > 0 && this.#mayVanish(bytes[end - 1] as number)) end--;
    let at = 0;
    if (this.#cr || this.#lineEnds > 0 || this.#blank) at = this.#tokens(bytes, 0, end);
    if (at < end) {
      if (this.#relaxed) this.#relax(bytes, at, end);
      else this.#emit(bytes, at, end);
      at = end;
    }
    this.#tokens(bytes, at, bytes.length);
  }

  /** The body is over: asked for once. */
  digest(): BodyDigest {
    if (this.#cr) this.#content(CRLF, 0, 1);
    // What is not empty ends with one CRLF; an empty body is a CRLF (simple, 3.4.3) or nothing (relaxed, 3.4.4).
    if (this.#length > 0 || !this.#relaxed) this.#emit(CRLF, 0, 2);
    const rest = this.#collected.subarray(0, this.#used);
    const sha256 = this.#hash === null ? hash('sha256', rest, 'buffer') : this.#hash.update(rest).digest();
    if (spare.length < MAX_SPARE) spare.push(this.#collected);
    return { sha256, length: this.#length };
  }

  #mayVanish(byte: number): boolean {
    return byte === LF || byte === CR || (this.#relaxed && (byte === SPACE || byte === TAB));
  }

  /** Takes line ends and blanks up to `end`, or up to the first byte of something else; gives the offset of that. */
  #tokens(bytes: Buffer, start: number, end: number): number {
    for (let at = start; at < end; at++) {
      const byte = bytes[at] as number;
      if (this.#cr) {
        this.#cr = false;
        if (byte === LF) {
          this.#lineEnds++;
          this.#blank = false;
          continue;
        }
        this.#content(CRLF, 0, 1);
      }
      if (byte === CR) this.#cr = true;
      else if (this.#relaxed && (byte === SPACE || byte === TAB)) this.#blank = true;
      else if (byte === LF) this.#content(bytes, at, at + 1);
      else {
        this.#content(bytes, at, at);
        return at;
      }
    }
    return end;
  }

  /** Something follows: what waited for it counts. */
  #content(bytes: Buffer, start: number, end: number): void {
    this.#cr = false;
    while (this.#lineEnds > 0) {
      const lines = Math.min(this.#lineEnds, EMPTY_LINES.length / 2);
      this.#emit(EMPTY_LINES, 0, lines * 2);
      this.#lineEnds -= lines;
    }
    if (this.#blank) this.#emit(ONE_SPACE, 0, 1);
    this.#blank = false;
    this.#emit(bytes, start, end);
  }

  /** Bytes that end with none that may vanish: blanks at line ends go, runs of blanks become one. */
  #relax(bytes: Buffer, start: number, end: number): void {
    // As a string, since nothing finds the few blanks that matter as fast as a compiled pattern.
    const text = bytes.toString('latin1', start, end);
    let from = start;
    CHANGING.lastIndex = 0;
    while (CHANGING.test(text)) {
      const first = start + CHANGING.lastIndex - 1;
      let at = first + 1;
      while (bytes[at] === SPACE || bytes[at] === TAB) at++;
      const endsLine = bytes[at] === CR && bytes[at + 1] === LF;
      // One space before a CR alone.
      if (!endsLine && at - first === 1 && bytes[first] === SPACE) continue;
      this.#emit(bytes, from, first);
      if (!endsLine) this.#emit(ONE_SPACE, 0, 1);
      from = at;
      CHANGING.lastIndex = at - start;
    }
    this.#emit(bytes, from, end);
  }

  /** Canonical bytes. */
  #emit(bytes: Buffer, start: number, end: number): void {
    this.#length += end - start;
    let stop = end;
    if (end - start > this.#left) stop = start + this.#left;
    this.#left -= stop - start;
    if (stop === start) return;
    if (this.#used + stop - start > COLLECTED) {
      this.#hash ??= createHash('sha256');
      this.#hash.update(this.#collected.subarray(0, this.#used));
      this.#used = 0;
    }
    if (stop - start > COLLECTED / 2) {
      this.#hash ??= createHash('sha256');
      if (this.#used > 0) this.#hash.update(this.#collected.subarray(0, this.#used));
      this.#used = 0;
      this.#hash.update(bytes.subarray(start, stop));
      return;
    }
    bytes.copy(this.#collected, this.#used, start, stop);
    this.#used += stop - start;
  }
}
