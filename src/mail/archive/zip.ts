import { archiveNameType } from './archive-type.ts';
import type { ArchiveBudget } from './budget.ts';
import type { ArchiveBytes } from './collected-bytes.ts';
import { entryNames, mergedNames } from './entry-names.ts';
import { AT_ONCE, PEEK_BYTES, inflated, inflatedStart, inflatedWhole, stored } from './inflate.ts';
import type { ArchiveContents, ArchiveContext, Unpackable } from './unpack.ts';
import { LEADING_BYTES, lookInto, nothingFound } from './unpack.ts';
import { ZipFinder } from './zip-finder.ts';
import type { ZipEntry } from './zip-finder.ts';
import type { LocalHeader } from './zip-headers.ts';

const STORED = 0;
const DEFLATED = 8;

/** Reads a zip file: see ZipFinder for which entries there are. Rejects when `file` cannot be read. */
export async function readZip(
  file: ArchiveBytes,
  context: ArchiveContext,
  program: boolean,
): Promise<ArchiveContents> {
  const contents = nothingFound();
  const finder = new ZipFinder(file, context.budget);
  await finder.find(program);
  if (!finder.found) {
    contents.absent = true;
    return contents;
  }
  for (const text of finder.contradictions) contents.contradictions.add(text);
  if (finder.limited) contents.limits.add('`archiveentries` entries');
  for (const entry of finder.entries) {
    await readEntry(file, entry, context, contents);
    await context.budget.pace();
  }
  return contents;
}

async function readEntry(
  file: ArchiveBytes,
  { central, local }: ZipEntry,
  context: ArchiveContext,
  contents: ArchiveContents,
): Promise<void> {
  const header = central ?? local;
  if (header === null) return;
  const listed = central === null ? [] : entryNames(central.name, central.unicode);
  const names = local === null ? listed : mergedNames(listed, entryNames(local.name, local.unicode));
  // Behind a local header that leaves its sizes to a descriptor, and is in no directory, the data ends where it ends.
  const open = central === null && header.descriptor;
  const size = open ? null : header.size;
  if (size !== null && context.budget.ratioExceeded(size, header.packed)) {
    contents.limits.add('packed tighter than `archiveratio`');
  }
  const known = { within: context.within, container: 'archive', names, size, sha256: null } as const;
  if ((central?.encrypted ?? false) || (local?.encrypted ?? false)) {
    contents.members.push({ ...known, encrypted: true, magic: null });
    return;
  }
  const data = local === null ? null : await entryData(file, local, header, open, context.budget);
  if (data === null || data === 'damaged') {
    if (data === 'damaged') contents.contradictions.add('an entry is damaged');
    else if (local !== null) unreadable(names, header, contents);
    contents.members.push({ ...known, encrypted: false, magic: null });
    return;
  }
  await lookInto({ ...data, names }, context, contents);
}

/** An entry that cannot be unpacked is a finding when it would have been opened. */
function unreadable(names: Unpackable['names'], header: LocalHeader, contents: ArchiveContents): void {
  if (archiveNameType(names) !== null)
    contents.unsupported.add(`an archive packed by method ${header.method}`);
}

/** The data behind `local`, as `header` describes it; `open`: until it ends by itself. Null: packed in a way nobody here reads. */
async function entryData(
  file: ArchiveBytes,
  local: LocalHeader,
  header: LocalHeader,
  open: boolean,
  budget: ArchiveBudget,
): Promise<Omit<Unpackable, 'names'> | 'damaged' | null> {
  const at = local.at + local.length;
  const packed = Math.min(open ? file.size : header.packed, Math.max(0, file.size - at));
  const size = open ? null : header.size;
  const check = open ? null : header.crc32;
  const hashed = size !== null && budget.takeHashed(size);
  const known = { packed, size, crc32: check, hashed };
  if (header.method === DEFLATED && hashed && packed <= AT_ONCE && size <= AT_ONCE) {
    const all = inflatedWhole(await file.read(at, packed), size);
    if (all !== null) return { ...known, leading: all.subarray(0, LEADING_BYTES), chunks: () => [all] };
  }
  const start = await file.read(at, Math.min(packed, PEEK_BYTES));
  if (header.method === STORED) {
    return { ...known, leading: start.subarray(0, LEADING_BYTES), chunks: () => stored(file, at, packed) };
  }
  if (header.method !== DEFLATED) return null;
  const leading = inflatedStart(start);
  if (leading === null) return 'damaged';
  return { ...known, leading, chunks: () => inflated(file, at, packed, size) };
}
