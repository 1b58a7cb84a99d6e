import { randomBytes } from 'node:crypto';
import { close, ftruncate, open, read, unlink, writev } from 'node:fs';
import { join } from 'node:path';

/** Bytes read at a time. */
const READ_BYTES = 256 * 1024;
/** Files kept open for the next message, for each folder: opening one costs more than writing a megabyte into it. */
const MAX_IDLE = 8;
/** A file that has grown beyond this gives its blocks back before it waits for the next message. */
const MAX_IDLE_BYTES = 2 * 1024 * 1024;

/** An open file without a name that nobody uses. */
interface IdleFile {
  readonly fd: number;
  /** How far it has been written. */
  readonly written: number;
}

/** Two buffers that take turns. */
type BufferPair = readonly [Buffer, Buffer];

/** Idle files by folder, and buffers of readers that are done. */
const idle = new Map<string, IdleFile[]>();
const spareBuffers: BufferPair[] = [];

/**
 * A file without a name: it is unlinked as soon as it is open, so that nothing is left of it when the process dies. The
 * system's file is used again for later messages, in a SpoolFile of their own: whoever still holds this one after
 * `close` gets an error, and never another message's bytes.
 */
export class SpoolFile {
  readonly #fd: number;
  readonly #folder: string;
  #size = 0;
  #written: number;
  /** Buffers of readers that are done; what they gave out is good until `close`. */
  readonly #doneBuffers: BufferPair[] = [];
  /** Operations under way; the file is not used again before they are over. */
  #working = 0;
  #closed = false;
  /** Reading or writing it failed once. */
  #failed = false;

  private constructor(fd: number, folder: string, written: number) {
    this.#fd = fd;
    this.#folder = folder;
    this.#written = written;
  }

  /** An empty one in `folder`; rejects with the system's error when that fails. */
  static async create(folder: string): Promise<SpoolFile> {
    const waiting = idle.get(folder)?.pop();
    if (waiting !== undefined) return new SpoolFile(waiting.fd, folder, waiting.written);
    const path = join(folder, `.spool-${process.pid}-${randomBytes(8).toString('hex')}`);
    const fd = await new Promise<number>((resolve, reject) => {
      open(path, 'wx+', 0o600, (error, opened) => (error ? reject(error) : resolve(opened)));
    });
    await new Promise<void>((resolve, reject) => {
      unlink(path, error => {
        if (!error) return resolve();
        close(fd, () => reject(error));
      });
    });
    return new SpoolFile(fd, folder, 0);
  }

  /** Appends; rejects when the disk is full. One call at a time. */
  async append(chunks: readonly Buffer[]): Promise<void> {
    let rest: readonly Buffer[] = chunks;
    while (rest.length > 0) {
      const written = await this.#operation<number>(done => writev(this.#fd, rest, this.#size, done));
      this.#size += written;
      this.#written = Math.max(this.#written, this.#size);
      rest = dropBytes(rest, written);
    }
  }

  /**
   * The bytes from the beginning, in pieces; a piece is valid until the next but one is asked for. Several readers may
   * be at work at a time, each at its own pace.
   */
  async *read(): AsyncIterable<Buffer> {
    const buffers = spareBuffers.pop() ?? [
      Buffer.allocUnsafeSlow(READ_BYTES),
      Buffer.allocUnsafeSlow(READ_BYTES),
    ];
    try {
      for (let at = 0, turn = 0; at < this.#size; turn++) {
        const buffer = buffers[turn % 2] as Buffer;
        const wanted = Math.min(READ_BYTES, this.#size - at);
        const got = await this.#operation<number>(done => read(this.#fd, buffer, 0, wanted, at, done));
        if (got === 0) throw new Error(`spool file ended at byte ${at} of ${this.#size}`);
        at += got;
        yield buffer.subarray(0, got);
      }
    } finally {
      // A reader that is cut short by `close` may still be writing its last piece somewhere.
      if (!this.#closed) this.#doneBuffers.push(buffers);
    }
  }

  /**
   * Up to `length` bytes from byte `at` on, fewer where the file ends; rejects with the system's error. The bytes are the
   * caller's own.
   */
  async readAt(at: number, length: number): Promise<Buffer> {
    const wanted = Math.max(0, Math.min(length, this.#size - at));
    const buffer = Buffer.allocUnsafe(wanted);
    for (let filled = 0; filled < wanted; ) {
      const got = await this.#operation<number>(done =>
        read(this.#fd, buffer, filled, wanted - filled, at + filled, done),
      );
      if (got === 0) throw new Error(`spool file ended at byte ${at + filled} of ${this.#size}`);
      filled += got;
    }
    return buffer;
  }

  /** Gives the file back. Nothing may be appended or read afterwards. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#working === 0) this.#retire();
  }

  async #operation<T>(start: (done: (error: Error | null, result: T) => void) => void): Promise<T> {
    if (this.#closed) throw new Error('the spool file is closed');
    this.#working++;
    try {
      return await new Promise<T>((resolve, reject) => {
        start((error, result) => (error ? reject(error) : resolve(result)));
      });
    } catch (error) {
      this.#failed = true;
      throw error;
    } finally {
      this.#working--;
      if (this.#working === 0 && this.#closed) this.#retire();
    }
  }

  #retire(): void {
    for (const buffers of this.#doneBuffers.splice(0)) {
      if (spareBuffers.length < MAX_IDLE) spareBuffers.push(buffers);
    }
    const files = idle.get(this.#folder) ?? [];
    idle.set(this.#folder, files);
    // What failed, most often for want of space, gives its space back at once.
    // Nothing can be done about a failing close of a file that has no name any more.
    if (this.#failed || files.length >= MAX_IDLE) return close(this.#fd, () => undefined);
    if (this.#written <= MAX_IDLE_BYTES) return void files.push({ fd: this.#fd, written: this.#written });
    ftruncate(this.#fd, 0, error => {
      if (error || files.length >= MAX_IDLE) return close(this.#fd, () => undefined);
      files.push({ fd: this.#fd, written: 0 });
    });
  }
}

function dropBytes(chunks: readonly Buffer[], count: number): Buffer[] {
  const rest: Buffer[] = [];
  let skip = count;
  for (const chunk of chunks) {
    if (skip >= chunk.length) skip -= chunk.length;
    else {
      rest.push(skip === 0 ? chunk : chunk.subarray(skip));
      skip = 0;
    }
  }
  return rest;
}
