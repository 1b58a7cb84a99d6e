import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import type { FileName, Member } from '../../model/mime.ts';
import type { Consumed, PartConsumer } from '../mime/consumer.ts';
import { fileType } from '../mime/file-type.ts';
import type { ArchiveBudget } from './budget.ts';
import type { ArchiveBytes } from './collected-bytes.ts';

/** First bytes of a file that tell its type. */
export const LEADING_BYTES = 512;

/** What a reader of one kind of archive gets. */
export interface ArchiveContext {
  readonly budget: ArchiveBudget;
  /** Names of the archives around the entries, this one's last. */
  readonly within: readonly string[];
  /** Who looks into an entry: see `archiveConsumer`. */
  readonly open: (
    names: readonly FileName[],
    leading: Buffer,
    magic: string | null,
    within: readonly string[],
  ) => PartConsumer | null;
}

/** Reads a whole archive; rejects when its bytes cannot be read. `program`: it has a program in front. */
export type ReadArchive = (
  file: ArchiveBytes,
  context: ArchiveContext,
  program: boolean,
) => Promise<ArchiveContents>;

/** What was found in an archive, and what kept us from finding more; each a few words for the operator. */
export interface ArchiveContents {
  readonly members: FoundMember[];
  /** Of archives inside. */
  readonly inner: Consumed[];
  readonly limits: Set<string>;
  readonly contradictions: Set<string>;
  readonly unsupported: Set<string>;
  /** There may be entries whose names need a password. */
  namesHidden: boolean;
  /** Not an archive of that kind at all. */
  absent: boolean;
}

type FoundMember = Omit<Member, 'part'>;

export function nothingFound(): ArchiveContents {
  return {
    members: [],
    inner: [],
    limits: new Set(),
    contradictions: new Set(),
    unsupported: new Set(),
    namesHidden: false,
    absent: false,
  };
}

/** An entry whose bytes can be had. */
export interface Unpackable {
  readonly names: readonly FileName[];
  /** Up to `LEADING_BYTES` of it. */
  readonly leading: Buffer;
  /** Bytes it takes in the archive. */
  readonly packed: number;
  /** Bytes unpacked, as declared; null when the archive does not say. */
  readonly size: number | null;
  /** As declared; null when the archive does not say. */
  readonly crc32: number | null;
  /** Worth its SHA-256: it has been taken from the budget. */
  readonly hashed: boolean;
  /** The bytes, in pieces that may be overwritten when the next is asked for; throws when they are damaged. */
  chunks(): Iterable<Buffer> | AsyncIterable<Buffer>;
}

/**
 * Looks into an entry: its type, archives inside, its SHA-256 where that is cheap. Adds the member and all that it holds
 * to `contents`.
 */
export async function lookInto(
  entry: Unpackable,
  context: ArchiveContext,
  contents: ArchiveContents,
): Promise<void> {
  const magic = fileType(entry.leading);
  let consumer = context.open(entry.names, entry.leading, magic, context.within);
  if (consumer !== null && context.budget.spent) {
    consumer.abandon?.();
    consumer = null;
    contents.limits.add('`archivebytes` unpacked');
  }
  const whole = consumer !== null || entry.hashed;
  const unpacked = whole ? await unpack(entry, consumer, context, contents) : null;
  contents.members.push({
    within: context.within,
    container: 'archive',
    names: entry.names,
    size: unpacked?.size ?? entry.size,
    sha256: unpacked?.sha256 ?? null,
    encrypted: false,
    magic,
  });
  if (consumer !== null) contents.inner.push(await consumer.end());
}

/** Null when not all of it could be unpacked; why not is in `contents`. */
async function unpack(
  entry: Unpackable,
  consumer: PartConsumer | null,
  { budget }: ArchiveContext,
  contents: ArchiveContents,
): Promise<{ readonly size: number; readonly sha256: string } | null> {
  const hash = createHash('sha256');
  let size = 0;
  let crc = 0;
  try {
    for await (const chunk of entry.chunks()) {
      size += chunk.length;
      if (!budget.takeBytes(chunk.length)) {
        contents.limits.add('`archivebytes` unpacked');
        return null;
      }
      if (budget.ratioExceeded(size, entry.packed)) {
        contents.limits.add('packed tighter than `archiveratio`');
        return null;
      }
      if (entry.size !== null && size > entry.size) {
        contents.contradictions.add('an entry is longer than it says');
        return null;
      }
      hash.update(chunk);
      if (entry.crc32 !== null) crc = crc32(chunk, crc);
      consumer?.write(chunk);
      if (consumer?.pending) await consumer.pending;
      await budget.pace();
    }
  } catch {
    contents.contradictions.add('an entry is damaged');
    return null;
  }
  if ((entry.size !== null && size !== entry.size) || (entry.crc32 !== null && crc !== entry.crc32)) {
    contents.contradictions.add('an entry is damaged');
    return null;
  }
  return { size, sha256: hash.digest('hex') };
}
