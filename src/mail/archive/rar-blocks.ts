import { crc32 } from 'node:zlib';

/**
 * The blocks of RAR files: versions 1.5 to 4 as in technote.txt of RAR 4.20, version 5 as in "RAR 5.0 archive format"
 * (rarlab.com). Each function reads bytes that someone hostile wrote.
 */

export const SIGNATURE_4 = Buffer.from('Rar!\x1a\x07\0', 'latin1');
export const SIGNATURE_5 = Buffer.from('Rar!\x1a\x07\x01\0', 'latin1');

/** A header of RAR 4 gives its length in 16 bits; of RAR 5 it may have 2 MiB, none of it with a name that long. */
export const LONGEST_BLOCK = 64 * 1024;

/** A file, or a folder, in the archive. */
export interface RarEntry {
  /** A byte string. */
  readonly name: string;
  /** The name in Unicode beside it, a byte string, UTF-8. */
  readonly unicode: string | null;
  /** Bytes, unpacked; null when not known. */
  readonly size: number | null;
  readonly stored: boolean;
  readonly encrypted: boolean;
}

export interface RarBlock {
  /** Bytes of the header, and of the data behind it. */
  readonly length: number;
  readonly packed: number;
  /** Its checksum is right. */
  readonly intact: boolean;
  readonly entry: RarEntry | null;
  /** The archive, or this entry, goes on in another file. */
  readonly split: boolean;
  /** All headers behind this one are encrypted. */
  readonly namesHidden: boolean;
  readonly last: boolean;
}

const RAR4_ARCHIVE = 0x73;
const RAR4_FILE = 0x74;
const RAR4_END = 0x7b;

/** The block of RAR 1.5 to 4 that `bytes` begin with; null when it is none, or not all there. */
export function rar4Block(bytes: Buffer): RarBlock | null {
  const fixed = 7;
  if (bytes.length < fixed) return null;
  const kind = bytes.readUInt8(2);
  const flags = bytes.readUInt16LE(3);
  const length = bytes.readUInt16LE(5);
  if (length < fixed || length > bytes.length) return null;
  const header = bytes.subarray(0, length);
  const isFile = kind === RAR4_FILE;
  if ((isFile && length < 32) || ((flags & 0x8000) !== 0 && length < fixed + 4)) return null;
  const large = isFile && (flags & 0x100) !== 0 && length >= 40;
  const packed =
    (isFile || (flags & 0x8000) !== 0 ? header.readUInt32LE(7) : 0) + (large ? high(header, 32) : 0);
  return {
    length,
    packed,
    // An archive header may have a comment behind its fields that the checksum leaves out.
    intact:
      (crc32(header.subarray(2)) & 0xffff) === header.readUInt16LE(0) ||
      (kind === RAR4_ARCHIVE && (flags & 2) !== 0),
    entry: isFile ? rar4Entry(header, flags, large) : null,
    split: (kind === RAR4_ARCHIVE && (flags & 1) !== 0) || (isFile && (flags & 3) !== 0),
    namesHidden: kind === RAR4_ARCHIVE && (flags & 0x80) !== 0,
    last: kind === RAR4_END,
  };
}

function rar4Entry(header: Buffer, flags: number, large: boolean): RarEntry {
  const nameAt = large ? 40 : 32;
  const raw = header.subarray(nameAt, nameAt + header.readUInt16LE(26));
  const nul = (flags & 0x200) === 0 ? -1 : raw.indexOf(0);
  const plain = nul < 0 ? raw : raw.subarray(0, nul);
  return {
    name: plain.toString('latin1'),
    unicode: nul < 0 ? null : rar4Unicode(plain, raw.subarray(nul + 1)),
    size: header.readUInt32LE(11) + (large ? high(header, 36) : 0),
    stored: header.readUInt8(25) === 0x30,
    encrypted: (flags & 4) !== 0,
  };
}

function high(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at) * 0x1_0000_0000;
}

