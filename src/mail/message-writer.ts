import { createHash, hash as hashOnce } from 'node:crypto';
import { crc32 } from 'node:zlib';
import type { Message } from '../model/message.ts';
import { SpoolFile } from './spool-file.ts';

/** How a message is kept while it comes in. */
export interface SpoolLimits {
  /** Bytes kept in memory; above that everything goes to a file. */
  readonly memoryBytes: number;
  readonly folder: string;
  /** Header bytes kept at hand for the checks. */
  readonly headerBytes: number;
}

/** What the reader of the DATA phase saw while it removed the dots. */
export interface BodyFacts {
  readonly lines: number;
  readonly eightBit: boolean;
  readonly dotLines: boolean;
}

const END_OF_HEADER = Buffer.from('\r\n\r\n');

/**
 * Takes the bytes of one message as they come, in memory at first, then in a spool file. Chunks become the writer's
 * own: the caller must not change them afterwards.
 */
export class MessageWriter {
  size = 0;
  readonly #limits: SpoolLimits;
  #pending: Buffer[] = [];
  #pendingBytes = 0;
  #spool: SpoolFile | null = null;
  #hash: ReturnType<typeof createHash> | null = null;
  #crc = 0;
  /** Header as far as it has come, until its end is found or the limit reached. */
  #head: Buffer[] = [];
  #headBytes = 0;
  #headerEnd = -1;
  #headerDone = false;
  #failure: Error | null = null;

  constructor(limits: SpoolLimits) {
    this.#limits = limits;
  }

  /** The error that a write ended with; the message cannot be finished then. */
  get failure(): Error | null {
    return this.#failure;
  }

  /** Takes a chunk. A promise when the caller must wait before it gives the next (never rejects: see `failure`). */
  write(chunk: Buffer): Promise<void> | null {
    if (chunk.length === 0 || this.#failure) return null;
    this.size += chunk.length;
    if (!this.#headerDone) this.#watchHeader(chunk);
    this.#pending.push(chunk);
    this.#pendingBytes += chunk.length;
    if (this.#pendingBytes <= this.#limits.memoryBytes) return null;
    return this.#spill();
  }

  /** The finished message. Rejects when the spool failed. */
  async finish(facts: BodyFacts): Promise<Message> {
    if (this.#spool && this.#pendingBytes > 0) await this.#spill();
    if (this.#failure) throw this.#failure;
    const header = this.#header();
    const shared = { ...facts, size: this.size, ...header };
    const spool = this.#spool;
    if (spool) {
      const sha256 = this.#hash?.digest('hex') ?? '';
      return {
        ...shared,
        sha256,
        crc32: this.#crc,
        chunks: () => spool.read(),
        release: () => spool.close(),
      };
    }
    let chunks: readonly Buffer[] = this.#pending;
    return {
      ...shared,
      sha256: digest(chunks),
      crc32: chunks.reduce((crc, chunk) => crc32(chunk, crc), 0),
      chunks: () => chunks,
      release: () => {
        chunks = [];
      },
    };
  }

  /** Throws away what has come. */
  discard(): void {
    this.#pending = [];
    this.#head = [];
    this.#spool?.close();
    this.#spool = null;
  }

  async #spill(): Promise<void> {
    const chunks = this.#pending;
    this.#pending = [];
    this.#pendingBytes = 0;
    this.#hash ??= createHash('sha256');
    for (const chunk of chunks) {
      this.#hash.update(chunk);
      this.#crc = crc32(chunk, this.#crc);
    }
    try {
      this.#spool ??= await SpoolFile.create(this.#limits.folder);
      await this.#spool.append(chunks);
    } catch (error) {
      this.#failure = error instanceof Error ? error : new Error(String(error));
      this.discard();
    }
  }

  #watchHeader(chunk: Buffer): void {
    const before = this.#head.at(-1);
    this.#head.push(chunk);
    // An empty header: the message begins with its empty line.
    if (this.#headBytes === 0 && chunk[0] === 13 && chunk[1] === 10) return this.#foundHeader(0);
    let at = chunk.indexOf(END_OF_HEADER);
    if (at >= 0) at += this.#headBytes;
    if (before) {
      const tail = before.subarray(-3);
      const seam = Buffer.concat([tail, chunk.subarray(0, 3)]).indexOf(END_OF_HEADER);
      if (seam >= 0) at = this.#headBytes - tail.length + seam;
    }
    this.#headBytes += chunk.length;
    if (at >= 0) this.#foundHeader(at + 2);
    else if (this.#headBytes >= this.#limits.headerBytes) this.#headerDone = true;
  }

  #foundHeader(end: number): void {
    this.#headerEnd = end;
    this.#headerDone = true;
  }

  #header(): { header: Buffer; headerCut: boolean } {
    const end = this.#headerEnd >= 0 ? this.#headerEnd : this.#headBytes;
    const length = Math.min(end, this.#limits.headerBytes);
    const first = this.#head[0] ?? Buffer.alloc(0);
    const header =
      length <= first.length ? first.subarray(0, length) : Buffer.concat(this.#head).subarray(0, length);
    this.#head = [];
    return { header, headerCut: end > length || (this.#headerEnd < 0 && this.#headerDone) };
  }
}

function digest(chunks: readonly Buffer[]): string {
  const [only] = chunks;
  if (chunks.length === 1 && only) return hashOnce('sha256', only, 'hex');
  const hash = createHash('sha256');
  for (const chunk of chunks) hash.update(chunk);
  return hash.digest('hex');
}
