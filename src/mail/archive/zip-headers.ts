/**
 * The records of a zip file (PKWARE APPNOTE 6.3.10, section 4.3), each read from bytes that someone hostile wrote.
 * Positions are bytes from the beginning of the file.
 */

export const LOCAL = Buffer.from('PK\x03\x04', 'latin1');
export const CENTRAL = Buffer.from('PK\x01\x02', 'latin1');
export const END = Buffer.from('PK\x05\x06', 'latin1');
const END_64 = 0x06064b50;
const END_64_LOCATOR = 0x07064b50;
const DESCRIPTOR = 0x08074b50;

export const LOCAL_LENGTH = 30;
export const CENTRAL_LENGTH = 46;
export const END_LENGTH = 22;
/** Locator and record of zip64, without the record's extensible part. */
export const LOCATOR_LENGTH = 20;
export const END_64_LENGTH = 56;
/** With and without signature, 4- and 8-byte sizes: no data descriptor is longer. */
export const DESCRIPTOR_LENGTH = 24;
/** The longest record there can be: a central header with name, extra field and comment of 65535 bytes each. */
export const LONGEST_RECORD = CENTRAL_LENGTH + 3 * 0xffff;

const FLAG_ENCRYPTED = 0x0001;
const FLAG_DESCRIPTOR = 0x0008;
const FLAG_STRONG = 0x0040;
const FLAG_MASKED = 0x2000;
const METHOD_AES = 99;

const EXTRA_ZIP64 = 0x0001;
const EXTRA_UNICODE_PATH = 0x7075;

/** What a local header says of an entry. */
export interface LocalHeader {
  readonly at: number;
  /** Bytes, name and extra field included: the data begins behind it. */
  readonly length: number;
  readonly method: number;
  readonly crc32: number;
  readonly packed: number;
  readonly size: number;
  /** A byte string. */
  readonly name: string;
  /** The name of the Unicode path extra field (APPNOTE 4.6.9), a byte string, UTF-8. */
  readonly unicode: string | null;
  readonly encrypted: boolean;
  /** Sizes and CRC follow the data; here they may be 0. */
  readonly descriptor: boolean;
}

/** What the central directory says of an entry. */
export interface CentralHeader extends LocalHeader {
  /** Where its local header is, from the beginning of the zip, which may not be that of the file. */
  readonly offset: number;
}

/** An end of central directory record. */
export interface EndRecord {
  readonly at: number;
  /** Its comment, were it all there, ends here. */
  readonly end: number;
  readonly disk: number;
  readonly entries: number;
  readonly directorySize: number;
  readonly directoryOffset: number;
}

/** The local header at `i` of `bytes`, which stands at `at` in the file; null when there is none, or not all of it. */
export function localHeader(bytes: Buffer, i: number, at: number): LocalHeader | null {
  if (bytes.length - i < LOCAL_LENGTH || bytes.readUInt32LE(i) !== LOCAL.readUInt32LE(0)) return null;
  const nameLength = bytes.readUInt16LE(i + 26);
  const length = LOCAL_LENGTH + nameLength + bytes.readUInt16LE(i + 28);
  if (bytes.length - i < length) return null;
  return fields(bytes, i + 6, i + LOCAL_LENGTH, nameLength, i + length, { at, length });
}

/** How long the local header at `i` of `bytes` is, of which 30 bytes must be there. */
export function localHeaderLength(bytes: Buffer, i: number): number {
  return LOCAL_LENGTH + bytes.readUInt16LE(i + 26) + bytes.readUInt16LE(i + 28);
}

/** The same for a header of the central directory. */
export function centralHeader(bytes: Buffer, i: number, at: number): CentralHeader | null {
  if (bytes.length - i < CENTRAL_LENGTH || bytes.readUInt32LE(i) !== CENTRAL.readUInt32LE(0)) return null;
  const nameLength = bytes.readUInt16LE(i + 28);
  const extraEnd = CENTRAL_LENGTH + nameLength + bytes.readUInt16LE(i + 30);
  const length = extraEnd + bytes.readUInt16LE(i + 32);
  if (bytes.length - i < length) return null;
  const offset = bytes.readUInt32LE(i + 42);
  return fields(bytes, i + 8, i + CENTRAL_LENGTH, nameLength, i + extraEnd, { at, length, offset });
}

