import type { MimeLimits } from '../../model/mime.ts';

/** Bytes of entries that are unpacked for nothing but their SHA-256, all archives of a message together. */
const HASHED_BYTES = 1024 * 1024;

/** Bytes of names kept of all archives of a message: a name may be 64 KiB long, and there may be thousands. */
const NAME_BYTES = 4 * 1024 * 1024;

/** What unpacks to less than this is no bomb, however well it was packed: a blank picture easily reaches 1000 to 1. */
const RATIO_FLOOR = 10 * 1024 * 1024;

/** Milliseconds of work after which others get their turn. */
const TURN_MS = 4;

/**
 * What may still be spent on the archives of one message, all of them together, however they are nested. The methods
 * that take return false when that much is not left; whoever gets a false stops and reports the state `limit`.
 */
export class ArchiveBudget {
  readonly #limits: MimeLimits;
  #entries: number;
  #bytes: number;
  #hashed = HASHED_BYTES;
  #names = NAME_BYTES;
  #turnStarted = performance.now();

  constructor(limits: MimeLimits) {
    this.#limits = limits;
    this.#entries = limits.archiveEntries;
    this.#bytes = limits.archiveBytes;
  }

  /** One more entry whose name takes `nameBytes`. */
  takeEntry(nameBytes: number): boolean {
    if (this.#entries < 1 || this.#names < nameBytes) return false;
    this.#entries--;
    this.#names -= nameBytes;
    return true;
  }

  /** `count` more bytes unpacked. */
  takeBytes(count: number): boolean {
    if (this.#bytes < count) {
      this.#bytes = 0;
      return false;
    }
    this.#bytes -= count;
    return true;
  }

  /** Nothing may be unpacked any more. */
  get spent(): boolean {
    return this.#bytes <= 0;
  }

  /** `count` bytes to be unpacked for their hash; a false means "not this one", and is no limit that anybody set. */
  takeHashed(count: number): boolean {
    if (this.#hashed < count) return false;
    this.#hashed -= count;
    return true;
  }

  /** Whether `unpacked` bytes out of `packed` are more than an honest packer makes. */
  ratioExceeded(unpacked: number, packed: number): boolean {
    return unpacked > RATIO_FLOOR && unpacked > packed * this.#limits.archiveRatio;
  }

  /** Whether an archive with `around` archives around it may be opened. */
  mayOpen(around: number): boolean {
    return around < this.#limits.archiveDepth;
  }

  /** Lets others have their turn when this one has lasted long enough. */
  async pace(): Promise<void> {
    if (performance.now() - this.#turnStarted < TURN_MS) return;
    await new Promise<void>(resolve => setImmediate(resolve));
    this.#turnStarted = performance.now();
  }
}
