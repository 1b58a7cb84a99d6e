import { createHash, hash } from 'node:crypto';
import type { Hash } from 'node:crypto';
import type { FileHead, PartConsumer } from './consumer.ts';
import { fileType, magicAnomaly } from './file-type.ts';
import type { PartNode } from './part-node.ts';
import type { Reading } from './reading.ts';
import { openDecoder } from './transfer-decoders.ts';
import type { Decoder } from './decoder.ts';
import type { Coding } from './transfer-decoders.ts';

/** Takes the bytes of a body as they stand, in order; they are overwritten after the call. */
export interface BodySink {
  write(bytes: Buffer): void;
  end(): void;
}

/** The beginning of a file, kept until it is known what the file is. */
const HEAD_BYTES = 8192;

/** What its type is told by. */
const LEADING_BYTES = 512;

const CR = 13;
const LF = 10;

/** Beginnings that are not in use. */
const spareHeads: Buffer[] = [];
const MAX_SPARE = 16;

/** The body of a leaf under one encoding: decoded, measured, hashed, and shown to who wants to look inside. */
export class PartLeaf implements BodySink {
  readonly #reading: Reading;
  readonly #node: PartNode;
  readonly #coding: Coding;
  readonly #decoder: Decoder | null;
  #head: Buffer | null;
  #headLength = 0;
  #hash: Hash | null = null;
  #consumer: PartConsumer | null = null;
  /** Its line ends are those of the transport, not of the file: it is hashed with LF. */
  readonly #text: boolean;
  #heldCr = false;

  constructor(reading: Reading, node: PartNode, coding: Coding) {
    this.#reading = reading;
    this.#node = node;
    this.#coding = coding;
    this.#text = coding !== 'base64' && node.description.type.startsWith('text/');
    this.#decoder = openDecoder(coding, bytes => this.#decoded(bytes), reading.stopsAtPadding, false);
    this.#head = spareHeads.pop() ?? Buffer.allocUnsafeSlow(HEAD_BYTES);
  }

  write(bytes: Buffer): void {
    if (this.#decoder === null) this.#decoded(bytes);
    else this.#decoder.write(bytes);
  }

  end(): void {
    this.#decoder?.end();
    const node = this.#node;
    if (this.#hash === null) {
      const whole = this.#takeHead();
      node.sha256 = hash('sha256', this.#text ? withLf(whole) : whole, 'hex');
      this.#open(whole);
    } else {
      if (this.#heldCr) this.#hash.update('\r');
      node.sha256 = this.#hash.digest('hex');
    }
    if (this.#consumer !== null) this.#reading.finish(this.#consumer, node);
    if (this.#decoder !== null) this.#reading.noteCoding(this.#decoder, this.#coding, node.place);
  }

  #decoded(bytes: Buffer): void {
    this.#node.size += bytes.length;
    if (this.#head !== null) {
      if (this.#headLength + bytes.length <= HEAD_BYTES) {
        bytes.copy(this.#head, this.#headLength);
        this.#headLength += bytes.length;
        return;
      }
      const head = this.#takeHead();
      this.#hash = createHash('sha256');
      this.#digest(head);
      // The type may need bytes that are only in the next piece.
      this.#open(head.length >= LEADING_BYTES ? head : Buffer.concat([head, bytes]), head);
    }
    this.#digest(bytes);
    this.#consumer?.write(bytes);
  }

  #digest(bytes: Buffer): void {
    if (this.#hash === null) return;
    if (!this.#text) {
      this.#hash.update(bytes);
      return;
    }
    if (this.#heldCr && bytes[0] !== LF) this.#hash.update('\r');
    this.#heldCr = bytes[bytes.length - 1] === CR;
    this.#hash.update(withLf(this.#heldCr ? bytes.subarray(0, -1) : bytes));
  }

  /** What was kept; good until somebody else keeps something. */
  #takeHead(): Buffer {
    const head = this.#head as Buffer;
    this.#head = null;
    if (spareHeads.length < MAX_SPARE) spareHeads.push(head);
    return head.subarray(0, this.#headLength);
  }

  #open(bytes: Buffer, kept = bytes): void {
    const node = this.#node;
    const leading = bytes.subarray(0, LEADING_BYTES);
    const { names, types, type, encoding } = node.description;
    if (bytes.length > 0) {
      node.magic = fileType(leading);
      if (node.magic !== null) {
        const odd = magicAnomaly(node.magic, names, type);
        if (odd !== null) this.#reading.note(odd.rule, node.place, odd.detail);
      }
    }
    this.#consumer = this.#reading.open({
      names,
      types: encoding.includes('uu') ? [...types, 'text/plain'] : types,
      leading,
      magic: node.magic,
      place: node.place,
    });
    if (kept.length > 0) this.#consumer?.write(kept);
  }
}

/** What text without a header of its own is. */
const TEXT: Omit<FileHead, 'place'> = {
  names: [],
  types: ['text/plain'],
  leading: Buffer.alloc(0),
  magic: null,
};

/** The text of a multipart outside its parts: some readers look for uuencoded files there. */
export class TextAroundParts implements BodySink {
  readonly #reading: Reading;
  readonly #node: PartNode;
  #consumer: PartConsumer | null = null;

  constructor(reading: Reading, node: PartNode) {
    this.#reading = reading;
    this.#node = node;
  }

  write(bytes: Buffer): void {
    if (bytes.length === 0) return;
    this.#consumer ??= this.#reading.open({ ...TEXT, place: this.#node.place });
    this.#consumer?.write(bytes);
  }

  end(): void {
    if (this.#consumer !== null) this.#reading.finish(this.#consumer, this.#node);
  }
}

/** Where text gets its line ends: what is made here is hashed at once. */
const scratch = Buffer.allocUnsafeSlow(64 * 1024);

/** With CRLF turned into LF; good until the next call. */
function withLf(bytes: Buffer): Buffer {
  let from = 0;
  let length = 0;
  let out: Buffer | null = null;
  for (let cr = bytes.indexOf(CR); cr >= 0; cr = bytes.indexOf(CR, cr + 1)) {
    if (bytes[cr + 1] !== LF) continue;
    out ??= bytes.length <= scratch.length ? scratch : Buffer.allocUnsafe(bytes.length);
    length += bytes.copy(out, length, from, cr);
    from = cr + 1;
  }
  if (out === null) return bytes;
  length += bytes.copy(out, length, from);
  return out.subarray(0, length);
}
