import type { ArchiveBudget } from './budget.ts';
import type { ArchiveBytes } from './collected-bytes.ts';
import { accountedFor, agree, between, inOrder, overlap } from './zip-agreement.ts';
import type { Span } from './zip-agreement.ts';
import {
  CENTRAL,
  END,
  END_64_LENGTH,
  END_LENGTH,
  LOCAL,
  LOCAL_LENGTH,
  LOCATOR_LENGTH,
  LONGEST_RECORD,
  centralHeader,
  endRecord,
  localHeader,
  localHeaderLength,
  zip64EndRecord,
  zip64RecordOffset,
} from './zip-headers.ts';
import type { CentralHeader, EndRecord, LocalHeader } from './zip-headers.ts';

/** Read at a time; longer than the longest record. Bytes. */
const WINDOW = 256 * 1024;

/** A local header with its name is most often shorter. Bytes. */
const USUAL_HEADER = 512;

/** Ends of directory that are followed; honest files have one, concatenated ones a few. */
const MAX_ENDS = 16;

/** Methods above this are nobody's (APPNOTE 4.4.5): what a search finds with one is chance, and no header. */
const MAX_METHOD = 99;

/** Signatures that begin no header; honest files have hardly any outside of data. */
const MAX_STRAYS = 1000;

/** One entry, as the two places say it that should say the same. */
export interface ZipEntry {
  readonly central: CentralHeader | null;
  readonly local: LocalHeader | null;
}

/**
 * Finds every entry of a zip that any unpacker could see. Some go by the directory at the end, from the last end record
 * or the first, with offsets from the beginning of the file or of the zip; some read local headers from the front; some
 * search for signatures. So: the directory is read, then everything that neither it nor the data of an entry on which
 * directory and local header agree accounts for is searched for headers of all kinds. What only some would see is an
 * entry too, and a contradiction.
 */
export class ZipFinder {
  readonly #file: ArchiveBytes;
  readonly #budget: ArchiveBudget;
  readonly entries: ZipEntry[] = [];
  /** What is damaged or contradictory. */
  readonly contradictions = new Set<string>();
  /** The budget has ended it: there may be more entries. */
  limited = false;
  /** Some zip record was found. */
  found = false;
  readonly #ends = new Set<number>();
  readonly #centrals = new Set<number>();
  readonly #locals = new Map<number, LocalHeader | null>();
  readonly #directories: Span[] = [];
  readonly #data = new Map<CentralHeader, Span>();
  #strays = 0;
  /** The search is given up. */
  #lost = false;

  constructor(file: ArchiveBytes, budget: ArchiveBudget) {
    this.#file = file;
    this.#budget = budget;
  }

