import { rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ScannerState } from '../../model/scan.ts';

/** A scanner as one worker sees it. */
export interface WorkerScanner extends ScannerState {
  /** Messages accepted without its word, and since when (milliseconds since the epoch); null: none since it answered last. */
  readonly unscanned: { readonly count: number; readonly since: number } | null;
}

/** What a running gateway says of itself, for `postern status`. Times are milliseconds since the epoch. */
export interface Status {
  readonly pid: number;
  readonly startedAt: number;
  readonly writtenAt: number;
  /** Of the configuration in force. */
  readonly generation: string;
  readonly workers: readonly {
    readonly pid: number;
    readonly scanners: readonly WorkerScanner[];
  }[];
  /** The last self-test of the scanners; null: none so far, or none is wanted. */
  readonly test: { readonly at: number; readonly results: readonly TestResult[] } | null;
}

/** What a scanner made of a message that it must find. */
export interface TestResult {
  readonly scanner: string;
  readonly passed: boolean;
  readonly detail: string;
}

export const STATUS_FILE = 'status.json';

/** Writes the status when it has changed, at most once a second, and never two at a time. */
export class StatusFile {
  readonly #path: string;
  readonly #problem: (error: unknown) => void;
  #next: Status | null = null;
  #timer: NodeJS.Timeout | null = null;
  #writing: Promise<void> = Promise.resolve();

  constructor(stateDir: string, problem: (error: unknown) => void) {
    this.#path = join(stateDir, STATUS_FILE);
    this.#problem = problem;
  }

  write(status: Status): void {
    this.#next = status;
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      this.#writing = this.#writing.then(() => this.#flush());
    }, WRITE_MS);
    this.#timer.unref();
  }

  /** Takes the file away: its pid may soon be that of another program. */
  async close(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#next = null;
    await this.#writing;
    await rm(this.#path, { force: true }).catch(this.#problem);
  }

  async #flush(): Promise<void> {
    const status = this.#next;
    this.#next = null;
    if (status === null) return;
    try {
      const text = JSON.stringify({ ...status, writtenAt: Date.now() }, null, 1);
      await writeFile(`${this.#path}.new`, `${text}\n`, { mode: 0o600 });
      await rename(`${this.#path}.new`, this.#path);
    } catch (error) {
      this.#problem(error);
    }
  }
}

const WRITE_MS = 1000;
