import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { accessSync, constants } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

/** The checkout, without a final slash. */
export const ROOT = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');

/** How long a test waits for something that takes well under a second on a free machine. Milliseconds. */
const PATIENCE = 20_000;

/** Between two looks at a condition. Milliseconds. */
const POLL = 15;

/** After SIGTERM a program has this long before SIGKILL, unless told otherwise. Milliseconds. */
const GRACE = 5_000;

/** Output beyond this is dropped, so that a program gone wild does not take the test run with it. Bytes, each stream. */
const OUTPUT_LIMIT = 16 * 1024 * 1024;

/** Folders where Debian keeps daemons, which an ordinary user's PATH lacks. */
const SYSTEM_FOLDERS = ['/usr/local/sbin', '/usr/sbin', '/sbin'];

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface Finished extends Exit {
  readonly stdout: Buffer;
  readonly stderr: Buffer;
}

export interface StartOptions {
  readonly cwd?: string;
  /** Added to our own environment; undefined takes a variable away. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Written to stdin, which is then closed. Without it stdin is empty. */
  readonly input?: string | Buffer;
  /** Leaves stdin open, for `write`. */
  readonly holdInput?: boolean;
}

/** Polls `probe` until it returns something else than undefined or false; rejects after `milliseconds`, naming `what`. */
export async function waitFor<T>(
  what: string | (() => string),
  probe: () => T | undefined | false | Promise<T | undefined | false>,
  milliseconds = PATIENCE,
): Promise<T> {
  const deadline = performance.now() + milliseconds;
  for (;;) {
    const found = await probe();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > deadline) {
      throw new Error(`waited ${milliseconds} ms for ${typeof what === 'string' ? what : what()}`);
    }
    await pause(POLL);
  }
}

/** A program that runs until it is stopped. `await using` stops it at the end of the block. */
export class Program implements AsyncDisposable {
  readonly name: string;
  /** Resolves when the program has ended and its output is complete; never rejects. */
  readonly ended: Promise<Exit>;
  readonly #child: ChildProcess;
  readonly #stdout: Buffer[] = [];
  readonly #stderr: Buffer[] = [];
  #exit: Exit | null = null;

  constructor(name: string, child: ChildProcess) {
    this.name = name;
    this.#child = child;
    collect(child.stdout, this.#stdout);
    collect(child.stderr, this.#stderr);
    running.add(child);
    this.ended = new Promise(resolve => {
      child.on('close', (code, signal) => {
        running.delete(child);
        this.#exit = { code, signal };
        resolve(this.#exit);
      });
    });
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error(`${this.name} was not started`);
    return this.#child.pid;
  }

  /** How it ended, or null while it runs. */
  get exit(): Exit | null {
    return this.#exit;
  }

  /** What it has written to stdout so far; bytes that are no UTF-8 are replaced. */
  get stdout(): string {
    return Buffer.concat(this.#stdout).toString();
  }

  get stderr(): string {
    return Buffer.concat(this.#stderr).toString();
  }

  /** Everything it has written so far, unchanged. */
  get bytes(): { readonly stdout: Buffer; readonly stderr: Buffer } {
    return { stdout: Buffer.concat(this.#stdout), stderr: Buffer.concat(this.#stderr) };
  }

  /** Writes to its stdin, which `holdInput` has left open. */
  write(data: string | Buffer): void {
    this.#child.stdin?.write(data);
  }

  endInput(): void {
    this.#child.stdin?.end();
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** The match of `pattern` in stdout or stderr, as soon as there is one. Rejects when the program ends without it. */
  output(pattern: RegExp, milliseconds = PATIENCE): Promise<RegExpMatchArray> {
    return this.until(
      `${pattern}`,
      () => this.stdout.match(pattern) ?? this.stderr.match(pattern) ?? undefined,
      milliseconds,
    );
  }

  /** Polls as `waitFor` does, but gives up at once when the program ends; the error carries its output. */
  until<T>(
    what: string,
    probe: () => T | undefined | false | Promise<T | undefined | false>,
    milliseconds = PATIENCE,
  ): Promise<T> {
    const described = () => `${what} of ${this.name}; it wrote:\n${this.stdout}${this.stderr}`;
    return waitFor(
      described,
      async () => {
        const over = this.#exit;
        const found = await probe();
        if (found !== undefined && found !== false) return found;
        if (over !== null)
          throw new Error(`${this.name} ended (${over.code ?? over.signal}) before ${described()}`);
        return undefined;
      },
      milliseconds,
    );
  }

  /** Sends SIGTERM, after `grace` milliseconds SIGKILL, and waits for the end. Safe to call twice. */
  async stop(grace = GRACE): Promise<Exit> {
    if (this.#exit === null) this.#child.kill('SIGTERM');
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), grace);
    const exit = await this.ended;
    clearTimeout(timer);
    return exit;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

/** Starts `command` (looked up as `programPath` does). Rejects when it cannot be started. */
export async function start(
  command: string,
  args: readonly string[] = [],
  options: StartOptions = {},
): Promise<Program> {
  const child = spawn(programPath(command), args, {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const program = new Program(command, child);
  // A program that does not read its input is no failure of the test.
  child.stdin.on('error', () => {});
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', reject);
  });
  if (options.holdInput !== true) child.stdin.end(options.input ?? '');
  else if (options.input !== undefined) child.stdin.write(options.input);
  return program;
}

/** Runs `command` to its end. Rejects, with its output, when it is still there after `milliseconds`. */
export async function run(
  command: string,
  args: readonly string[] = [],
  options: StartOptions = {},
  milliseconds = 60_000,
): Promise<Finished> {
  await using program = await start(command, args, options);
  const exit = await program.until('the end', () => program.exit ?? undefined, milliseconds);
  return { ...exit, ...program.bytes };
}

/** Path of a program by its name: a path stays as it is, `node` is the Node that runs us. Throws when there is none. */
export function programPath(name: string): string {
  if (name.includes('/')) return name;
  if (name === 'node') return process.execPath;
  for (const folder of [...(process.env.PATH ?? '').split(':'), ...SYSTEM_FOLDERS]) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // The next folder may have it.
    }
  }
  throw new Error(`${name} is not installed; npm test says which Debian package has it`);
}

/** A TCP port that nothing listens on right now. */
export async function freePort(host = '127.0.0.1'): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, host, resolve);
  });
  const bound = server.address();
  await new Promise(resolve => server.close(resolve));
  if (bound === null || typeof bound === 'string') throw new Error('no port');
  return bound.port;
}

/** True when something accepts a TCP connection there (and sees it closed again at once). */
export function answers(port: number, host = '127.0.0.1'): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect({ port, host });
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
    socket.once('close', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

/** A new folder below the system's temporary one; `await using` removes it with all that is in it. */
export async function temporaryFolder(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'postern-test-'));
  const remove = () => rm(path, { recursive: true, force: true });
  return { path, [Symbol.asyncDispose]: remove };
}

const running = new Set<ChildProcess>();

// A test file that dies must not leave its programs behind.
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

function collect(stream: NodeJS.ReadableStream | null, into: Buffer[]): void {
  let size = 0;
  stream?.on('data', (piece: Buffer) => {
    size += piece.length;
    if (size <= OUTPUT_LIMIT) into.push(piece);
  });
}
