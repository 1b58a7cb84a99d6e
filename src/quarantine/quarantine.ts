import { remove } from '../mail/durable-file.ts';
import type { HeldState } from '../model/held-state.ts';
import type { HeldEntry, HeldMove, QuarantineIndex } from '../store/quarantine-index.ts';
import { HeldFiles, named } from './files.ts';
import type { HeldHead } from './format.ts';
import type { HeldFile, HeldMessage } from './held-file.ts';

/*
 * Two places know the state of a copy. The index decides between two who want to move it, in one atomic statement; the
 * file keeps what became of it. To send a copy, in this order:
 *
 *   R1  index: held to releasing. Whoever does not get it leaves it alone
 *   R2  file read again: when it says released, an old index was in use; the index is set right and nothing is sent
 *   R3  file: releasing, synced
 *   R4  sent, and answered
 *   R5  file: released, or held again, synced
 *   R6  index: the same
 *
 * A crash after R1 leaves `releasing` behind, and nobody knows whether the hop has the message: it stays until somebody
 * takes it on himself to send it again. A crash between R5 and R6 leaves an index behind that is set right by the next
 * who looks (R2, `rebuild`).
 */

/** A release that has not come to its end after this time has died: milliseconds. No hop is waited for that long. */
export const RELEASE_MS = 10 * 60_000;

/** Ids taken from the index at a time. */
const PAGE = 1000;
/** Copies taken up in one transaction. */
const BATCH = 100;

/** A copy that is ours to send. */
export interface Claim {
  readonly head: HeldHead;
  readonly message: HeldMessage;
  /** Numbers of the recipients in `head` that were claimed; empty when there was nothing to claim. */
  readonly numbers: readonly number[];
  /** Notes what became of some of them. */
  finish(numbers: readonly number[], state: 'released' | 'held'): Promise<void>;
  close(): Promise<void>;
}

/** Told how far a long job is, and of files that cannot be used. */
export interface Watcher {
  progress?(done: number, total: number): void;
  problem?(text: string): void;
}

/** The held copies of one folder, with their index. The methods reject with QuarantineError, StoreError or the system's error. */
export class Quarantine {
  readonly files: HeldFiles;
  readonly index: QuarantineIndex;
  readonly #now: () => number;

  constructor(folder: string, index: QuarantineIndex, now: () => number) {
    this.files = new HeldFiles(folder);
    this.index = index;
    this.#now = now;
  }

  /** Opens the file of a copy; with `r+` to change it. */
  async open(id: string, mode: 'r' | 'r+' = 'r'): Promise<HeldFile> {
    return (await this.files.open(id, mode)).file;
  }

  /** Takes copies that were just held into the index. Files that cannot be used are told to `watcher` and left out. */
  async takeUp(ids: readonly string[], watcher: Watcher = {}): Promise<void> {
    for (let at = 0; at < ids.length; at += BATCH) {
      const entries: HeldEntry[] = [];
      for (const id of ids.slice(at, at + BATCH)) {
        const entry = await this.#entry(id, watcher);
        if (entry !== null) entries.push(entry);
      }
      await this.index.add(entries);
      watcher.progress?.(Math.min(at + BATCH, ids.length), ids.length);
    }
  }

  /**
   * Takes up the copies that are not in the index (their process died between 250 and telling us), and forgets those whose
   * files somebody has removed. To how many were taken up.
   */
  async catchUp(watcher: Watcher = {}): Promise<number> {
    const { missing } = await this.#compared();
    await this.takeUp(missing, watcher);
    return missing.length;
  }

