import type { HeaderField, HeaderFields } from '../mail/header.ts';
import type { Message } from '../model/message.ts';
import { BodyOf } from './body-digests.ts';

/** How header and body are brought into canonical form before they are hashed (RFC 4870 3.4.2). */
export type DomainKeysCanonicalization = 'simple' | 'nofws';

/** A message whose body can be read, as often as needed. */
export type DomainKeysMessage = Pick<Message, 'header' | 'headerCut' | 'chunks'>;

const SPACE = 0x20;
const TAB = 0x09;
const CR = 13;
const LF = 10;

/** Bytes that are collected before they are handed over: few calls of a hash cost less than many. */
const COLLECTED = 16 * 1024;

/**
 * A message in canonical form while its bytes stream by: fields, then the body, then `end`. Hands the canonical bytes to
 * `sink`, in a buffer that is used again afterwards. Memory: 16 KiB, whatever the message holds.
 *
 * CRLFs are held back until something follows them, since those at the end do not count; exactly one ends the data. A CR
 * without LF stays (simple) or goes (nofws).
 */
export class DomainKeysCanonicalizer {
  readonly #nofws: boolean;
  readonly #sink: (bytes: Buffer) => void;
  readonly #collected = Buffer.allocUnsafe(COLLECTED);
  #used = 0;
  /** CRLFs that count only if something follows them. */
  #lineEnds = 0;
  /** A CR that may be half a CRLF. */
  #cr = false;
  #inBody = false;
  #strayLineFeed = false;

  constructor(canonicalization: DomainKeysCanonicalization, sink: (bytes: Buffer) => void) {
    this.#nofws = canonicalization === 'nofws';
    this.#sink = sink;
  }

  /** There was an LF without CR in the body so far. */
  get strayLineFeed(): boolean {
    return this.#strayLineFeed;
  }

  /** The next field of the header, folded as it came, with its final CRLF or without. */
  field(bytes: Buffer): void {
    const { length } = bytes;
    const content = bytes[length - 2] === CR && bytes[length - 1] === LF ? length - 2 : length;
    if (this.#nofws) this.#unfolded(bytes, content);
    else this.#take(bytes, content);
    this.#settleCr();
    this.#lineEnds++;
  }

  /** The next bytes of the body, which begins behind the empty line. */
  body(bytes: Buffer): void {
    if (!this.#inBody) this.#lineEnds++;
    this.#inBody = true;
    this.#take(bytes, bytes.length);
  }

  /** The message is over. */
  end(): void {
    this.#settleCr();
    this.#put(CR);
    this.#put(LF);
    this.#flush();
  }

  /** A field on one line, without any blank. */
  #unfolded(bytes: Buffer, end: number): void {
    for (let i = 0; i < end; i++) {
      const byte = bytes[i] as number;
      if (byte !== SPACE && byte !== TAB && byte !== CR && byte !== LF) this.#content(byte);
    }
  }

  #take(bytes: Buffer, end: number): void {
    let at = 0;
    while (at < end) {
      if (!this.#cr && this.#lineEnds === 0) at = this.#copy(bytes, at, end);
      if (at === end) return;
      const byte = bytes[at++] as number;
      if (this.#cr && byte === LF) {
        this.#cr = false;
        this.#lineEnds++;
        continue;
      }
      if (this.#cr) this.#settleCr();
      if (byte === CR) this.#cr = true;
      else if (byte === LF) {
        this.#strayLineFeed = true;
        this.#content(byte);
      } else if (!this.#nofws || (byte !== SPACE && byte !== TAB)) this.#content(byte);
    }
  }

  /** Takes what follows on the same line; gives the offset of the CR or LF. */
  #copy(bytes: Buffer, start: number, end: number): number {
    const collected = this.#collected;
    const nofws = this.#nofws;
    let used = this.#used;
    let at = start;
    for (; at < end; at++) {
      const byte = bytes[at] as number;
      if (byte <= SPACE) {
        if (byte === CR || byte === LF) break;
        if (nofws && (byte === SPACE || byte === TAB)) continue;
      }
      if (used === COLLECTED) {
        this.#used = used;
        this.#flush();
        used = 0;
      }
      collected[used++] = byte;
    }
    this.#used = used;
    return at;
  }

  /** The CR that waited is none of a CRLF. */
  #settleCr(): void {
    if (!this.#cr) return;
    this.#cr = false;
    if (!this.#nofws) this.#content(CR);
  }

  /** A byte that counts, and with it the CRLFs before it. */
  #content(byte: number): void {
    for (; this.#lineEnds > 0; this.#lineEnds--) {
      this.#put(CR);
      this.#put(LF);
    }
    this.#put(byte);
  }

  #put(byte: number): void {
    if (this.#used === COLLECTED) this.#flush();
    this.#collected[this.#used++] = byte;
  }

  #flush(): void {
    this.#sink(this.#collected.subarray(0, this.#used));
    this.#used = 0;
  }
}

/**
 * Brings `fields` of a header and the body of a message into canonical form. False: an LF without CR stands in them or in the
 * rest of the header, so that it is no message that could be signed. Rejects when the message cannot be read.
 */
export async function canonicalize(
  canonicalizer: DomainKeysCanonicalizer,
  header: HeaderFields,
  fields: readonly HeaderField[],
  message: DomainKeysMessage,
): Promise<boolean> {
  if (hasStrayLineFeed(header.block)) return false;
  for (const { start, end } of fields) canonicalizer.field(header.block.subarray(start, end));
  const body = new BodyOf(message);
  for await (const chunk of message.chunks()) canonicalizer.body(body.part(chunk));
  canonicalizer.end();
  return !canonicalizer.strayLineFeed;
}

function hasStrayLineFeed(block: Buffer): boolean {
  for (let at = block.indexOf(LF); at >= 0; at = block.indexOf(LF, at + 1))
    if (block[at - 1] !== CR) return true;
  return false;
}