/** The end record at `i` of `bytes`; null when there is none, or not all of it. */
export function endRecord(bytes: Buffer, i: number, at: number): EndRecord | null {
  if (bytes.length - i < END_LENGTH || bytes.readUInt32LE(i) !== END.readUInt32LE(0)) return null;
  return {
    at,
    end: at + END_LENGTH + bytes.readUInt16LE(i + 20),
    disk: bytes.readUInt16LE(i + 4),
    entries: bytes.readUInt16LE(i + 10),
    directorySize: bytes.readUInt32LE(i + 12),
    directoryOffset: bytes.readUInt32LE(i + 16),
  };
}

/** Where the zip64 locator in `bytes` says the zip64 end record is; null when it is none. */
export function zip64RecordOffset(bytes: Buffer): number | null {
  if (bytes.length < LOCATOR_LENGTH || bytes.readUInt32LE(0) !== END_64_LOCATOR) return null;
  return uint64(bytes, 8);
}

/** The zip64 end record in `bytes`, in place of the one at `end`; null when it is none. */
export function zip64EndRecord(bytes: Buffer, end: EndRecord): EndRecord | null {
  if (bytes.length < END_64_LENGTH || bytes.readUInt32LE(0) !== END_64) return null;
  return {
    ...end,
    disk: bytes.readUInt32LE(16),
    entries: uint64(bytes, 32),
    directorySize: uint64(bytes, 40),
    directoryOffset: uint64(bytes, 48),
  };
}

/** Whether `bytes` begin with a data descriptor for `packed` bytes, in any of its four forms (APPNOTE 4.3.9). */
export function isDescriptor(bytes: Buffer, packed: number): boolean {
  const signed = bytes.length >= 4 && bytes.readUInt32LE(0) === DESCRIPTOR;
  for (const at of signed ? [8, 4] : [4]) {
    if (bytes.length >= at + 8 && bytes.readUInt32LE(at) === packed) return true;
  }
  return false;
}

/** The fields that both headers have in the same order, from the flags at `i` on. */
function fields<P extends { at: number; length: number; offset?: number }>(
  bytes: Buffer,
  i: number,
  nameAt: number,
  nameLength: number,
  extraEnd: number,
  place: P,
): LocalHeader & P {
  const flags = bytes.readUInt16LE(i);
  const method = bytes.readUInt16LE(i + 2);
  const extra = bytes.subarray(nameAt + nameLength, extraEnd);
  const size = bytes.readUInt32LE(i + 16);
  const packed = bytes.readUInt32LE(i + 12);
  const sizes = zip64Values(extraField(extra, EXTRA_ZIP64), [size, packed, place.offset ?? 0]);
  const path = extraField(extra, EXTRA_UNICODE_PATH);
  return {
    ...place,
    ...(place.offset === undefined ? {} : { offset: sizes[2] ?? place.offset }),
    method,
    crc32: bytes.readUInt32LE(i + 8),
    size: sizes[0] ?? size,
    packed: sizes[1] ?? packed,
    name: bytes.toString('latin1', nameAt, nameAt + nameLength),
    // Version 1 and a CRC of the plain name stand in front; unpackers differ in whether they look at that.
    unicode: path !== null && path.length > 5 ? path.toString('latin1', 5) : null,
    encrypted: (flags & (FLAG_ENCRYPTED | FLAG_STRONG | FLAG_MASKED)) !== 0 || method === METHOD_AES,
    descriptor: (flags & FLAG_DESCRIPTOR) !== 0,
  };
}

/** The value of the first field of that kind (APPNOTE 4.5.1); null when there is none. */
function extraField(extra: Buffer, kind: number): Buffer | null {
  for (let i = 0; i + 4 <= extra.length; ) {
    const end = i + 4 + extra.readUInt16LE(i + 2);
    if (extra.readUInt16LE(i) === kind) return extra.subarray(i + 4, end);
    i = end;
  }
  return null;
}

/** Each 4-byte value that is all ones stands in the extra field, in order (APPNOTE 4.5.3). */
function zip64Values(extra: Buffer | null, values: readonly number[]): number[] {
  let at = 0;
  return values.map(value => {
    if (value !== 0xffffffff || extra === null || extra.length < at + 8) return value;
    at += 8;
    return uint64(extra, at - 8);
  });
}

/** Beyond 2^53 nothing is a place or a size that could be true, and the nearest number does. */
function uint64(bytes: Buffer, at: number): number {
  return Number(bytes.readBigUInt64LE(at));
}