  /** Makes the index from the files anew. A copy that is being released at this moment stays as it is. */
  async rebuild(watcher: Watcher = {}): Promise<{ readonly copies: number; readonly forgotten: number }> {
    const { files, gone } = await this.#compared();
    let copies = 0;
    let seen = 0;
    for (const id of files.keys()) {
      const entry = await this.#entry(id, watcher);
      if (entry !== null) {
        await this.index.set(entry, this.#now() - RELEASE_MS);
        copies++;
      }
      seen++;
      watcher.progress?.(seen, files.size);
    }
    return { copies, forgotten: gone };
  }

  /**
   * Claims copies for sending: R1 to R3. `again`: also those whose release died. Nothing is claimed of a copy whose
   * bytes are not intact.
   */
  async claim(id: string, of: readonly number[] | null, again: boolean): Promise<Claim> {
    const { file, path } = await this.files.open(id, 'r+');
    try {
      const message = await file.message().catch((error: unknown) => {
        throw named(path, error);
      });
      await this.index.add([await entryOf(file)]);
      const now = this.#now();
      const claimed = await this.#move(of, { id, from: 'held', to: 'releasing', now });
      if (again) {
        const dead = { id, from: 'releasing', to: 'releasing', now, sinceBefore: now - RELEASE_MS } as const;
        claimed.push(...(await this.#move(of, dead)));
      }
      const numbers = await this.#confirmed(id, claimed, again);
      await file.setState(numbers, 'releasing', now);
      return {
        head: file.head,
        message,
        numbers,
        finish: (some, state) => this.#finish(file, path, some, state),
        close: () => file[Symbol.asyncDispose](),
      };
    } catch (error) {
      await file[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Deletes copies that are held or were released; the contents go with the last of them. To the recipients' numbers. */
  async delete(id: string, of: readonly number[] | null): Promise<number[]> {
    return this.#end(id, of, 'deleted', ['held', 'released']);
  }

  /**
   * Ends a copy that is too old: who still waits has `expired`, and contents are removed. A release that is under way is
   * left alone. True when the contents are gone.
   */
  async expire(id: string): Promise<boolean> {
    if ((await this.files.find(id)) === null) {
      await this.index.remove([id]);
      return true;
    }
    await this.#end(id, null, 'expired', ['held']);
    await this.#end(id, null, 'expired', ['releasing'], this.#now() - RELEASE_MS);
    const entry = await this.index.byId(id);
    if (entry === null || entry.recipients.some(r => r.state === 'releasing')) return false;
    const { file, path } = await this.files.open(id, 'r+');
    await using open = file;
    await this.#empty(open, path);
    return true;
  }

  /** Removes what is left of a copy: its file and its place in the index. */
  async forget(id: string): Promise<void> {
    const path = await this.files.find(id);
    if (path !== null) await remove(path);
    await this.index.remove([id]);
  }

  async close(): Promise<void> {
    await this.index.close();
  }

  async #entry(id: string, watcher: Watcher): Promise<HeldEntry | null> {
    try {
      const { file } = await this.files.open(id, 'r');
      await using open = file;
      return await entryOf(open);
    } catch (error) {
      watcher.problem?.(error instanceof Error ? error.message : String(error));
      return null;
    }
  }

  /** Which of the recipients claimed in the index the file lets us send to; the others are set right in the index. */
  async #confirmed(id: string, claimed: readonly number[], again: boolean): Promise<number[]> {
    if (claimed.length === 0) return [];
    await using file = await this.open(id);
    const states: readonly (HeldState | undefined)[] = file.head.recipients.map(r => r.state);
    const fits = (n: number) => states[n] === 'held' || (again && states[n] === 'releasing');
    if (!claimed.every(fits))
      await this.#setRight(
        file,
        claimed.filter(n => !fits(n)),
      );
    return claimed.filter(fits).toSorted((a, b) => a - b);
  }

  async #setRight(file: HeldFile, numbers: readonly number[]): Promise<void> {
    for (const n of numbers) {
      const to = file.head.recipients[n]?.state;
      if (to === undefined) continue;
      await this.index.move({ id: file.head.id, n, from: 'releasing', to, now: this.#now() });
    }
  }

  async #finish(
    file: HeldFile,
    path: string,
    numbers: readonly number[],
    state: 'released' | 'held',
  ): Promise<void> {
    if (numbers.length === 0) return;
    const now = this.#now();
    const { id } = file.head;
    await file.setState(numbers, state, now);
    for (const n of numbers) await this.index.move({ id, n, from: 'releasing', to: state, now });
    await this.#settle(file, path);
  }

  /** Moves the copies of these recipients; null: of all. */
  async #move(of: readonly number[] | null, move: Omit<HeldMove, 'n'>): Promise<number[]> {
    const moved: number[] = [];
    for (const n of of ?? [null]) moved.push(...(await this.index.move({ ...move, n })));
    return moved;
  }

  /** Ends copies that are in one of the states `from`: index first, then the file, then its contents. */
  async #end(
    id: string,
    of: readonly number[] | null,
    to: 'deleted' | 'expired',
    from: readonly HeldState[],
    sinceBefore = Number.MAX_SAFE_INTEGER,
  ): Promise<number[]> {
    const { file, path } = await this.files.open(id, 'r+');
    await using open = file;
    await this.index.add([await entryOf(open)]);
    const now = this.#now();
    const numbers: number[] = [];
    for (const state of from)
      numbers.push(...(await this.#move(of, { id, from: state, to, now, sinceBefore })));
    if (numbers.length === 0) return [];
    await open.setState(numbers, to, now);
    await this.#settle(open, path);
    return numbers.toSorted((a, b) => a - b);
  }

  /** When nobody's copy waits any more: shows that, and removes contents that nobody may have. */
  async #settle(file: HeldFile, path: string): Promise<void> {
    const entry = await this.index.byId(file.head.id);
    if (entry === null || entry.recipients.some(r => r.state === 'held' || r.state === 'releasing')) return;
    if (entry.recipients.every(r => r.state !== 'released')) return this.#empty(file, path);
    await this.files.settle(path, file.head.id, file.hasContent);
  }

  async #empty(file: HeldFile, path: string): Promise<void> {
    await file.dropContent();
    await this.index.dropContent(file.head.id);
    await this.files.settle(path, file.head.id, false);
  }

  /** Looks for differences between index and folder, and forgets what is not in the folder any more. */
  async #compared() {
    const indexed = new Set<string>();
    for (let after: string | undefined = ''; after !== undefined; ) {
      const page: readonly string[] = await this.index.ids(after, PAGE);
      for (const id of page) indexed.add(id);
      after = page.at(-1);
    }
    // Listed after the index was: what the index has and this has not is gone.
    const files = await this.files.all();
    const gone = [...indexed].filter(id => !files.has(id));
    await this.index.remove(gone);
    return { files, missing: [...files.keys()].filter(id => !indexed.has(id)), gone: gone.length };
  }
}

/** A copy as its file tells it. */
export async function entryOf(file: HeldFile): Promise<HeldEntry> {
  const { head } = file;
  return {
    id: head.id,
    time: head.time,
    sender: head.sender,
    clientIp: head.clientIp,
    messageId: head.record.messageId,
    subject: await file.subject(),
    size: head.content.size,
    hasContent: file.hasContent,
    recipients: head.recipients.map(({ address, rule, verdict, state, since }) => ({
      address,
      rule,
      verdict,
      state,
      since,
    })),
  };
}
