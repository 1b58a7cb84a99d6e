import type { BodyCanonicalization, BodyDigest } from '../mail/body-hash.ts';
import { BodyHash } from '../mail/body-hash.ts';
import type { Message } from '../model/message.ts';

/**
 * Different hashes of one body: simple and relaxed, whole and up to somebody's `l=`. A sender can ask for as many as he
 * likes, and each costs another look at up to 50 MiB.
 */
const MAX_HASHES = 4;

/** The hashes of a message's body that its signatures need, taken in one pass over its bytes. */
export class BodyDigests {
  readonly #message: Message;
  readonly #hashes = new Map<string, BodyHash>();
  readonly #digests = new Map<string, BodyDigest>();

  constructor(message: Message) {
    this.#message = message;
  }

  /** Asks for a hash, before `read`. False: there are too many different ones. */
  want(canonicalization: BodyCanonicalization, length: number): boolean {
    const key = keyOf(canonicalization, length);
    if (this.#hashes.has(key) || this.#digests.has(key)) return true;
    if (this.#hashes.size + this.#digests.size >= MAX_HASHES) return false;
    this.#hashes.set(key, new BodyHash(canonicalization, length));
    return true;
  }

  /** Reads the body for all hashes asked for since the last time. Rejects when the spool file cannot be read. */
  read(): void | Promise<void> {
    if (this.#hashes.size === 0) return;
    const hashes = [...this.#hashes];
    this.#hashes.clear();
    const body = new BodyOf(this.#message);
    const write = (chunk: Buffer) => {
      const bytes = body.part(chunk);
      if (bytes.length > 0) for (const [, hash] of hashes) hash.write(bytes);
    };
    const done = () => {
      for (const [key, hash] of hashes) this.#digests.set(key, hash.digest());
    };
    const chunks = this.#message.chunks();
    if (Symbol.iterator in chunks) {
      for (const chunk of chunks) write(chunk);
      return done();
    }
    return (async () => {
      for await (const chunk of chunks) write(chunk);
      done();
    })();
  }

  /** The digest, after `read`; null when it was not asked for. */
  get(canonicalization: BodyCanonicalization, length: number): BodyDigest | null {
    return this.#digests.get(keyOf(canonicalization, length)) ?? null;
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
