import { join } from 'node:path';
import { ROOT, run, temporaryFolder } from '../support/processes.ts';

/** Paths of the programs that a test of the queue client needs. */
export interface Programs {
  /** postern-queue as `build:native` makes it. */
  readonly client: string;
  /** The caller, test/native/caller.c: what qmail-smtpd does. */
  readonly caller: string;
  /** The next program, test/native/next.c. */
  readonly next: string;
}

const WARNINGS = ['-std=c11', '-Wall', '-Wextra', '-Wpedantic', '-Wconversion', '-Wshadow', '-Werror'];

/** Compiles all three into `folder`. Rejects with the compiler's words. */
export async function build(folder: string): Promise<Programs> {
  const client = join(folder, 'postern-queue');
  const [caller, next] = await Promise.all([helper(folder, 'caller'), helper(folder, 'next')]);
  await must('node', [join(ROOT, 'bin/build-native.mjs'), client]);
  return { client, caller, next };
}

/** Compiles the client alone with other flags, such as sanitizers; all warnings are errors. Returns its path. */
export async function buildClient(folder: string, name: string, flags: readonly string[]): Promise<string> {
  const output = join(folder, name);
  await must('gcc', [...WARNINGS, ...flags, '-o', output, join(ROOT, 'native/postern-queue.c')]);
  return output;
}

/** A folder with the programs in it; `await using` removes it. */
export async function builtFolder(): Promise<AsyncDisposable & { path: string; programs: Programs }> {
  const folder = await temporaryFolder();
  const programs = await build(folder.path);
  return { path: folder.path, programs, [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose]() };
}

async function helper(folder: string, name: string): Promise<string> {
  const output = join(folder, name);
  await must('gcc', ['-O1', '-Wall', '-Wextra', '-o', output, join(ROOT, `test/native/${name}.c`)]);
  return output;
}

async function must(command: string, args: readonly string[]): Promise<void> {
  const done = await run(command, args);
  if (done.code !== 0) throw new Error(`${command} ${args.join(' ')}: ${done.stderr.toString()}`);
}
