import { randomBytes } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { open, unlink } from 'node:fs/promises';
import { join } from 'node:path';

/** Bytes read at a time. */
const READ_BYTES = 128 * 1024;

/**
 * A file without a name: it is unlinked as soon as it is open, so that nothing is left of it when the process dies.
 */
export class SpoolFile {
  readonly #handle: FileHandle;
  #size = 0;

  private constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  /** Opens one in `folder`; rejects with the system's error when that fails. */
  static async create(folder: string): Promise<SpoolFile> {
    const path = join(folder, `.spool-${process.pid}-${randomBytes(8).toString('hex')}`);
    const handle = await open(path, 'wx+', 0o600);
    try {
      await unlink(path);
    } catch (error) {
      await handle.close();
      throw error;
    }
    return new SpoolFile(handle);
  }

  /** Appends; rejects when the disk is full. */
  async append(chunks: readonly Buffer[]): Promise<void> {
    let rest: readonly Buffer[] = chunks;
    while (rest.length > 0) {
      const { bytesWritten } = await this.#handle.writev(rest, this.#size);
      this.#size += bytesWritten;
      rest = dropBytes(rest, bytesWritten);
    }
  }

  /** The bytes from the beginning, in pieces; two buffers take turns, so a piece is valid until the next but one. */
  async *read(): AsyncIterable<Buffer> {
    const buffers = [Buffer.allocUnsafeSlow(READ_BYTES), Buffer.allocUnsafeSlow(READ_BYTES)];
    for (let at = 0, turn = 0; at < this.#size; turn++) {
      const buffer = buffers[turn % 2] as Buffer;
      const { bytesRead } = await this.#handle.read(buffer, 0, Math.min(READ_BYTES, this.#size - at), at);
      if (bytesRead === 0) throw new Error(`spool file ended at byte ${at} of ${this.#size}`);
      at += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  }

  close(): void {
    // Nothing can be done about a failing close of a file that has no name any more.
    this.#handle.close().catch(() => undefined);
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
