import { crc32, deflateRawSync } from 'node:zlib';

/** One entry of a zip to be written; whatever is not given is what an honest packer writes. */
export interface ZipWish {
  /** A string is written as UTF-8. */
  readonly name: string | Buffer;
  readonly data?: Buffer | string;
  readonly method?: 'stored' | 'deflated';
  /** A number for a method that nothing here packs by: `data` is stored as it is. */
  readonly methodNumber?: number;
  /** Set in both flags words, besides those that follow from the rest: 1 encrypted, 0x800 UTF-8, … */
  readonly flags?: number;
  /** Sizes and CRC behind the data, zeros in the local header. */
  readonly descriptor?: boolean | 'unsigned';
  readonly zip64?: boolean;
  /** Extra field of both headers. */
  readonly extra?: Buffer;
  /** What the local header says instead; `null`: there is no local header, and no data. */
  readonly local?: {
    readonly name?: string | Buffer;
    readonly size?: number;
    readonly packed?: number;
  } | null;
  /** What the directory says instead; `null`: it is not listed. */
  readonly central?: {
    readonly name?: string | Buffer;
    readonly size?: number;
    readonly packed?: number;
    readonly offset?: number;
    readonly crc?: number;
  } | null;
}

export interface ZipOptions {
  /** In front of everything; offsets are from its end unless `absolute`. */
  readonly before?: Buffer;
  readonly absolute?: boolean;
  readonly comment?: Buffer;
  /** End record and locator of zip64. */
  readonly zip64?: boolean;
  /** What the end record says instead. */
  readonly end?: {
    readonly entries?: number;
    readonly size?: number;
    readonly offset?: number;
    readonly disk?: number;
  };
  /** Without directory and end record. */
  readonly headless?: boolean;
}

/** A zip file (PKWARE APPNOTE 6.3.10), honest or not. */
export function zip(entries: readonly ZipWish[], options: ZipOptions = {}): Buffer {
  const before = options.before ?? Buffer.alloc(0);
  const base = options.absolute === true ? before.length : 0;
  const files: Buffer[] = [];
  const directory: Buffer[] = [];
  let at = 0;
  for (const entry of entries) {
    const { file, central } = record(entry, base + at);
    files.push(file);
    directory.push(central);
    at += file.length;
  }
  if (options.headless === true) return Buffer.concat([before, ...files]);
  const size = directory.reduce((sum, one) => sum + one.length, 0);
  const listed = directory.filter(one => one.length > 0).length;
  return Buffer.concat([before, ...files, ...directory, ...ends(listed, size, base + at, options)]);
}

function record(entry: ZipWish, offset: number): { readonly file: Buffer; readonly central: Buffer } {
  const data = bytes(entry.data ?? '');
  const deflated = entry.method === 'deflated';
  const packed = deflated ? deflateRawSync(data) : data;
  const method = entry.methodNumber ?? (deflated ? 8 : 0);
  const late = entry.descriptor !== undefined && entry.descriptor !== false;
  const flags = (entry.flags ?? 0) | (late ? 8 : 0);
  const crc = crc32(data);
  const local = entry.local ?? {};
  const sizes = { size: local.size ?? data.length, packed: local.packed ?? packed.length };
  const localPart = header(entry, bytes(local.name ?? entry.name), [
    [entry.zip64 === true ? 45 : 20, flags, method],
    late ? { crc: 0, size: 0, packed: 0 } : { crc, ...sizes },
  ]);
  const descriptor = Buffer.alloc(late ? 16 : 0);
  if (late) {
    descriptor.writeUInt32LE(0x08074b50, 0);
    descriptor.writeUInt32LE(crc, 4);
    descriptor.writeUInt32LE(packed.length, 8);
    descriptor.writeUInt32LE(data.length, 12);
  }
  const tail = entry.descriptor === 'unsigned' ? descriptor.subarray(4) : descriptor;
  const file = entry.local === null ? [] : [localPart, packed, tail];
  if (entry.central === null) return { file: Buffer.concat(file), central: Buffer.alloc(0) };
  const wish = entry.central ?? {};
  const central = header(
    entry,
    bytes(wish.name ?? entry.name),
    [
      [entry.zip64 === true ? 45 : 20, flags, method],
      { crc: wish.crc ?? crc, size: wish.size ?? data.length, packed: wish.packed ?? packed.length },
    ],
    wish.offset ?? offset,
  );
  return { file: Buffer.concat(file), central };
}

