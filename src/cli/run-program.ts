import { accessSync, closeSync, constants, openSync, readFileSync, readSync, statSync } from 'node:fs';

/** A program to run, or the errno name for which there is none. */
export type FoundProgram = { readonly path: string } | { readonly error: string };

/** djb's pathexec_run, where PATH is unset. */
const DEFAULT_PATH = '/bin:/usr/bin';
/** The kernel reads no more of a script's first line (binfmt_script, Linux 5.1 and later). */
const SCRIPT_LINE = 256;
/** Failures of one folder that let the search go on to the next; djb's pathexec_run.c. */
const GO_ON = new Set(['ENOENT', 'EACCES', 'EPERM', 'EISDIR']);

/** djb's words (error_str.c of ucspi-tcp 0.88). */
const ERROR_TEXTS: Readonly<Record<string, string>> = {
  ENOENT: 'file does not exist',
  EACCES: 'access denied',
  EPERM: 'permission denied',
  ENOEXEC: 'exec format error',
  ENOTDIR: 'not a directory',
  EISDIR: 'is a directory',
  ELOOP: 'symbolic link loop',
  ENAMETOOLONG: 'file name too long',
};

/** The words of djb's programs for an errno name; the name itself for the rare ones. */
export function errorText(code: string): string {
  return ERROR_TEXTS[code] ?? code;
}

/**
 * Looks a program up as execvp(3) does, with djb's PATH rules: a name with a slash is the path; an empty folder is the
 * current one; the first failure that is not "no such file" is the one reported. The file is looked at closely, since
 * Node ends the process when execve(2) fails.
 */
export function findProgram(name: string, path: string | undefined): FoundProgram {
  if (name.includes('/')) {
    const error = obstacle(name);
    return error === null ? { path: name } : { error };
  }
  let first: string | null = null;
  for (const folder of (path ?? DEFAULT_PATH).split(':')) {
    const file = `${folder === '' ? '.' : folder}/${name}`;
    const error = obstacle(file);
    if (error === null) return { path: file };
    if (error !== 'ENOENT') first = error;
    if (!GO_ON.has(error)) break;
  }
  return { error: first ?? 'ENOENT' };
}

/** Why execve(2) would refuse `file`, as an errno name; null when it would not. */
function obstacle(file: string): string | null {
  try {
    if (!statSync(file).isFile()) return 'EACCES';
    accessSync(file, constants.X_OK);
    const head = beginning(file);
    if (head.startsWith('\x7fELF')) return null;
    if (!head.startsWith('#!')) return 'ENOEXEC';
    const interpreter = /^#![ \t]*([^ \t\n\0]+)/.exec(head)?.[1];
    if (interpreter === undefined) return 'ENOEXEC';
    accessSync(interpreter, constants.X_OK);
    return null;
  } catch (error) {
    return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'EIO';
  }
}

/** The first bytes of a file; an executable that may not be read is taken for a binary. */
function beginning(file: string): string {
  let fd: number;
  try {
    fd = openSync(file, 'r');
  } catch {
    return '\x7fELF';
  }
  try {
    const bytes = Buffer.alloc(SCRIPT_LINE);
    return bytes.toString('latin1', 0, readSync(fd, bytes, 0, SCRIPT_LINE, 0));
  } finally {
    closeSync(fd);
  }
}

/**
 * Becomes the program at `path`, with `argv` (its own name first) and `env`. Descriptors 0, 1 and 2 go on as they were
 * given to us; the pid stays. Node ignores SIGPIPE and SIGXFSZ, which the program would inherit: a signal with a handler is
 * back at its default after execve(2). Known difference: Node has raised the soft limit of open files to the hard one.
 */
export function becomeProgram(path: string, argv: readonly string[], env: NodeJS.ProcessEnv): never {
  process.on('SIGPIPE', () => {});
  process.on('SIGXFSZ', () => {});
  if ([0, 1, 2].some(isNonBlocking)) makeStdioBlocking();
  if (!process.execve) throw new Error('this Node has no process.execve');
  return process.execve(path, [...argv], env);
}

/** O_NONBLOCK as in /proc/self/fdinfo, Linux on every processor that Node runs on. */
const O_NONBLOCK = 0o4000;

function isNonBlocking(fd: number): boolean {
  try {
    const flags = /^flags:\s*([0-7]+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))?.[1];
    return (Number.parseInt(flags ?? '0', 8) & O_NONBLOCK) !== 0;
  } catch {
    // Closed, or no /proc: nothing that we could have changed.
    return false;
  }
}

/**
 * Whatever has read process.stdin, stdout or stderr before us has made the descriptor non-blocking, and with it the
 * client's connection, which no program expects. A mere `import … from 'node:process'` reads all three.
 */
function makeStdioBlocking(): void {
  for (const stream of [process.stdin, process.stdout, process.stderr]) {
    const { _handle: handle } = stream as { _handle?: { setBlocking?(blocking: boolean): number } };
    handle?.setBlocking?.(true);
  }
}
