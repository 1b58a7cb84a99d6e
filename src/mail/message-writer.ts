import { crc32 } from 'node:zlib';
import type { Message } from '../model/message.ts';
import { SpoolFile } from './spool-file.ts';

/** How a message is kept while it comes in. */
export interface SpoolLimits {
  /** Bytes kept in memory; what follows goes to a file. */
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

/** Pieces smaller than this are gathered: a Buffer costs some 200 bytes of its own, however little is in it. */
const SMALL_BYTES = 1024;
/** So many of them make one. */
const SMALL_PIECES = 256;

/** Written to the file at one go. */
const SPILL_BYTES = 256 * 1024;
/** What may wait while a write is under way, before the sender has to wait too. */
const MAX_AHEAD_BYTES = 256 * 1024;

/**
 * Takes the bytes of one message as they come: the first part stays in memory, the rest goes to a spool file. Chunks
 * become the writer's own: the caller must not change them afterwards.
 */
export class MessageWriter {
  size = 0;
  readonly #limits: SpoolLimits;
  /** The part that stays in memory. */
  #memory: Buffer[] = [];
  #memoryBytes = 0;
  /** What waits to be written to the file, and the write that is under way. */
  #pending: Buffer[] = [];
  #pendingBytes = 0;
  /** What may be given back once `#pending` is in the file. */
  #lent: ArrayBuffer[] = [];
  #writing: Promise<void> | null = null;
  #small: Buffer[] = [];
  #discarded = false;
  #spool: SpoolFile | null = null;
  /** Some of the message has gone, or is on its way, to the file. */
  #spilling = false;
  #crc = 0;
  /** Header as far as it has come, until its end is found or the limit reached. */
  #head: Buffer[] = [];
  #headBytes = 0;
  /** The last bytes before the next chunk. A message that begins with an empty line has an empty header: hence CRLF. */
  #tail: Buffer = Buffer.from('\r\n');
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

  /**
   * Takes a chunk. A promise when the caller must wait before it gives the next (never rejects: see `failure`).
   * `memory`: what the chunk lies in, when nothing else does; it goes back to the system as soon as the chunk is in the
   * file. Left to the garbage collector, which does not hurry for buffers, what a fast client sends adds up to some
   * 60 MB in each process.
   */
  write(chunk: Buffer, memory: ArrayBuffer | null = null): Promise<void> | null {
    if (chunk.length === 0 || this.#failure) return null;
    this.size += chunk.length;
    if (chunk.length < SMALL_BYTES) this.#small.push(chunk);
    else {
      this.#gather();
      this.#keep(chunk, memory);
    }
    if (this.#small.length >= SMALL_PIECES) this.#gather();
    if (this.#pendingBytes < SPILL_BYTES) return null;
    if (this.#writing === null) this.#writing = this.#spill();
    return this.#pendingBytes > MAX_AHEAD_BYTES ? this.#writing : null;
  }

  /** The finished message. Rejects when the spool failed. */
  async finish(facts: BodyFacts): Promise<Message> {
    this.#gather();
    if (this.#writing) await this.#writing;
    if (this.#pendingBytes > 0) await this.#spill();
    if (this.#failure) throw this.#failure;
    const shared = {
      ...facts,
      size: this.size,
      ...this.#header(),
      crc32: this.#spilling ? this.#crc : sum(this.#memory, 0),
    };
    let memory: readonly Buffer[] = this.#memory;
    const spool = this.#spool;
    return {
      ...shared,
      chunks: () => (spool === null ? memory : memoryAndSpool(memory, spool)),
      release: () => {
        memory = [];
        spool?.close();
      },
    };
  }

  /** Throws away what has come. */
  discard(): void {
    this.#discarded = true;
    this.#memory = [];
    this.#pending = [];
    this.#pendingBytes = 0;
    this.#lent = [];
    this.#small = [];
    this.#head = [];
    this.#spool?.close();
    this.#spool = null;
  }

  /** Makes one piece of the small ones. */
  #gather(): void {
    const [first] = this.#small;
    if (first === undefined) return;
    this.#keep(this.#small.length === 1 ? first : Buffer.concat(this.#small), null);
    this.#small = [];
  }

  #keep(chunk: Buffer, memory: ArrayBuffer | null): void {
    const ofHeader = !this.#headerDone;
    if (ofHeader) this.#watchHeader(chunk);
    if (
      this.#pending.length === 0 &&
      // Set as the first write begins: while the file is still being made, what comes belongs behind that write.
      !this.#spilling &&
      this.#memoryBytes + chunk.length <= this.#limits.memoryBytes
    ) {
      this.#memory.push(chunk);
      this.#memoryBytes += chunk.length;
      return;
    }
    this.#pending.push(chunk);
    this.#pendingBytes += chunk.length;
    // The header stays at hand until the end.
    if (memory !== null && !ofHeader) this.#lent.push(memory);
  }

  /** Writes what waits; the checksum is made on the way, of the part in memory first. */
  async #spill(): Promise<void> {
    const chunks = this.#pending;
    const lent = this.#lent;
    this.#pending = [];
    this.#pendingBytes = 0;
    this.#lent = [];
    if (!this.#spilling) this.#crc = sum(this.#memory, 0);
    this.#spilling = true;
    this.#crc = sum(chunks, this.#crc);
    try {
      const spool = this.#spool ?? (await SpoolFile.create(this.#limits.folder));
      // Thrown away while the file was being made: nobody else knows of it.
      if (this.#discarded) return spool.close();
      this.#spool = spool;
      await spool.append(chunks);
      for (const memory of lent) memory.transfer(0);
    } catch (error) {
      this.#failure = error instanceof Error ? error : new Error(String(error));
      this.discard();
    } finally {
      this.#writing = null;
    }
  }

  #watchHeader(chunk: Buffer): void {
    const seam = Buffer.concat([this.#tail, chunk.subarray(0, 3)]);
    const inSeam = seam.indexOf(END_OF_HEADER);
    const inChunk = inSeam < 0 ? chunk.indexOf(END_OF_HEADER) : -1;
    if (inSeam >= 0) this.#headerEnd = this.#headBytes - this.#tail.length + inSeam + 2;
    else if (inChunk >= 0) this.#headerEnd = this.#headBytes + inChunk + 2;
    this.#head.push(chunk);
    this.#headBytes += chunk.length;
    this.#tail = Buffer.concat([this.#tail, chunk.subarray(-3)]).subarray(-3);
    // A header of just the limit ends two bytes further on: the answer must not depend on where chunks end.
    this.#headerDone = this.#headerEnd >= 0 || this.#headBytes >= this.#limits.headerBytes + 2;
  }

  #header(): { header: Buffer; headerCut: boolean } {
    const end = this.#headerEnd >= 0 ? this.#headerEnd : this.#headBytes;
    const length = Math.min(end, this.#limits.headerBytes);
    const first = this.#head[0] ?? Buffer.alloc(0);
    const header =
      length <= first.length ? first.subarray(0, length) : Buffer.concat(this.#head).subarray(0, length);
    this.#head = [];
    return { header, headerCut: end > length };
  }
}

function sum(chunks: readonly Buffer[], before: number): number {
  return chunks.reduce((crc, chunk) => crc32(chunk, crc), before);
}

async function* memoryAndSpool(memory: readonly Buffer[], spool: SpoolFile): AsyncIterable<Buffer> {
  yield* memory;
  yield* spool.read();
}
