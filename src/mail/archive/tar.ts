import type { FileName } from '../../model/mime.ts';
import type { ArchiveBytes } from './collected-bytes.ts';
import { entryNames, mergedNames } from './entry-names.ts';
import { stored } from './inflate.ts';
import type { ArchiveContents, ArchiveContext } from './unpack.ts';
import { LEADING_BYTES, lookInto, nothingFound } from './unpack.ts';

const BLOCK = 512;

/** Read at a time while nothing but zeros comes. Bytes. */
const WINDOW = 128 * BLOCK;
const ZEROS = Buffer.alloc(WINDOW);

/** A long name or the attributes of an entry are read up to here. Bytes. */
const ATTRIBUTES = 64 * 1024;

/** Blocks that should be headers and are none; an unpacker that goes on behind the first sees what comes later. */
const MAX_STRAYS = 1000;

const CHECKSUM_AT = 148;
const CHECKSUM_LENGTH = 8;

/** A header of tar(5). */
interface TarHeader {
  /** Byte strings. */
  readonly name: string;
  readonly kind: string;
  /** Bytes of data behind it. */
  readonly size: number;
}

/**
 * Reads a tar file: v7, ustar, GNU's long names, pax paths (POSIX.1-2017 pax, tar(5)), on behind the end mark and behind
 * damage, as `tar -i` does. Rejects when `file` cannot be read.
 */
export async function readTar(file: ArchiveBytes, context: ArchiveContext): Promise<ArchiveContents> {
  const contents = nothingFound();
  let names: FileName[] = [];
  let strays = 0;
  let at = await pastZeros(file, 0, context);
  contents.absent = at < file.size && tarHeader(await file.read(at, BLOCK)) === null;
  while (!contents.absent && at < file.size && contents.limits.size === 0) {
    await context.budget.pace();
    const header = tarHeader(await file.read(at, BLOCK));
    const dataAt = at + BLOCK;
    if (header === null) {
      contents.contradictions.add('a damaged header');
      if (++strays > MAX_STRAYS) break;
      at = await pastZeros(file, dataAt, context);
      continue;
    }
    if (dataAt + header.size > file.size) contents.contradictions.add('an entry is cut off');
    if (header.kind === 'L' || header.kind === 'x') {
      const bytes = await file.read(dataAt, Math.min(header.size, ATTRIBUTES));
      const name = header.kind === 'L' ? untilNul(bytes, 0, bytes.length) : paxPath(bytes);
      if (name !== null) names = mergedNames(names, entryNames(name));
    } else if (header.kind !== 'K' && header.kind !== 'g') {
      names = mergedNames(names, entryNames(header.name));
      await readEntry(file, dataAt, header, names, context, contents);
      names = [];
    }
    at = await pastZeros(file, dataAt + Math.ceil(header.size / BLOCK) * BLOCK, context);
  }
  return contents;
}

async function readEntry(
  file: ArchiveBytes,
  dataAt: number,
  header: TarHeader,
  names: readonly FileName[],
  context: ArchiveContext,
  contents: ArchiveContents,
): Promise<void> {
  if (!context.budget.takeEntry(names.reduce((sum, name) => sum + name.raw.length, 0))) {
    contents.limits.add('`archiveentries` entries');
    return;
  }
  const packed = Math.max(0, Math.min(header.size, file.size - dataAt));
  const leading = await file.read(dataAt, Math.min(packed, LEADING_BYTES));
  const chunks = () => stored(file, dataAt, packed);
  const hashed = context.budget.takeHashed(header.size);
  await lookInto(
    { names, leading, packed, size: header.size, crc32: null, hashed, chunks },
    context,
    contents,
  );
}

/** Where the first block from `at` on is that is not all zeros, or the end. */
async function pastZeros(file: ArchiveBytes, at: number, { budget }: ArchiveContext): Promise<number> {
  for (let from = at; from < file.size; ) {
    const bytes = await file.read(from, from === at ? BLOCK : WINDOW);
    if (!bytes.equals(ZEROS.subarray(0, bytes.length))) {
      const other = bytes.findIndex(byte => byte !== 0);
      return from + other - (other % BLOCK);
    }
    from += bytes.length;
    await budget.pace();
  }
  return file.size;
}

/** The header in `block`; null when its checksum says that it is none. */
function tarHeader(block: Buffer): TarHeader | null {
  if (block.length < BLOCK) return null;
  const sum = number(block, CHECKSUM_AT, CHECKSUM_LENGTH);
  let unsigned = 0;
  let signed = 0;
  for (let i = 0; i < BLOCK; i++) {
    const inSum = i >= CHECKSUM_AT && i < CHECKSUM_AT + CHECKSUM_LENGTH;
    const byte = inSum ? 0x20 : (block[i] ?? 0);
    unsigned += byte;
    // Some old tars added chars, which were signed.
    signed += byte > 0x7f ? byte - 0x100 : byte;
  }
  const size = number(block, 124, 12);
  if ((sum !== unsigned && sum !== signed) || size === null) return null;
  const posix = block.toString('latin1', 257, 263) === 'ustar\0';
  const prefix = posix ? untilNul(block, 345, 500) : '';
  const name = untilNul(block, 0, 100);
  const kind = block.toString('latin1', 156, 157);
  // Links, devices and folders have no data, whatever their size says (tar(5)).
  const empty = kind >= '1' && kind <= '6';
  return { name: prefix === '' ? name : `${prefix}/${name}`, kind, size: empty ? 0 : size };
}

/** Octal digits, or with the first bit set a binary number (GNU); null when it is neither. */
function number(block: Buffer, at: number, length: number): number | null {
  const first = block[at] ?? 0;
  if (first >= 0x80) {
    let value = first & 0x3f;
    for (let i = at + 1; i < at + length; i++) value = value * 256 + (block[i] ?? 0);
    return first === 0x80 ? value : null;
  }
  const digits = /^ *([0-7]*)[ \0]*$/.exec(
    block.toString('latin1', at, at + length).replace(/\0[\s\S]*$/, ''),
  );
  return digits === null ? null : Number.parseInt(`0${digits[1] ?? ''}`, 8);
}

function untilNul(bytes: Buffer, from: number, to: number): string {
  const text = bytes.toString('latin1', from, to);
  const nul = text.indexOf('\0');
  return nul < 0 ? text : text.slice(0, nul);
}

/** The `path` of extended attributes, `LENGTH path=VALUE\n`, the last of several; null when there is none. */
function paxPath(bytes: Buffer): string | null {
  let path: string | null = null;
  for (let at = 0; at < bytes.length; ) {
    const blank = bytes.indexOf(0x20, at);
    const length = blank < 0 ? 0 : Number(bytes.toString('latin1', at, Math.min(blank, at + 8)));
    if (!Number.isInteger(length) || length <= blank - at) break;
    const text = bytes.toString('latin1', blank + 1, at + length);
    if (text.startsWith('path=')) path = text.slice(5).replace(/\n$/, '');
    at += length;
  }
  return path;
}