/** The Unicode name that `packed` makes of the plain one: two bits a step say where the next character comes from. */
function rar4Unicode(plain: Buffer, packed: Buffer): string {
  const codes: number[] = [];
  let at = 0;
  const next = () => packed[at++] ?? 0;
  const page = next() << 8;
  let flags = 0;
  for (let step = 0; at < packed.length; step++) {
    if (step % 4 === 0) flags = next();
    const kind = (flags >> (6 - 2 * (step % 4))) & 3;
    if (kind === 0) codes.push(next());
    else if (kind === 1) codes.push(page | next());
    else if (kind === 2) codes.push(next() | (next() << 8));
    else {
      const run = next();
      const shift = (run & 0x80) === 0 ? null : next();
      for (let left = (run & 0x7f) + 2; left > 0 && codes.length < plain.length; left--) {
        const byte = plain[codes.length] ?? 0;
        codes.push(shift === null ? byte : page | ((byte + shift) & 0xff));
      }
    }
  }
  const text = codes.map(code => String.fromCharCode(code)).join('');
  return Buffer.from(text, 'utf8').toString('latin1');
}

const RAR5_MAIN = 1;
const RAR5_FILE = 2;
const RAR5_ENCRYPTION = 4;
const RAR5_END = 5;
const EXTRA_ENCRYPTION = 1;
const EXTRA_REDIRECTION = 5;

/** The block of RAR 5 that `bytes` begin with; null when it is none, or not all there. */
export function rar5Block(bytes: Buffer): RarBlock | null {
  if (bytes.length < 7) return null;
  const whole = new Numbers(bytes, 4);
  const size = whole.next();
  const length = whole.at + size;
  if (size === 0 || length > bytes.length) return null;
  const header = new Numbers(bytes.subarray(0, length), whole.at);
  const kind = header.next();
  const flags = header.next();
  const extra = (flags & 1) === 0 ? 0 : header.next();
  const packed = (flags & 2) === 0 ? 0 : header.next();
  const entry =
    kind === RAR5_FILE ? rar5Entry(header, bytes.subarray(Math.max(0, length - extra), length)) : null;
  return {
    length,
    packed,
    intact: crc32(bytes.subarray(4, length)) === bytes.readUInt32LE(0) && !header.short,
    entry,
    split: (flags & 0x18) !== 0 || (kind === RAR5_MAIN && (header.next() & 1) !== 0),
    namesHidden: kind === RAR5_ENCRYPTION,
    last: kind === RAR5_END,
  };
}

function rar5Entry(header: Numbers, extra: Buffer): RarEntry {
  const flags = header.next();
  const size = header.next();
  header.next();
  header.skip(((flags & 2) === 0 ? 0 : 4) + ((flags & 4) === 0 ? 0 : 4));
  const method = (header.next() >> 7) & 7;
  header.next();
  const name = header.text(header.next());
  const records = extraRecords(extra);
  return {
    name,
    unicode: null,
    size: (flags & 8) === 0 ? size : null,
    // A link has the size of what it leads to, and no data.
    stored: method === 0 && !records.has(EXTRA_REDIRECTION),
    encrypted: records.has(EXTRA_ENCRYPTION),
  };
}

/** The kinds of the extra records of an entry. */
function extraRecords(extra: Buffer): ReadonlySet<number> {
  const kinds = new Set<number>();
  const records = new Numbers(extra, 0);
  while (records.at < extra.length) {
    const size = records.next();
    const end = records.at + size;
    kinds.add(records.next());
    if (size === 0 || records.short) break;
    records.at = end;
  }
  return kinds;
}

/** Reads the numbers of RAR 5, seven bits a byte, the lowest first; zeros where the bytes have ended. */
class Numbers {
  readonly #bytes: Buffer;
  at: number;
  /** The bytes ended before what was asked for. */
  short = false;

  constructor(bytes: Buffer, at: number) {
    this.#bytes = bytes;
    this.at = at;
  }

  /** Numbers beyond 2^53 are none that could be true, and may be wrong. */
  next(): number {
    let value = 0;
    for (let i = 0; i < 10; i++) {
      const byte = this.#bytes[this.at++];
      if (byte === undefined) {
        this.short = true;
        return 0;
      }
      value += (byte & 0x7f) * 2 ** (7 * i);
      if (byte < 0x80) return value;
    }
    return value;
  }

  skip(count: number): void {
    this.at += count;
  }

  /** `length` bytes as a byte string. */
  text(length: number): string {
    const text = this.#bytes.toString('latin1', this.at, this.at + length);
    if (text.length < length) this.short = true;
    this.at += length;
    return text;
  }
}
