import type { BodyCanonicalization, BodyDigest } from '../mail/body-hash.ts';
import { BodyHash } from '../mail/body-hash.ts';
import type { Message } from '../model/message.ts';

/**
 * Different hashes of a part of one body, up to somebody's `l=`. A sender can ask for as many as he likes, and each costs
 * another look at up to 50 MiB.
 */
const MAX_PARTS = 2;

/** The hashes of a message's body that its signatures need, taken in one pass over its bytes. */
export class BodyDigests {
  readonly #message: Message;
  readonly #asked = new Set<string>();
  #parts = 0;
  /** Asked for since the last pass began. */
  #waiting: [key: string, hash: BodyHash][] = [];
  readonly #digests = new Map<string, BodyDigest>();
  #reading: Promise<void> | null = null;

  constructor(message: Message) {
    this.#message = message;
  }

  /** Asks for a hash, before `read`. False: there are too many different ones. */
  want(canonicalization: BodyCanonicalization, length: number): boolean {
    const key = keyOf(canonicalization, length);
    if (this.#asked.has(key)) return true;
    // The two hashes of the whole body are always to be had: nobody's `l=` takes their place.
    if (length !== Infinity && ++this.#parts > MAX_PARTS) return false;
    this.#asked.add(key);
    this.#waiting.push([key, new BodyHash(canonicalization, length)]);
    return true;
  }

  /** Reads the body until all hashes asked for so far are there. Rejects when the spool file cannot be read. */
  async read(): Promise<void> {
    const before = this.#reading;
    const hashes = this.#waiting;
    if (hashes.length > 0) {
      this.#waiting = [];
      this.#reading = this.#pass(hashes);
    }
    // Both at once: a pass that fails while another is waited for must have somebody who hears of it.
    await Promise.all([before, this.#reading]);
  }

  /** The digest, after `read`; null when it was not asked for. */
  get(canonicalization: BodyCanonicalization, length: number): BodyDigest | null {
    return this.#digests.get(keyOf(canonicalization, length)) ?? null;
  }

  async #pass(hashes: readonly (readonly [key: string, hash: BodyHash])[]): Promise<void> {
    const body = new BodyOf(this.#message);
    const write = (chunk: Buffer) => {
      const bytes = body.part(chunk);
      if (bytes.length > 0) for (const [, hash] of hashes) hash.write(bytes);
    };
    const chunks = this.#message.chunks();
    if (Symbol.iterator in chunks) for (const chunk of chunks) write(chunk);
    else for await (const chunk of chunks) write(chunk);
    for (const [key, hash] of hashes) this.#digests.set(key, hash.digest());
  }
}

/** Finds the body among the bytes of a message: what stands behind the empty line. */
export class BodyOf {
  #skip: number;

  /** The header block must be whole (`headerCut` is false). */
  constructor(message: Pick<Message, 'header'>) {
    this.#skip = message.header.length + 2;
  }

  /** What of the next bytes belongs to the body. */
  part(chunk: Buffer): Buffer {
    if (this.#skip === 0) return chunk;
    const skipped = Math.min(this.#skip, chunk.length);
    this.#skip -= skipped;
    return chunk.subarray(skipped);
  }
}

function keyOf(canonicalization: BodyCanonicalization, length: number): string {
  return `${canonicalization} ${length}`;
}
