/** Room that a window begins with, once it needs some of its own; most messages fit. */
const FIRST_BYTES = 8 * 1024;

const NOTHING = Buffer.alloc(0);

/**
 * The stretch of a stream that is being looked at: bytes come in at its end and are given up at its beginning. Looks at
 * the bytes where they are as long as it can: they must stay as they are until `keep`.
 */
export class ByteWindow {
  /** Offset in the stream of the first byte of `bytes`. */
  base = 0;
  /** What the bytes lie in: memory of its own, or of the one who brought them. */
  #room: Buffer = NOTHING;
  #own: Buffer = NOTHING;
  #start = 0;
  #end = 0;

  constructor(base = 0) {
    this.base = base;
  }

  get length(): number {
    return this.#end - this.#start;
  }

  /** What is in it; valid until the next `append` or `keep`. */
  get bytes(): Buffer {
    return this.#room.subarray(this.#start, this.#end);
  }

  /** Adds the bytes of `source` from `start` to `end`. Each is moved a bounded number of times, however small the pieces are. */
  append(source: Buffer, start: number, end: number): void {
    if (this.#start === this.#end) {
      this.#room = source;
      this.#start = start;
      this.#end = end;
      return;
    }
    if (this.#room === source && this.#end === start) {
      this.#end = end;
      return;
    }
    this.keep();
    if (this.#end + end - start > this.#own.length) this.#makeRoom(end - start);
    this.#end += source.copy(this.#own, this.#end, start, end);
  }

  /** Copies what is left into memory of its own: what was appended may change. */
  keep(): void {
    const { length } = this;
    if (this.#room === this.#own) return;
    if (this.#own.length < length) this.#own = Buffer.allocUnsafeSlow(Math.max(FIRST_BYTES, length * 2));
    this.#room.copy(this.#own, 0, this.#start, this.#end);
    this.#room = this.#own;
    this.#start = 0;
    this.#end = length;
  }

  /** Gives up the first `count` bytes. */
  drop(count: number): void {
    this.#start += count;
    this.base += count;
  }

  #makeRoom(wanted: number): void {
    const kept = this.#end - this.#start;
    if ((kept + wanted) * 2 <= this.#own.length) this.#own.copyWithin(0, this.#start, this.#end);
    else {
      const room = Buffer.allocUnsafeSlow(Math.max((kept + wanted) * 2, this.#own.length * 2, FIRST_BYTES));
      this.#own.copy(room, 0, this.#start, this.#end);
      this.#own = room;
      this.#room = room;
    }
    this.#start = 0;
    this.#end = kept;
  }
}
