import type { ArchiveFacts } from '../../model/mime.ts';
import type { Consumed, FileHead, PartConsumer } from '../mime/consumer.ts';
import { archiveType } from './archive-type.ts';
import type { ArchiveType } from './archive-type.ts';
import type { ArchiveBudget } from './budget.ts';
import { CollectedBytes } from './collected-bytes.ts';
import { readGzip } from './gzip.ts';
import { readRar } from './rar.ts';
import { readTar } from './tar.ts';
import type { ArchiveContents, ArchiveContext, ReadArchive } from './unpack.ts';
import { readZip } from './zip.ts';

/** Who reads what; a type that is not here is recognised and named. */
const READERS: ReadonlyMap<string, ReadArchive> = new Map<string, ReadArchive>([
  ['application/zip', readZip],
  ['application/gzip', readGzip],
  ['application/x-tar', readTar],
  ['application/x-rar', readRar],
]);

/** For archives whose part or entry has no name. */
const NO_NAME = '';

/**
 * Looks into a file if it is an archive, by its leading bytes or by any of its names; null when nothing says
 * that it is one. `within`: names of the files around it, outermost first. `budget` is the message's. An archive of more
 * than a megabyte waits for its end in an unlinked file in `spoolFolder`: see `pending`.
 *
 * Its answer has a fact for each state that applies (an archive may be encrypted and contradictory too), `read` alone
 * otherwise; all names that were found are members, whatever the states.
 */
export function archiveConsumer(
  { names, leading, magic }: Pick<FileHead, 'names' | 'leading' | 'magic'>,
  within: readonly string[],
  budget: ArchiveBudget,
  spoolFolder: string,
): PartConsumer | null {
  const type = archiveType(names, leading, magic);
  if (type === null) return null;
  const path = [...within, names[0]?.text ?? NO_NAME];
  const read = READERS.get(type.type);
  if (read === undefined) {
    const detail = type.certain ? '' : 'by its name; its bytes do not say so';
    return verdict([{ within: path, type: type.type, state: 'unsupported', detail }]);
  }
  if (!budget.mayOpen(within.length)) {
    if (type.program) return null;
    return verdict([{ within: path, type: type.type, state: 'limit', detail: '`archivedepth` levels' }]);
  }
  return new ArchiveReader(type, read, path, budget, spoolFolder);
}

/** A consumer whose answer does not depend on the bytes. */
function verdict(archives: Consumed['archives']): PartConsumer {
  return {
    write: () => undefined,
    end: () => ({ members: [], archives, anomalies: [] }),
  };
}

/** Collects an archive and reads it when it is complete. */
class ArchiveReader implements PartConsumer {
  readonly #type: ArchiveType;
  readonly #read: ReadArchive;
  readonly #path: readonly string[];
  readonly #budget: ArchiveBudget;
  readonly #spoolFolder: string;
  readonly #bytes: CollectedBytes;

  constructor(
    type: ArchiveType,
    read: ReadArchive,
    path: readonly string[],
    budget: ArchiveBudget,
    spoolFolder: string,
  ) {
    this.#type = type;
    this.#read = read;
    this.#path = path;
    this.#budget = budget;
    this.#spoolFolder = spoolFolder;
    this.#bytes = new CollectedBytes(spoolFolder);
  }

  get pending(): Promise<void> | null {
    return this.#bytes.pending;
  }

  write(bytes: Buffer): void {
    this.#bytes.write(bytes);
  }

  abandon(): void {
    this.#bytes.close();
  }

  async end(): Promise<Consumed> {
    try {
      await this.#bytes.complete();
      const context: ArchiveContext = {
        budget: this.#budget,
        within: this.#path,
        open: (names, leading, magic, inner) =>
          archiveConsumer({ names, leading, magic }, inner, this.#budget, this.#spoolFolder),
      };
      return this.#consumed(await this.#read(this.#bytes, context, this.#type.program));
    } catch (error) {
      // The disk, or a fault of ours: what is inside is not known, and that is what is said.
      const detail = `not read: ${error instanceof Error ? error.message : String(error)}`;
      return { members: [], archives: [this.#fact('unreadable', detail)], anomalies: [] };
    } finally {
      this.#bytes.close();
    }
  }

  #consumed(contents: ArchiveContents): Consumed {
    if (contents.absent && this.#type.program) return { members: [], archives: [], anomalies: [] };
    if (contents.absent) contents.contradictions.add('no archive of this type');
    const own = [
      ...this.#facts('limit', contents.limits),
      ...this.#facts('unreadable', contents.contradictions),
      ...this.#facts('unsupported', contents.unsupported),
    ];
    const hidden = contents.members.filter(member => member.encrypted).length;
    if (hidden > 0) own.push(this.#fact('encrypted', `${hidden} of ${contents.members.length} entries`));
    else if (contents.namesHidden) own.push(this.#fact('encrypted', 'the names of the entries too'));
    if (own.length === 0) own.push(this.#fact('read', `${contents.members.length} entries`));
    return {
      members: [...contents.members, ...contents.inner.flatMap(inner => inner.members)],
      archives: [...own, ...contents.inner.flatMap(inner => inner.archives)],
      anomalies: contents.inner.flatMap(inner => inner.anomalies),
    };
  }

  #facts(state: ArchiveFacts['state'], details: ReadonlySet<string>): Omit<ArchiveFacts, 'part'>[] {
    return details.size > 0 ? [this.#fact(state, [...details].join(', '))] : [];
  }

  #fact(state: ArchiveFacts['state'], detail: string): Omit<ArchiveFacts, 'part'> {
    return { within: this.#path, type: this.#type.type, state, detail };
  }
}
