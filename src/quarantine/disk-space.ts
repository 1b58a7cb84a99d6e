import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';

/** How old the answer may be: milliseconds. At a gigabyte a second it is wrong by a gigabyte; writes are still checked. */
const LOOK_MS = 1000;

const MIB = 1024 * 1024;

/**
 * Knows whether there is room for more mail, without asking anybody at that moment: it looks once a second. Its timer
 * does not keep the process alive.
 */
export class DiskSpace {
  readonly #folders: () => readonly string[];
  readonly #least: () => number;
  readonly #timer: NodeJS.Timeout;
  #trouble: string | null = null;
  /** The look that is under way. */
  #looking: Promise<void> | null = null;

  /**
   * @param folders what to look at; a folder that is missing will be made on the disk of the one above it
   * @param least MiB that must be free; 0: nothing is asked for
   */
  constructor(folders: () => readonly string[], least: () => number) {
    this.#folders = folders;
    this.#least = least;
    this.#timer = setInterval(() => void this.look(), LOOK_MS).unref();
    void this.look();
  }

  /** Why nothing more should be taken, or null. */
  get trouble(): string | null {
    return this.#trouble;
  }

  /** Looks now, or waits for the look that is under way. Never rejects; what cannot be found out is trouble. */
  look(): Promise<void> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = null;
    });
    return this.#looking;
  }

  async #look(): Promise<void> {
    const least = this.#least();
    const troubles = least === 0 ? [] : await Promise.all(this.#folders().map(folder => lack(folder, least)));
    this.#trouble = troubles.find(trouble => trouble !== null) ?? null;
  }

  close(): void {
    clearInterval(this.#timer);
  }
}

/** What is wrong with the disk of `folder`, or null. */
async function lack(folder: string, least: number): Promise<string | null> {
  try {
    const { bavail, bsize, files, ffree } = await statfs(folder);
    const free = Math.floor((bavail * bsize) / MIB);
    if (free < least) return `${folder}: ${free} MiB free, \`diskfree\` asks for ${least}`;
    // Some file systems have no limit, and say 0 of 0.
    return files > 0 && ffree === 0 ? `${folder}: no free inodes` : null;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    const above = dirname(folder);
    if (code === 'ENOENT' && above !== folder) return lack(above, least);
    return `${folder}: free space cannot be found out (${code})`;
  }
}
