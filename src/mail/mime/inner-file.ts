import { createHash, hash } from 'node:crypto';
import type { Hash } from 'node:crypto';
import type { FileName, Member } from '../../model/mime.ts';
import type { Consumed, OpenConsumer, PartConsumer } from './consumer.ts';
import { fileType } from './file-type.ts';

/** Bytes that `OpenConsumer` and `fileType` look at. */
const LEADING = 512;

/** What a file inside a part turned out to be, and what was found in it. */
export interface InnerFound {
  readonly member: Omit<Member, 'part'>;
  readonly inside: Consumed | Promise<Consumed> | null;
}

/**
 * A file inside a part while its bytes stream by: counts and hashes them, and has somebody look into them. `names` may
 * still grow while the first `hold` bytes come; whoever looks inside is chosen by the names known then. Memory: `hold`
 * bytes and what the one who looks inside keeps.
 */
export class InnerFile {
  readonly #names: readonly FileName[];
  readonly #container: 'uuencode' | 'tnef';
  readonly #within: readonly string[];
  readonly #open: OpenConsumer;
  readonly #hold: number;
  /** Null while all bytes are held. */
  #hash: Hash | null = null;
  #held: Buffer[] = [];
  #heldBytes = 0;
  #size = 0;
  #magic: string | null = null;
  #inside: PartConsumer | null = null;

  constructor(
    container: 'uuencode' | 'tnef',
    names: readonly FileName[],
    within: readonly string[],
    open: OpenConsumer,
    hold: number = LEADING,
  ) {
    this.#names = names;
    this.#container = container;
    this.#within = within;
    this.#open = open;
    this.#hold = Math.max(hold, LEADING);
  }

  /** As of a `PartConsumer`: whoever looks inside waits for the disk. */
  get pending(): Promise<void> | null {
    return this.#inside?.pending ?? null;
  }

  /** In place of `end`: frees what the one who looks inside holds. */
  abandon(): void {
    this.#held = [];
    this.#inside?.abandon?.();
  }

  /** The next bytes; they may be overwritten after the call. */
  write(bytes: Buffer): void {
    if (bytes.length === 0) return;
    this.#size += bytes.length;
    if (this.#hash !== null) {
      this.#hash.update(bytes);
      this.#inside?.write(bytes);
      return;
    }
    this.#held.push(Buffer.from(bytes));
    this.#heldBytes += bytes.length;
    if (this.#heldBytes < this.#hold) return;
    const held = this.#openInside();
    this.#hash = createHash('sha256').update(held);
  }

  /** The file is over; `whole` says whether all of it was here. Called once. */
  end(whole: boolean): InnerFound {
    const sha256 = this.#hash === null ? hash('sha256', this.#openInside(), 'hex') : this.#hash.digest('hex');
    const member = {
      within: this.#within,
      container: this.#container,
      names: [...this.#names],
      size: this.#size,
      sha256: whole ? sha256 : null,
      encrypted: false,
      magic: this.#magic,
    };
    return { member, inside: this.#inside === null ? null : this.#inside.end() };
  }

  /** Whoever looks inside gets what is held; gives that. */
  #openInside(): Buffer {
    const held = Buffer.concat(this.#held);
    this.#held = [];
    const leading = held.subarray(0, LEADING);
    this.#magic = fileType(leading);
    this.#inside = this.#open(
      {
        names: [...this.#names],
        types: ['application/octet-stream'],
        leading,
        magic: this.#magic,
        place: null,
      },
      this.#within,
    );
    this.#inside?.write(held);
    return held;
  }
}

/** What was found in one text or one winmail.dat: its files and what is in them, those that are still read too. */
export class InnerFinds {
  readonly #found: InnerFound[] = [];
  #ending: Promise<void> | null = null;
  #unfinished = 0;

  /** Takes a file that has ended. */
  add(found: InnerFound): void {
    this.#found.push(found);
    if (!(found.inside instanceof Promise)) return;
    this.#unfinished++;
    const before = this.#ending;
    const ending = Promise.all([before, found.inside]).then(() => {
      this.#unfinished--;
      if (this.#unfinished === 0) this.#ending = null;
    });
    this.#ending = ending;
  }

  /** Set while the insides of files that have ended are still read. Never rejects. */
  get pending(): Promise<void> | null {
    return this.#ending;
  }

  /** Everything, in the order of the files; a promise when some inside is still read. */
  consumed(anomalies: Consumed['anomalies']): Consumed | Promise<Consumed> {
    if (this.#found.some(it => it.inside instanceof Promise)) {
      return Promise.all(this.#found.map(async it => it.inside)).then(insides =>
        this.#join(insides, anomalies),
      );
    }
    const insides = this.#found.map(it => (it.inside instanceof Promise ? null : it.inside));
    return this.#join(insides, anomalies);
  }

  #join(insides: readonly (Consumed | null)[], anomalies: Consumed['anomalies']): Consumed {
    return {
      members: this.#found.flatMap((it, index) => [it.member, ...(insides[index]?.members ?? [])]),
      archives: insides.flatMap(it => it?.archives ?? []),
      anomalies: [...anomalies, ...insides.flatMap(it => it?.anomalies ?? [])],
    };
  }
}