/** A local header, or with an offset one of the directory. */
function header(
  entry: ZipWish,
  name: Buffer,
  [[version, flags, method], sums]: [
    [number, number, number],
    { readonly crc: number; readonly size: number; readonly packed: number },
  ],
  offset?: number,
): Buffer {
  const central = offset !== undefined;
  const large = entry.zip64 === true && !(sums.size === 0 && sums.packed === 0);
  const zip64 = Buffer.alloc(large ? (central ? 28 : 20) : 0);
  if (large) {
    zip64.writeUInt16LE(1, 0);
    zip64.writeUInt16LE(zip64.length - 4, 2);
    zip64.writeBigUInt64LE(BigInt(sums.size), 4);
    zip64.writeBigUInt64LE(BigInt(sums.packed), 12);
    if (central) zip64.writeBigUInt64LE(BigInt(offset), 20);
  }
  const extra = Buffer.concat([zip64, entry.extra ?? Buffer.alloc(0)]);
  const fixed = Buffer.alloc(central ? 46 : 30);
  fixed.writeUInt32LE(central ? 0x02014b50 : 0x04034b50, 0);
  if (central) fixed.writeUInt16LE(version, 4);
  const i = central ? 8 : 6;
  fixed.writeUInt16LE(version, i - 2);
  fixed.writeUInt16LE(flags, i);
  fixed.writeUInt16LE(method, i + 2);
  fixed.writeUInt32LE(sums.crc, i + 8);
  fixed.writeUInt32LE(large ? 0xffffffff : sums.packed, i + 12);
  fixed.writeUInt32LE(large ? 0xffffffff : sums.size, i + 16);
  fixed.writeUInt16LE(name.length, i + 20);
  fixed.writeUInt16LE(extra.length, i + 22);
  if (central) fixed.writeUInt32LE(large ? 0xffffffff : offset, 42);
  return Buffer.concat([fixed, name, extra]);
}

function ends(entries: number, size: number, offset: number, options: ZipOptions): Buffer[] {
  const comment = options.comment ?? Buffer.alloc(0);
  const all: Buffer[] = [];
  const said = { entries, size, offset, disk: 0, ...options.end };
  if (options.zip64 === true) {
    const large = Buffer.alloc(56 + 20);
    large.writeUInt32LE(0x06064b50, 0);
    large.writeBigUInt64LE(44n, 4);
    large.writeBigUInt64LE(BigInt(said.entries), 24);
    large.writeBigUInt64LE(BigInt(said.entries), 32);
    large.writeBigUInt64LE(BigInt(said.size), 40);
    large.writeBigUInt64LE(BigInt(said.offset), 48);
    large.writeUInt32LE(0x07064b50, 56);
    large.writeBigUInt64LE(BigInt(offset + size), 64);
    large.writeUInt32LE(1, 72);
    all.push(large);
  }
  const end = Buffer.alloc(22);
  const full = options.zip64 === true;
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(said.disk, 4);
  end.writeUInt16LE(full ? 0xffff : said.entries, 8);
  end.writeUInt16LE(full ? 0xffff : said.entries, 10);
  end.writeUInt32LE(full ? 0xffffffff : said.size, 12);
  end.writeUInt32LE(full ? 0xffffffff : said.offset, 16);
  end.writeUInt16LE(comment.length, 20);
  all.push(end, comment);
  return all;
}

function bytes(data: string | Buffer): Buffer {
  return typeof data === 'string' ? Buffer.from(data, 'utf8') : data;
}
