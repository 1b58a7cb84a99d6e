import type { FileName } from '../../model/mime.ts';
import { EXECUTABLE_EXTENSIONS, HARMLESS_EXTENSIONS } from './extensions.ts';
import { FILE_TYPES, isProgramType, typeDescription } from './file-types.ts';
import type { MagicType } from './file-types.ts';
import { judgedNames } from './judged-names.ts';
import type { NameAnomaly } from './name-anomalies.ts';

const DASH = 0x2d;
const PDF_HEADER = Buffer.from('%PDF-');

/** Those of them that no bytes at a fixed place tell. */
const TESTS: Readonly<Record<string, (leading: Buffer) => boolean>> = {
  'application/x-dosexec': isDosProgram,
  'application/java-vm': isJavaClass,
  'application/x-bzip2': b => /^BZh[1-9](?:1AY&SY|\x17rE8P\x90)/.test(b.toString('latin1', 0, 10)),
  'application/x-lzh': b =>
    b[2] === DASH && /^-(?:lh[0-9dex]|lz[s45]|pm[0-2])-/.test(b.toString('latin1', 2, 7)),
  'application/x-arj': isArj,
  'application/x-mach-binary': isFatMachO,
  // Readers take a PDF whose header stands somewhere in the first kilobyte (ISO 32000-1, annex H 3.4.1).
  'application/pdf': b => b.includes(PDF_HEADER),
  'image/bmp': b => b.toString('latin1', 0, 2) === 'BM' && b.length > 17 && b.readUInt32LE(6) === 0,
  'text/html': b =>
    /^(?:\xef\xbb\xbf)?\s*(?:<!--|<!doctype html|<html|<head|<body|<script|<svg)/i.test(b.toString('latin1')),
};

/** First bytes without which a test cannot succeed; a test that is not here may succeed with any. */
const FIRST_BYTES: Readonly<Record<string, string>> = {
  'application/x-dosexec': 'MZ',
  'application/java-vm': '\xca',
  'application/x-bzip2': 'B',
  'application/x-arj': '\x60',
  'application/x-mach-binary': '\xca',
  'image/bmp': 'B',
  'text/html': '\xef \t\n\v\f\r\xa0<',
};

/** For each first byte the types that are worth a look, in the order of `FILE_TYPES`, with what is left to look at. */
const CANDIDATES: readonly (readonly Candidate[])[] = Array.from({ length: 256 }, (_, first) =>
  FILE_TYPES.map(({ type, magic }) => {
    const test = Object.hasOwn(TESTS, type) ? TESTS[type] : undefined;
    const worth = FIRST_BYTES[type]?.includes(String.fromCharCode(first)) ?? true;
    const left = magic.filter(({ offset, bytes }) => offset > 0 || bytes[0] === first);
    return { type, magic: left, test: test !== undefined && worth ? test : null };
  }).filter(({ magic, test }) => magic.length > 0 || test !== null),
);

interface Candidate extends Pick<MagicType, 'type' | 'magic'> {
  readonly test: ((leading: Buffer) => boolean) | null;
}

/**
 * The true type of a file by its first bytes (512 are enough), as a media type of `FILE_TYPES`; null when they tell
 * nothing, as those of plain text.
 */
export function fileType(leading: Buffer): string | null {
  for (const { type, magic, test } of CANDIDATES[leading[0] ?? 0] ?? []) {
    for (const { offset, bytes } of magic) if (startsWith(leading, offset, bytes)) return type;
    if (test?.(leading) === true) return type;
  }
  return null;
}

/** Claimed types that readers show, or hand to a viewer, without asking. */
const HARMLESS_TYPE =
  /^(?:text|image|audio|video|font)\/|^application\/(?:pdf|msword|rtf|json|xml|vnd\.(?:ms-(?:excel|powerpoint|word)|openxmlformats|oasis))/;

/**
 * A program by its first bytes (`magic`, as `fileType` gives it) that calls itself something harmless: by its claimed
 * type, or by a name while no name says that it is a program. Null when there is nothing odd.
 */
export function magicAnomaly(
  magic: string | null,
  names: readonly FileName[],
  type: string,
): NameAnomaly | null {
  if (magic === null || !isProgramType(magic)) return null;
  // A script is text, and people send them.
  const script = magic === 'application/x-shellscript';
  const extensions = judgedNames(names).map(form => form.slice(form.lastIndexOf('.') + 1).trim());
  const harmlessName =
    extensions.some(it => HARMLESS_EXTENSIONS.has(it)) &&
    !extensions.some(it => EXECUTABLE_EXTENSIONS.has(it));
  const harmlessType = HARMLESS_TYPE.test(type) && !(script && type.startsWith('text/'));
  if (!harmlessType && !(harmlessName && !script)) return null;
  const name = Buffer.from(names[0]?.text.slice(0, 100) ?? '', 'utf8').toString('latin1', 0, 100);
  return {
    rule: 'MIME_MAGIC_DIFFERS',
    detail: `${typeDescription(magic)} as ${type.slice(0, 60)} ${name}`.trim(),
  };
}

function startsWith(leading: Buffer, offset: number, bytes: Buffer): boolean {
  const end = offset + bytes.length;
  if (leading[offset] !== bytes[0]) return false;
  return leading.length >= end && leading.compare(bytes, 0, bytes.length, offset, end) === 0;
}

/**
 * `MZ` alone begins ordinary text too. A Windows program says at 0x3c where its new header is; a DOS program has a last
 * page of less than 512 bytes.
 */
function isDosProgram(b: Buffer): boolean {
  const magic = b.toString('latin1', 0, 2);
  if ((magic !== 'MZ' && magic !== 'ZM') || b.length < 28) return false;
  if (b.length >= 64) {
    const header = b.readUInt32LE(0x3c);
    if (header + 2 <= b.length) {
      if (/^(?:PE|NE|LE|LX)/.test(b.toString('latin1', header, header + 2))) return true;
    } else if (header < 0x1000_0000) return true;
  }
  return b.readUInt16LE(2) < 512;
}

/** `CAFEBABE` is a Java class of version 45 and up, or a Mach-O file for some few processors. */
function isJavaClass(b: Buffer): boolean {
  return b.length >= 8 && b.readUInt32BE(0) === 0xcafebabe && b.readUInt16BE(6) >= 45;
}

function isFatMachO(b: Buffer): boolean {
  return b.length >= 8 && b.readUInt32BE(0) === 0xcafebabe && b.readUInt32BE(4) < 45;
}

/** Magic, a plausible header size, and an archiver version: two bytes alone are too few. */
function isArj(b: Buffer): boolean {
  return b.length >= 11 && b.readUInt16LE(0) === 0xea60 && b.readUInt16LE(2) <= 2600 && (b[10] ?? 255) <= 2;
}
