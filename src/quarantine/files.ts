import { access, readdir, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { remove } from '../mail/durable-file.ts';
import { HeldFileError, isHeldId } from './format.ts';
import { HeldFile } from './held-file.ts';

/** What lies in `tmp` for so long is not being written any more (maildir(5)): milliseconds. */
const LITTER_MS = 36 * 3_600_000;

/** Flags of a file in `cur` (maildir(5)): nobody's copy waits any more; the same, and its contents are gone. */
const DONE = ':2,S';
const EMPTY = ':2,ST';

/** Why a copy cannot be had, for the administrator; it names the file. */
export class QuarantineError extends Error {
  override readonly name = 'QuarantineError';
}

/**
 * The names in the quarantine's Maildir. The part before the colon is the id of the held copy; the rest, and whether a
 * file lies in new or cur, says nothing that counts, since mail tools may change it.
 */
export class HeldFiles {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  /** Where the copy `id` is now; null when there is no such file. Rejects when the folder cannot be read. */
  async find(id: string): Promise<string | null> {
    if (!isHeldId(id)) return null;
    for (const name of [`new/${id}`, `cur/${id}${DONE}`, `cur/${id}${EMPTY}`]) {
      const path = join(this.folder, name);
      if (await exists(path)) return path;
    }
    return (await this.all()).get(id) ?? null;
  }

  /**
   * Opens the file of a copy; with `r+` to change it. Rejects with a QuarantineError when there is none or it cannot be
   * used, and with the system's error.
   */
  async open(id: string, mode: 'r' | 'r+'): Promise<{ readonly file: HeldFile; readonly path: string }> {
    for (let attempt = 1; ; attempt++) {
      const path = await this.find(id);
      if (path === null) throw new QuarantineError(`${id}: no such held copy`);
      try {
        return { path, file: await HeldFile.open(path, id, mode) };
      } catch (error) {
        // A mail tool may have moved it from new to cur since we looked.
        const moved = error instanceof Error && 'code' in error && error.code === 'ENOENT';
        if (!moved || attempt === 3) throw named(path, error);
      }
    }
  }

  /** Every copy by its id, and where it is. Other files in the folders are passed over. Rejects when they cannot be read. */
  async all(): Promise<ReadonlyMap<string, string>> {
    const found = new Map<string, string>();
    // What is moved from new to cur meanwhile is seen once at least.
    for (const sub of ['new', 'cur']) {
      for (const name of await names(join(this.folder, sub))) {
        const id = name.replace(/:.*$/s, '');
        if (isHeldId(id)) found.set(id, join(this.folder, sub, name));
      }
    }
    return found;
  }

  /** Puts the file of a copy that nobody waits for any more where mail tools show it as done. Not doing it does no harm. */
  async settle(path: string, id: string, hasContent: boolean): Promise<void> {
    const to = join(this.folder, 'cur', id + (hasContent ? DONE : EMPTY));
    if (path !== to) await rename(path, to).catch(() => undefined);
  }

  /** Removes what a process left behind in `tmp` when it died; to how many. */
  async removeLitter(now: number): Promise<number> {
    let removed = 0;
    for (const name of await names(join(this.folder, 'tmp'))) {
      const path = join(this.folder, 'tmp', name);
      const info = await stat(path).catch(() => null);
      if (info === null || now - info.mtimeMs < LITTER_MS) continue;
      await remove(path);
      removed++;
    }
    return removed;
  }
}

/** An error about the contents of a file, with its name. */
export function named(path: string, error: unknown): unknown {
  return error instanceof HeldFileError
    ? new QuarantineError(`${path}: ${error.message}`, { cause: error })
    : error;
}

/** Empty when there is no such folder yet. */
async function names(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
