import { SpoolFile } from '../spool-file.ts';

/** The bytes of a file, all there, readable at any place. */
export interface ArchiveBytes {
  readonly size: number;
  /**
   * Up to `length` bytes from byte `at` on, fewer where they end, none outside; valid until `close`, not to be changed.
   * Rejects with the system's error.
   */
  read(at: number, length: number): Buffer | Promise<Buffer>;
}

/** Kept in memory up to here, in a file beyond. Bytes. */
const MEMORY_BYTES = 1024 * 1024;

/** Collected before it is written to the file. Bytes. */
const BATCH_BYTES = 256 * 1024;

/**
 * Collects the bytes of one file as they come, in memory and then in an unlinked file. `write` never waits; what
 * the disk has not taken yet is kept in memory, so that a writer who awaits `pending` before the next piece keeps
 * memory flat, and one who can't stays correct.
 */
export class CollectedBytes implements ArchiveBytes {
  readonly #folder: string;
  #chunks: Buffer[] = [];
  #waiting = 0;
  #size = 0;
  #file: SpoolFile | null = null;
  #writing: Promise<void> | null = null;
  #failure: Error | null = null;
  #memory: Buffer | null = null;
  #closed = false;

  /** `folder` is where the file goes. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  get size(): number {
    return this.#size;
  }

  /** See PartConsumer. */
  get pending(): Promise<void> | null {
    return this.#writing;
  }

  /** Appends a copy of `bytes`. */
  write(bytes: Buffer): void {
    this.#size += bytes.length;
    if (this.#failure !== null || this.#closed) return;
    this.#chunks.push(Buffer.from(bytes));
    this.#waiting += bytes.length;
    if (this.#size > MEMORY_BYTES && this.#waiting >= BATCH_BYTES) this.#flush();
  }

  /** Nothing more comes: rejects when the bytes could not be kept. */
  async complete(): Promise<void> {
    if (this.#size <= MEMORY_BYTES) this.#memory = Buffer.concat(this.#chunks.splice(0));
    else this.#flush();
    while (this.#writing !== null) await this.#writing;
    if (this.#failure !== null) throw this.#failure;
  }

  read(at: number, length: number): Buffer | Promise<Buffer> {
    if (at < 0 || at >= this.#size) return Buffer.alloc(0);
    if (this.#memory !== null) return this.#memory.subarray(at, at + length);
    if (this.#file === null) throw new Error('read before the bytes are complete');
    return this.#file.readAt(at, length);
  }

  /** All bytes in order, once they are complete; a piece is valid until the next is asked for. */
  chunks(): Iterable<Buffer> | AsyncIterable<Buffer> {
    if (this.#memory !== null) return [this.#memory];
    if (this.#file === null) throw new Error('read before the bytes are complete');
    return this.#file.read();
  }

  /** Frees what is held; may be called at any time, also twice. */
  close(): void {
    this.#closed = true;
    this.#chunks = [];
    this.#memory = null;
    if (this.#writing === null) this.#file?.close();
  }

  #flush(): void {
    if (this.#chunks.length > 0) this.#writing ??= this.#append();
  }

  /** Writes what waits, and what comes meanwhile; never rejects. */
  async #append(): Promise<void> {
    try {
      this.#file ??= await SpoolFile.create(this.#folder);
      while (this.#chunks.length > 0) {
        const chunks = this.#chunks.splice(0);
        this.#waiting = 0;
        await this.#file.append(chunks);
      }
    } catch (error) {
      this.#failure = error instanceof Error ? error : new Error(String(error));
      this.#chunks = [];
    }
    this.#writing = null;
    if (this.#closed) this.#file?.close();
  }
}
