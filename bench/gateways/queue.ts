import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startProgram } from '../processes.ts';
import type { Program } from '../processes.ts';
import { CONTENT, writeControl } from './postern.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const START_LIMIT = 20_000;

/** Postern behind qmail: the daemon with every content rule, and what is needed to bring it mail. */
export interface QueueMode {
  readonly daemon: Program;
  /** Static programs: postern-queue, bench/queue-caller.c, and the next program, test/support/stub-queue.c. */
  readonly client: string;
  readonly caller: string;
  readonly next: string;
  /** For whoever calls: where the daemon is asked, and the folder of the next program's queue. */
  readonly env: Readonly<Record<string, string>>;
}

/** Compiles the programs and starts the daemon below `folder`, which is on disk, or fsync means nothing. */
export async function startQueueMode(folder: string): Promise<QueueMode> {
  const [client, caller, next] = ['postern-queue', 'queue-caller', 'stub-queue'].map(name =>
    join(folder, name),
  );
  if (client === undefined || caller === undefined || next === undefined) throw new Error('no names');
  must(process.execPath, [join(ROOT, 'bin/build-native.mjs'), client]);
  compile(join(ROOT, 'bench/queue-caller.c'), caller);
  compile(join(ROOT, 'test/support/stub-queue.c'), next);
  const queue = join(folder, 'queue');
  for (const name of ['pid', 'mess', 'intd', 'todo']) mkdirSync(join(queue, name), { recursive: true });

  const [control, state] = [join(folder, 'control'), join(folder, 'state')];
  const socket = join(folder, 'queue.sock');
  writeControl(control, {
    ...CONTENT,
    me: 'bench.example',
    listen: 'none',
    queuesocket: socket,
    qmailqueue: next,
  });
  const log = join(folder, 'postern.log');
  const args = ['serve', '--control', control, '--state', state];
  const daemon = await startProgram(join(ROOT, 'bin/postern'), args, log);
  const deadline = performance.now() + START_LIMIT;
  while (!daemon.output().includes('listening for postern-queue')) {
    if (performance.now() > deadline) throw new Error(`the daemon did not start:\n${daemon.output()}`);
    await sleep(50);
  }
  const env = {
    POSTERN_SOCKET: socket,
    STUB_QUEUE: queue,
    NEXT: next,
    TCPREMOTEIP: '192.0.2.7',
    TCPREMOTEHOST: 'mail.client.example',
    TCPLOCALIP: '192.0.2.1',
  };
  return { daemon, client, caller, next, env };
}

/** A static program; with musl, as postern-queue itself, or with the system's libc where musl is not installed. */
function compile(source: string, output: string): void {
  const args = ['-std=gnu11', '-O2', '-static', '-o', output, source];
  if (spawnSync('musl-gcc', args).status !== 0) must('cc', args);
}

function must(command: string, args: readonly string[]): void {
  const done = spawnSync(command, args, { encoding: 'utf8' });
  if (done.status !== 0) throw new Error(`${command}: ${done.error?.message ?? done.stderr}`);
}
