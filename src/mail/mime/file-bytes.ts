import { createHash } from 'node:crypto';
import type { Message } from '../../model/message.ts';
import type { MimeLimits } from '../../model/mime.ts';
import { CollectedBytes } from '../archive/collected-bytes.ts';
import type { Consumed, FileHead, OpenConsumer, PartConsumer } from './consumer.ts';
import { containersOf } from './consumers.ts';
import { byteString } from './judged-files.ts';
import { readMime } from './read-mime.ts';
import type { FileChoice } from './unseen-files.ts';

/** A file of a message, decoded. */
export interface FileBytes {
  /** For the operator: `part 1.2 e.zip`, `e.exe in winmail.dat`; a byte string. */
  readonly name: string;
  readonly size: number;
  /** Only while whoever was handed the file is looking at it. */
  chunks(): Iterable<Buffer> | AsyncIterable<Buffer>;
}

/** How much of a message is handed out. */
export interface FileBudget {
  readonly files: number;
  /** Of all files together. */
  readonly bytes: number;
}

/** What was handed out. */
export interface FilesSeen {
  readonly files: number;
  /** There were more than the budget allows. */
  readonly beyond: boolean;
}

/** Files that are collected at a time, each with up to a megabyte in memory: more are open only in hostile mail. */
const MAX_OPEN = 16;

const MAX_NAME = 150;

/**
 * Reads a message again and hands the files that are `wanted` to `visit`, decoded, one after the other: parts under every
 * reading, and what lies in uuencoded text and in TNEF; archives are not opened. Files with the same bytes come once,
 * empty ones never. The bytes wait in memory, from a megabyte on in an unlinked file in `limits.spoolFolder`; the
 * message is not read on while somebody looks at a file.
 *
 * Ends early when `visit` resolves to false. Rejects when the message cannot be read, a file cannot be kept, `visit`
 * rejects or `signal` is aborted.
 */
export async function eachFile(
  message: Pick<Message, 'size' | 'chunks'>,
  limits: MimeLimits,
  wanted: FileChoice,
  budget: FileBudget,
  visit: (file: FileBytes) => Promise<boolean>,
  signal: AbortSignal,
): Promise<FilesSeen> {
  const round = new Round(wanted, budget, visit, limits.spoolFolder);
  try {
    await readMime(message, limits, AbortSignal.any([signal, round.signal]), () => round.consumers());
  } catch (error) {
    if (!round.signal.aborted) throw error;
  }
  await round.end();
  return { files: round.files, beyond: round.beyond };
}

const NOTHING: Consumed = { members: [], archives: [], anomalies: [] };

/** One reading of a message for its files. */
class Round {
  files = 0;
  beyond = false;
  readonly #wanted: FileChoice;
  readonly #budget: FileBudget;
  readonly #visit: (file: FileBytes) => Promise<boolean>;
  readonly #folder: string;
  readonly #stop = new AbortController();
  readonly #seen = new Set<string>();
  #failure: Error | null = null;
  #bytes: number;
  #open = 0;
  /** The visits so far, one after the other. Never rejects. */
  #visits: Promise<void> = Promise.resolve();

  constructor(
    wanted: FileChoice,
    budget: FileBudget,
    visit: (file: FileBytes) => Promise<boolean>,
    folder: string,
  ) {
    this.#wanted = wanted;
    this.#budget = budget;
    this.#visit = visit;
    this.#folder = folder;
    this.#bytes = budget.bytes;
  }

  /** Aborted when nothing more is wanted. */
  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  /** For one pass over the message. */
  consumers(): OpenConsumer {
    // Whoever scans files opens archives.
    return containersOf(
      () => null,
      open => (file, within) => this.#collect(file, within, open(file, within)),
    );
  }

  /** Waits for the last visit; rejects with what has gone wrong. */
  async end(): Promise<void> {
    await this.#visits;
    if (this.#failure !== null) throw this.#failure;
  }

  #collect(file: FileHead, within: readonly string[], inner: PartConsumer | null): PartConsumer | null {
    if (this.signal.aborted || !this.#wanted(file)) return inner;
    if (this.#open >= MAX_OPEN) {
      this.beyond = true;
      return inner;
    }
    this.#open++;
    return new FileCollector(this, nameOf(file, within), new CollectedBytes(this.#folder), inner);
  }

  /** `count` more bytes of a file; false when they are too many. */
  take(count: number): boolean {
    if (this.#bytes < count) return false;
    this.#bytes -= count;
    return true;
  }

  /** A file is not collected any further: it would be too much. */
  drop(collected: number): void {
    this.#open--;
    this.#bytes += collected;
    this.beyond = true;
  }

  /** A file is complete. Never rejects. */
  finish(name: string, bytes: CollectedBytes, sha256: string): Promise<void> {
    this.#open--;
    this.#visits = this.#visits.then(async () => {
      try {
        if (!this.signal.aborted) await this.#show(name, bytes, sha256);
      } catch (error) {
        this.#failure ??= error instanceof Error ? error : new Error(String(error));
        this.#stop.abort();
      } finally {
        bytes.close();
      }
    });
    return this.#visits;
  }

  async #show(name: string, bytes: CollectedBytes, sha256: string): Promise<void> {
    const { size } = bytes;
    if (size === 0) return;
    if (this.#seen.has(sha256)) {
      this.#bytes += size;
      return;
    }
    if (this.files >= this.#budget.files) {
      this.beyond = true;
      return;
    }
    this.#seen.add(sha256);
    this.files++;
    await bytes.complete();
    const more = await this.#visit({ name, size, chunks: () => bytes.chunks() });
    if (!more) this.#stop.abort();
  }
}

/** Keeps the bytes of a file, and lets whoever looks into it have them, too. */
class FileCollector implements PartConsumer {
  readonly #round: Round;
  readonly #name: string;
  readonly #inner: PartConsumer | null;
  readonly #bytes: CollectedBytes;
  readonly #hash = createHash('sha256');
  #dropped = false;
  #visit: Promise<void> | null = null;

  constructor(round: Round, name: string, bytes: CollectedBytes, inner: PartConsumer | null) {
    this.#round = round;
    this.#name = name;
    this.#bytes = bytes;
    this.#inner = inner;
  }

  get pending(): Promise<void> | null {
    return this.#visit ?? this.#bytes.pending ?? this.#inner?.pending ?? null;
  }

  write(bytes: Buffer): void {
    this.#inner?.write(bytes);
    if (this.#dropped) return;
    if (this.#round.take(bytes.length)) {
      this.#bytes.write(bytes);
      this.#hash.update(bytes);
    } else {
      this.#dropped = true;
      this.#round.drop(this.#bytes.size);
      this.#bytes.close();
    }
  }

  end(): Consumed | Promise<Consumed> {
    const consumed = this.#inner?.end() ?? NOTHING;
    if (this.#dropped) return consumed;
    this.#visit = this.#round.finish(this.#name, this.#bytes, this.#hash.digest('hex'));
    return this.#visit.then(() => consumed);
  }

  abandon(): void {
    this.#bytes.close();
    this.#inner?.abandon?.();
  }
}

function nameOf({ names, place }: FileHead, within: readonly string[]): string {
  const own = names[0]?.text.slice(0, MAX_NAME) ?? '';
  if (place !== null) return byteString(own === '' ? `part ${place}` : `part ${place} ${own}`);
  const path = [own === '' ? 'a file without a name' : own, ...within.toReversed()];
  return byteString(path.join(' in ').slice(0, MAX_NAME));
}
