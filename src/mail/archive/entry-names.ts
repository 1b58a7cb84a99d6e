import iconv from 'iconv-lite';
import type { FileName } from '../../model/mime.ts';

/** A name is kept up to this length: the beginning and, because the extension is there, the end. Characters. */
const NAME_LENGTH = 4096;

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * What unpackers could show for an entry's name. `raw` is a byte string as it stands in the archive, `unicode` the
 * byte string (UTF-8) of a second name beside it, or null. Valid UTF-8 is taken for UTF-8 with or without the flag
 * that says so, as most unpackers do; all else is `charset`, of zip code page 437 (APPNOTE 4.4.4, appendix D). A name with a NUL is also
 * what stands before it, for unpackers written in C.
 */
export function entryNames(
  raw: string,
  unicode: string | null = null,
  charset: 'cp437' | 'latin1' = 'cp437',
): FileName[] {
  const names: FileName[] = [];
  for (const bytes of unicode === null || unicode === raw ? [raw] : [raw, unicode]) {
    const kept = shortened(bytes);
    add(names, decoded(kept, charset), kept);
    const nul = kept.indexOf('\0');
    if (nul > 0) add(names, decoded(kept.slice(0, nul), charset), kept);
  }
  return names;
}

/** `more` added to `names`, without what is there already. */
export function mergedNames(names: readonly FileName[], more: readonly FileName[]): FileName[] {
  const all = [...names];
  for (const name of more) add(all, name.text, name.raw);
  return all;
}

function add(names: FileName[], text: string, raw: string): void {
  if (names.some(name => name.text === text && name.raw === raw)) return;
  names.push({ text, raw, source: 'archive' });
}

function shortened(bytes: string): string {
  if (bytes.length <= NAME_LENGTH) return bytes;
  return bytes.slice(0, NAME_LENGTH / 2) + bytes.slice(-NAME_LENGTH / 2);
}

function decoded(bytes: string, charset: string): string {
  const buffer = Buffer.from(bytes, 'latin1');
  try {
    return UTF8.decode(buffer);
  } catch {
    return iconv.decode(buffer, charset);
  }
}
