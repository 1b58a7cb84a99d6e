import { join } from 'node:path';
import { ROOT, run } from './processes.ts';

/** Programs around postern-queue, as a qmail host has them, compiled. */
export interface QmailPrograms {
  /** postern-queue as `build:native` makes it. */
  readonly client: string;
  /** test/support/qmail-smtpd.c. */
  readonly smtpd: string;
  /** test/support/stub-queue.c. */
  readonly queue: string;
}

/** Compiles all of them into `folder`; static, so that they start under `softlimit -m`. Rejects with the compiler's words. */
export async function buildQmail(folder: string): Promise<QmailPrograms> {
  const [smtpd, queue, client] = await Promise.all([
    compiled(folder, 'qmail-smtpd'),
    compiled(folder, 'stub-queue'),
    postern(folder),
  ]);
  return { client, smtpd, queue };
}

async function postern(folder: string): Promise<string> {
  const output = join(folder, 'postern-queue');
  const done = await run('node', [join(ROOT, 'bin/build-native.mjs'), output]);
  if (done.code !== 0) throw new Error(done.stderr.toString());
  return output;
}

async function compiled(folder: string, name: string): Promise<string> {
  const output = join(folder, name);
  const source = join(ROOT, `test/support/${name}.c`);
  const done = await run('musl-gcc', [
    '-std=gnu11',
    '-O2',
    '-Wall',
    '-Wextra',
    '-Werror',
    '-static',
    '-o',
    output,
    source,
  ]);
  if (done.code !== 0) throw new Error(done.stderr.toString());
  return output;
}
