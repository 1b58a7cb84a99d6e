import { chmod, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ROOT, run, start } from './processes.ts';
import type { Program } from './processes.ts';

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
  const flags = ['-std=gnu11', '-O2', '-Wall', '-Wextra', '-Werror', '-static'];
  const done = await run('musl-gcc', [...flags, '-o', output, source]);
  if (done.code !== 0) throw new Error(done.stderr.toString());
  return output;
}

/** What a stub queue holds of one message. */
export interface Queued {
  readonly message: Buffer;
  readonly sender: string;
  readonly recipients: readonly string[];
  /** Environment and open descriptors of the queue program; empty unless they were asked for. */
  readonly facts: readonly string[];
}

/** The folder of test/support/stub-queue.c. */
export class StubQueue {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** Makes one; `facts`: environments are kept, too. */
  static async make(folder: string, facts = false): Promise<StubQueue> {
    for (const name of ['pid', 'mess', 'intd', 'todo', ...(facts ? ['facts'] : [])])
      await mkdir(join(folder, name), { recursive: true });
    // qpsmtpd is not root when it queues.
    for (const name of await readdir(folder)) await chmod(join(folder, name), 0o777);
    await chmod(folder, 0o777);
    return new StubQueue(folder);
  }

  /** Every message that was queued. */
  async messages(): Promise<Queued[]> {
    const numbers = await readdir(join(this.folder, 'todo'));
    const queued: Queued[] = [];
    for (const number of numbers) {
      const read = (name: string) => readFile(join(this.folder, name, number));
      const [message, envelope, facts] = await Promise.all([
        read('mess'),
        read('todo'),
        read('facts').catch(() => Buffer.alloc(0)),
      ]);
      const [sender = '', ...recipients] = envelope.toString('latin1').split('\0').slice(0, -2);
      queued.push({
        message,
        sender: sender.slice(1),
        recipients: recipients.map(one => one.slice(1)),
        facts: facts.toString('latin1').split('\n').slice(0, -1),
      });
    }
    return queued;
  }
}

export interface SmtpdOptions {
  readonly programs: QmailPrograms;
  /** Where qmail is at home; relative paths of queue programs begin there. */
  readonly home: string;
  readonly env: Readonly<Record<string, string>>;
  /** The descriptor on which qmail-smtpd listens for a text; null: it is qmail without the patch. */
  readonly channel: 4 | 6 | null;
  /** Lines of tcp.smtp. */
  readonly rules?: string;
  /** Bytes of memory that softlimit(8) leaves to qmail-smtpd and all below it. */
  readonly memory?: number;
}

/** qmail-smtpd under the real tcpserver, softlimit and tcprules. */
export interface Smtpd extends AsyncDisposable {
  readonly program: Program;
  readonly port: number;
}

/** Starts it on a free loopback port. */
export async function startSmtpd(options: SmtpdOptions): Promise<Smtpd> {
  const { programs, home, env, channel, rules = ':allow\n', memory = 1_000_000 } = options;
  const cdb = join(home, 'tcp.smtp.cdb');
  await writeFile(join(home, 'tcp.smtp'), rules, 'latin1');
  const made = await run('tcprules', [cdb, join(home, 'tcp.smtp.tmp')], { input: rules });
  if (made.code !== 0) throw new Error(made.stderr.toString());
  const program = await start(
    'tcpserver',
    '-1 -H -R -l mx.example.com -c 100 -b 100 -x'
      .split(' ')
      .concat(cdb, '127.0.0.1', '0', 'softlimit', '-m', `${memory}`, programs.smtpd, home)
      .concat(channel === null ? [] : `${channel}`),
    { env: { QMAILQUEUE: programs.client, ...env } },
  );
  const [, port] = await program.output(/^(\d+)\n/);
  return { program, port: Number(port), [Symbol.asyncDispose]: () => program[Symbol.asyncDispose]() };
}
