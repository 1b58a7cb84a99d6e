/** Room that a window begins with; most messages fit. */
const FIRST_BYTES = 8 * 1024;

/** The stretch of a stream that is being looked at: bytes come in at its end and are given up at its beginning. */
export class ByteWindow {
  /** Offset in the stream of the first byte of `bytes`. */
  base = 0;
  #room: Buffer;
  #start = 0;
  #end = 0;

  constructor(base = 0) {
    this.base = base;
    this.#room = Buffer.allocUnsafe(FIRST_BYTES);
  }

  get length(): number {
    return this.#end - this.#start;
  }

  /** What is in it; valid until the next `append`. */
  get bytes(): Buffer {
    return this.#room.subarray(this.#start, this.#end);
  }

  /** Copies `chunk` to the end. Each byte is moved a bounded number of times, however small the pieces are. */
  append(chunk: Buffer): void {
    if (this.#end + chunk.length > this.#room.length) this.#makeRoom(chunk.length);
    chunk.copy(this.#room, this.#end);
    this.#end += chunk.length;
  }

  /** Gives up the first `count` bytes. */
  drop(count: number): void {
    this.#start += count;
    this.base += count;
    if (this.#start === this.#end) {
      this.#start = 0;
      this.#end = 0;
    }
  }

  #makeRoom(wanted: number): void {
    const kept = this.#end - this.#start;
    if ((kept + wanted) * 2 <= this.#room.length) this.#room.copyWithin(0, this.#start, this.#end);
    else {
      const room = Buffer.allocUnsafeSlow(Math.max((kept + wanted) * 2, this.#room.length * 2));
      this.#room.copy(room, 0, this.#start, this.#end);
      this.#room = room;
    }
    this.#start = 0;
    this.#end = kept;
  }
}
