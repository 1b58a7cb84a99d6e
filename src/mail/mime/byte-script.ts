/** What a script asks for: bytes to look at, or to have passed on as they come. */
export type Request =
  | { readonly kind: 'take'; readonly length: number }
  | { readonly kind: 'pass'; readonly length: number; readonly to: ((bytes: Buffer) => void) | null };

/** A reader of a binary format, written as if all bytes were there: it yields what it needs and is given the bytes. */
export type ByteScript = Generator<Request, void, Buffer>;

const NOTHING = Buffer.alloc(0);

/**
 * Runs a script over bytes that come in pieces. Memory: what the script takes at once. Counts the bytes given out and
 * their sum modulo 65536 (TNEF's check sum).
 */
export class ByteFeed {
  /** Bytes given to the script. */
  given = 0;
  /** Sum of these, modulo 65536. */
  sum = 0;
  #script: ByteScript | null = null;
  #request: Request | null = null;
  /** Bytes of a `take` that are here, and how many. */
  #taken = NOTHING;
  #filled = 0;
  #left = 0;

  /** Starts the script; it may ask this feed for its counts. */
  start(script: ByteScript): void {
    this.#script = script;
    this.#resume(null);
  }

  /** True when the script has come to its end. */
  get done(): boolean {
    return this.#request === null;
  }

  /** The next bytes; those behind the end of the script are dropped. Throws what the script throws. */
  write(bytes: Buffer): void {
    let at = 0;
    while (at < bytes.length && this.#request !== null) {
      const length = Math.min(this.#left, bytes.length - at);
      const piece = bytes.subarray(at, at + length);
      at += length;
      this.#left -= length;
      this.given += length;
      this.#add(piece);
      if (this.#request.kind === 'take') {
        piece.copy(this.#taken, this.#filled);
        this.#filled += length;
        if (this.#left === 0) this.#resume(this.#taken);
      } else {
        this.#request.to?.(piece);
        if (this.#left === 0) this.#resume(NOTHING);
      }
    }
  }

  #add(piece: Buffer): void {
    let sum = this.sum;
    for (const b of piece) sum += b;
    this.sum = sum & 0xffff;
  }

  /** Goes on until the script wants bytes that are not here. */
  #resume(answer: Buffer | null): void {
    const script = this.#script;
    if (script === null) return;
    this.#request = null;
    let step = answer === null ? script.next() : script.next(answer);
    while (step.done !== true && step.value.length === 0) step = script.next(NOTHING);
    if (step.done === true) return;
    this.#request = step.value;
    this.#left = step.value.length;
    this.#filled = 0;
    this.#taken = step.value.kind === 'take' ? Buffer.allocUnsafe(step.value.length) : NOTHING;
  }
}

/** The bytes up to some offset of a feed, as a script may ask for them. */
export class ByteRoom {
  readonly #feed: ByteFeed;
  readonly #end: number;

  /** The next `length` bytes of the feed. */
  constructor(feed: ByteFeed, length: number) {
    this.#feed = feed;
    this.#end = feed.given + length;
  }

  get left(): number {
    return this.#end - this.#feed.given;
  }

  /** The next `length` bytes. Throws a RangeError when the room does not hold so many. */
  *take(length: number): Generator<Request, Buffer, Buffer> {
    this.#check(length);
    return yield { kind: 'take', length };
  }

  *uint16(): Generator<Request, number, Buffer> {
    return (yield* this.take(2)).readUInt16LE(0);
  }

  *uint32(): Generator<Request, number, Buffer> {
    return (yield* this.take(4)).readUInt32LE(0);
  }

  /** The next `length` bytes to `to`, or to nobody. Throws a RangeError when the room does not hold so many. */
  *pass(length: number, to: ((bytes: Buffer) => void) | null = null): Generator<Request, void, Buffer> {
    this.#check(length);
    yield { kind: 'pass', length, to };
  }

  /** Whatever is left, to nobody. */
  *skipRest(): Generator<Request, void, Buffer> {
    yield* this.pass(this.left);
  }

  /** The next `length` bytes of this room as one of their own. Throws a RangeError when there are not so many. */
  inner(length: number): ByteRoom {
    this.#check(length);
    return new ByteRoom(this.#feed, length);
  }

  #check(length: number): void {
    if (length > this.left) throw new RangeError(`${length} bytes wanted where ${this.left} are left`);
  }
}
