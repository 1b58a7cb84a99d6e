import { fstatSync, write, writeSync } from 'node:fs';

/** Lines are written together at most this long after the first, milliseconds. */
const FLUSH_MS = 50;
/** A pipe takes this much at once or not at all, so lines of several workers never mix (pipe(7), PIPE_BUF). */
const MAX_PIPE_WRITE = 4096;
/** A file takes any amount in one piece. */
const MAX_FILE_WRITE = 65_536;
/** Lines that wait for a slow reader; beyond it new ones are dropped and counted rather than memory filled. */
const MAX_WAITING_BYTES = 8 * 1024 * 1024;

/**
 * Writes whole lines to a descriptor without ever blocking the event loop: several lines in one write, each write
 * ending at the end of a line. Waits for a slow reader (multilog pauses when its disk is full) with a bounded queue.
 */
export class LineWriter {
  dropped = 0;
  readonly #fd: number;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #timer: NodeJS.Timeout | null = null;
  #writing = false;
  readonly #maxWrite: number;

  constructor(fd: number) {
    this.#fd = fd;
    this.#maxWrite = fstatSync(fd).isFile() ? MAX_FILE_WRITE : MAX_PIPE_WRITE;
  }

  /** Takes a line with its LF. */
  write(line: string): void {
    if (this.#waitingBytes > MAX_WAITING_BYTES) {
      this.dropped++;
      return;
    }
    const bytes = Buffer.from(line);
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    if (this.#writing) return;
    if (this.#waitingBytes >= this.#maxWrite) this.#writeSome();
    else this.#timer ??= setTimeout(() => this.#writeSome(), FLUSH_MS).unref();
  }

  /** Writes what is left, synchronously: for the end of the process. */
  flushSync(): void {
    for (let chunk = this.#take(); chunk.length > 0; chunk = this.#take()) {
      try {
        for (let at = 0; at < chunk.length; ) at += writeSync(this.#fd, chunk, at);
      } catch {
        // Whoever reads the log is gone; there is nobody left to tell.
        return;
      }
    }
  }

  /** As many whole lines as fit into one write; at least one. */
  #take(): Buffer {
    let bytes = 0;
    let count = 0;
    for (const line of this.#waiting) {
      if (count > 0 && bytes + line.length > this.#maxWrite) break;
      bytes += line.length;
      count++;
    }
    this.#waitingBytes -= bytes;
    return Buffer.concat(this.#waiting.splice(0, count), bytes);
  }

  #writeSome(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const chunk = this.#take();
    if (chunk.length === 0) return;
    this.#writing = true;
    this.#writeAll(chunk, 0);
  }

  #writeAll(chunk: Buffer, from: number): void {
    write(this.#fd, chunk, from, chunk.length - from, (error, written) => {
      if (error?.code === 'EAGAIN') {
        setTimeout(() => this.#writeAll(chunk, from), FLUSH_MS).unref();
        return;
      }
      if (!error && from + written < chunk.length) return this.#writeAll(chunk, from + written);
      this.#writing = false;
      if (this.#waiting.length > 0) this.#writeSome();
    });
  }
}
