import type { ArchiveBytes } from './collected-bytes.ts';
import { archiveNameType } from './archive-type.ts';
import { entryNames } from './entry-names.ts';
import { stored } from './inflate.ts';
import type { RarEntry, RarBlock } from './rar-blocks.ts';
import { LONGEST_BLOCK, SIGNATURE_4, SIGNATURE_5, rar4Block, rar5Block } from './rar-blocks.ts';
import type { ArchiveContents, ArchiveContext } from './unpack.ts';
import { LEADING_BYTES, lookInto, nothingFound } from './unpack.ts';

/** Blocks without an entry; honest files have a handful. */
const MAX_OTHER_BLOCKS = 1000;

/**
 * Reads the names in a RAR file, of versions 1.5 to 4 and 5; contents only where they are stored. Rejects when `file`
 * cannot be read.
 */
export async function readRar(file: ArchiveBytes, context: ArchiveContext): Promise<ArchiveContents> {
  const contents = nothingFound();
  const start = await file.read(0, SIGNATURE_5.length);
  const five = start.equals(SIGNATURE_5);
  if (!five && !start.subarray(0, SIGNATURE_4.length).equals(SIGNATURE_4)) {
    contents.absent = true;
    return contents;
  }
  let at = five ? SIGNATURE_5.length : SIGNATURE_4.length;
  let others = 0;
  while (at < file.size && contents.limits.size === 0) {
    await context.budget.pace();
    const bytes = await file.read(at, LONGEST_BLOCK);
    const block = five ? rar5Block(bytes) : rar4Block(bytes);
    if (block === null) {
      contents.contradictions.add('a damaged header');
      break;
    }
    if (!block.intact) contents.contradictions.add('a damaged header');
    if (block.split) contents.contradictions.add('one of several volumes');
    if (block.namesHidden) contents.namesHidden = true;
    if (block.last || block.namesHidden) break;
    if (block.entry !== null) await readEntry(file, at, block, block.entry, context, contents);
    else if (++others > MAX_OTHER_BLOCKS) contents.limits.add('more blocks than are looked at');
    at += block.length + block.packed;
  }
  if (at > file.size) contents.contradictions.add('an entry is cut off');
  return contents;
}

async function readEntry(
  file: ArchiveBytes,
  at: number,
  block: RarBlock,
  entry: RarEntry,
  context: ArchiveContext,
  contents: ArchiveContents,
): Promise<void> {
  if (!context.budget.takeEntry(entry.name.length + (entry.unicode?.length ?? 0))) {
    contents.limits.add('`archiveentries` entries');
    return;
  }
  const names = entryNames(entry.name, entry.unicode);
  if (!entry.encrypted && entry.stored && !block.split) {
    const dataAt = at + block.length;
    const packed = Math.max(0, Math.min(block.packed, file.size - dataAt));
    const leading = await file.read(dataAt, Math.min(packed, LEADING_BYTES));
    const chunks = () => stored(file, dataAt, packed);
    const hashed = entry.size !== null && context.budget.takeHashed(entry.size);
    await lookInto(
      { names, leading, packed, size: entry.size, crc32: null, hashed, chunks },
      context,
      contents,
    );
    return;
  }
  if (!entry.encrypted && archiveNameType(names) !== null)
    contents.unsupported.add('an archive packed by RAR');
  contents.members.push({
    within: context.within,
    container: 'archive',
    names,
    size: entry.size,
    sha256: null,
    encrypted: entry.encrypted,
    magic: null,
  });
}
