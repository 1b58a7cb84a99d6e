import type { ArchiveBytes } from './collected-bytes.ts';
import { entryNames, mergedNames } from './entry-names.ts';
import { PEEK_BYTES, gunzipped, inflatedStart } from './inflate.ts';
import type { ArchiveContents, ArchiveContext } from './unpack.ts';
import { lookInto, nothingFound } from './unpack.ts';

/** RFC 1952 2.3. */
const FIXED = 10;
const MAGIC = 0x8b1f;
const FLAG_HEADER_CRC = 2;
const FLAG_EXTRA = 4;
const FLAG_NAME = 8;
const FLAG_COMMENT = 16;

/** Extra field, name and comment together are looked at up to here. Bytes. */
const HEADER_BYTES = 128 * 1024;

/**
 * Reads a gzip file (RFC 1952): one entry, under the name in its header and the one that remains of the archive's own
 * without its extension. Rejects when `file` cannot be read.
 */
export async function readGzip(file: ArchiveBytes, context: ArchiveContext): Promise<ArchiveContents> {
  const contents = nothingFound();
  const header = gzipHeader(await file.read(0, HEADER_BYTES));
  if (header === null) {
    contents.absent = true;
    return contents;
  }
  if (!context.budget.takeEntry(header.name.length)) {
    contents.limits.add('`archiveentries` entries');
    return contents;
  }
  const own = context.within.at(-1) ?? '';
  const inside = unpackedName(own);
  const names = mergedNames(
    header.name === '' ? [] : entryNames(header.name, null, 'latin1'),
    inside === own ? [] : [{ text: inside, raw: inside, source: 'archive' }],
  );
  const leading = inflatedStart(await file.read(header.length, PEEK_BYTES));
  if (leading === null) contents.contradictions.add('an entry is damaged');
  await lookInto(
    {
      names,
      leading: leading ?? Buffer.alloc(0),
      packed: file.size,
      // What stands behind the data is the size modulo 2^32, and of the last member only.
      size: null,
      crc32: null,
      hashed: false,
      chunks: () => gunzipped(file),
    },
    context,
    contents,
  );
  return contents;
}

/** Length of the header and the name in it, a byte string; null when `bytes` begin with none, or not all of it. */
function gzipHeader(bytes: Buffer): { readonly length: number; readonly name: string } | null {
  if (bytes.length < FIXED || bytes.readUInt16LE(0) !== MAGIC) return null;
  const flags = bytes.readUInt8(3);
  let at = FIXED;
  if ((flags & FLAG_EXTRA) !== 0) at += 2 + (bytes.length < at + 2 ? 0 : bytes.readUInt16LE(at));
  let name = '';
  for (const field of [FLAG_NAME, FLAG_COMMENT]) {
    if ((flags & field) === 0) continue;
    const end = bytes.indexOf(0, at);
    if (end < 0) return null;
    if (field === FLAG_NAME) name = bytes.toString('latin1', at, end);
    at = end + 1;
  }
  if ((flags & FLAG_HEADER_CRC) !== 0) at += 2;
  return at > bytes.length ? null : { length: at, name };
}

/** What gunzip(1) would call it. */
function unpackedName(name: string): string {
  return name.replace(/\.(?:gz|(tgz|taz)|(svgz))$/i, (_, tar?: string, svg?: string) => {
    if (tar !== undefined) return '.tar';
    return svg === undefined ? '' : '.svg';
  });
}