  /**
   * Reads the file, once. `program`: a program stands in front, whose code may contain any signature, and without a
   * directory behind it it is no zip. Rejects when the bytes cannot be read.
   */
  async find(program: boolean): Promise<void> {
    const end = await this.#lastEnd();
    if (end !== null) await this.#followEnd(end);
    if (program && this.entries.length === 0) return;
    const listed = this.entries.length;
    // In this order, so that what a hidden directory lists is not an entry by its local header once more.
    for (const signature of [END, CENTRAL, LOCAL]) {
      this.#lost = false;
      for (const gap of await this.#gaps(program)) await this.#search(gap, signature);
    }
    if (end === null && this.entries.length > 0) this.contradictions.add('no directory');
    else if (this.entries.length > listed) this.contradictions.add('local headers and directory differ');
  }

  /** The end record that most unpackers take: the last one, best if its comment ends where the file does. */
  async #lastEnd(): Promise<EndRecord | null> {
    const from = Math.max(0, this.#file.size - END_LENGTH - 0xffff);
    const tail = await this.#file.read(from, END_LENGTH + 0xffff);
    let last: EndRecord | null = null;
    for (let i = tail.lastIndexOf(END); i >= 0; i = i > 0 ? tail.lastIndexOf(END, i - 1) : -1) {
      const end = endRecord(tail, i, from + i);
      if (end?.end === this.#file.size) return end;
      last ??= end;
    }
    return last;
  }

  async #followEnd(end: EndRecord): Promise<void> {
    if (this.#ends.has(end.at)) return;
    this.#ends.add(end.at);
    this.found = true;
    if (this.#ends.size > 1) this.contradictions.add('several ends of directory');
    if (this.#ends.size > MAX_ENDS) return this.#giveUp();
    const large = await this.#zip64End(end);
    if (large !== null) await this.#readDirectory(large.record, large.at);
    const moved = end.directoryOffset !== large?.record.directoryOffset;
    if (large === null || (moved && end.directoryOffset !== 0xffffffff))
      await this.#readDirectory(end, end.at);
  }

  async #zip64End(end: EndRecord): Promise<{ readonly record: EndRecord; readonly at: number } | null> {
    const locatorAt = end.at - LOCATOR_LENGTH;
    const offset = zip64RecordOffset(await this.#file.read(locatorAt, LOCATOR_LENGTH));
    if (offset === null) return null;
    for (const at of [offset, locatorAt - END_64_LENGTH]) {
      const record = zip64EndRecord(await this.#file.read(at, END_64_LENGTH), end);
      if (record !== null) return { record, at };
    }
    this.contradictions.add('zip64 end of directory is missing');
    return null;
  }

  /** Reads the directory of `end`, which ought to stop at `stop`. */
  async #readDirectory(end: EndRecord, stop: number): Promise<void> {
    if (end.disk !== 0) this.contradictions.add('one of several disks');
    const base = stop - end.directorySize - end.directoryOffset;
    let count: number | null = null;
    for (const shift of new Set([base, 0])) {
      const read = await this.#readHeaders(end.directoryOffset + shift, shift);
      if (read === 0) continue;
      if (count !== null) this.contradictions.add('two directories for one end');
      count ??= read;
    }
    if (this.limited) return;
    // Without zip64 the count is kept modulo 65536 by packers that do not care.
    if ((count ?? 0) % 0x10000 !== end.entries % 0x10000) {
      this.contradictions.add(
        count === null ? 'directory is missing' : 'directory has another length than it says',
      );
    }
  }

  /** Reads headers from `start` on as long as they come; offsets of local headers are `shift` off. Says how many. */
  async #readHeaders(start: number, shift: number): Promise<number> {
    const headers: CentralHeader[] = [];
    let count = 0;
    let at = start;
    for (;;) {
      const bytes = await this.#file.read(at, WINDOW);
      let i = 0;
      for (;;) {
        const header = centralHeader(bytes, i, at + i);
        if (header === null) break;
        i += header.length;
        count++;
        if (this.#centrals.has(header.at)) continue;
        if (!this.#takeEntry(header)) break;
        this.#centrals.add(header.at);
        headers.push(header);
        await this.#budget.pace();
      }
      at += i;
      await this.#budget.pace();
      if (i === 0 || this.limited) break;
    }
    if (count > 0) this.#directories.push({ from: start, to: at });
    for (const header of headers) await this.#addCentral(header, shift);
    return count;
  }

  async #addCentral(central: CentralHeader, shift: number): Promise<void> {
    this.found = true;
    let local = await this.#localAt(central.offset + shift);
    if (local === null && shift !== 0) local = await this.#localAt(central.offset);
    this.entries.push({ central, local });
    if (local === null) this.contradictions.add('an entry without local header');
    else if (!agree(central, local)) this.contradictions.add('local headers and directory differ');
    await this.#budget.pace();
  }

  async #localAt(at: number): Promise<LocalHeader | null> {
    const known = this.#locals.get(at);
    if (known !== undefined) return known;
    let bytes = await this.#file.read(at, USUAL_HEADER);
    if (bytes.length >= LOCAL_LENGTH && localHeaderLength(bytes, 0) > bytes.length) {
      bytes = await this.#file.read(at, localHeaderLength(bytes, 0));
    }
    const header = localHeader(bytes, 0, at);
    this.#locals.set(at, header);
    return header;
  }

  /** What nothing accounts for, in order. */
  async #gaps(program: boolean): Promise<Span[]> {
    for (const { central, local } of this.entries) {
      if (central === null || local === null || this.#data.has(central)) continue;
      this.#data.set(central, await accountedFor(this.#file, central, local));
      await this.#budget.pace();
    }
    const data = inOrder([...this.#data.values()]);
    if (overlap(data)) this.contradictions.add('entries overlap');
    if (data.some(span => span.to > this.#file.size)) this.contradictions.add('an entry is cut off');
    const spans = inOrder([...this.#directories, ...data]);
    return between(spans, program ? (spans[0]?.from ?? 0) : 0, this.#file.size);
  }

  /** Looks for headers that no directory has led to. */
  async #search({ from, to }: Span, signature: Buffer): Promise<void> {
    let next = from;
    for (let at = from; at < to && !this.limited && !this.#lost; at += WINDOW) {
      // Signatures that begin in this window; the last may end behind it.
      const bytes = await this.#file.read(at, Math.min(WINDOW + signature.length - 1, to - at));
      let i = bytes.indexOf(signature, Math.max(0, next - at));
      while (i >= 0 && !this.limited && !this.#lost) {
        next = await this.#take(at + i, signature);
        await this.#budget.pace();
        i = next - at < bytes.length ? bytes.indexOf(signature, next - at) : -1;
      }
      await this.#budget.pace();
    }
  }

  /** Takes what begins with a signature at `at`; returns where the search goes on. */
  async #take(at: number, signature: Buffer): Promise<number> {
    if (signature === LOCAL) {
      if (this.#locals.has(at)) return at + 1;
      const local = await this.#localAt(at);
      if (local === null || local.method > MAX_METHOD) return this.#stray(at);
      if (!this.#takeEntry(local)) return at + 1;
      this.found = true;
      this.entries.push({ central: null, local });
      return at + local.length;
    }
    if (signature === CENTRAL) {
      if (this.#centrals.has(at)) return at + 1;
      const header = centralHeader(await this.#file.read(at, LONGEST_RECORD), 0, at);
      if (header === null || header.method > MAX_METHOD) return this.#stray(at);
      if (!this.#takeEntry(header)) return at + 1;
      this.#centrals.add(at);
      await this.#addCentral(header, 0);
      return at + header.length;
    }
    const end = endRecord(await this.#file.read(at, END_LENGTH), 0, at);
    if (end === null) return this.#stray(at);
    await this.#followEnd(end);
    return at + END_LENGTH;
  }

  #stray(at: number): number {
    this.#strays++;
    if (this.#strays > MAX_STRAYS) this.#giveUp();
    return at + 1;
  }

  #giveUp(): void {
    this.#lost = true;
    this.contradictions.add('full of signatures');
  }

  #takeEntry(header: LocalHeader): boolean {
    const taken = this.#budget.takeEntry(header.name.length + (header.unicode?.length ?? 0));
    if (!taken) this.limited = true;
    return taken;
  }
}
