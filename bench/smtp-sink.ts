import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort, startProgram, waitForGreeting } from './processes.ts';
import type { Program } from './processes.ts';

const SMTP_SINK = '/usr/sbin/smtp-sink';

/** Postfix's smtp-sink: takes every message and throws it away, at the least cost there is. */
export interface SmtpSink {
  readonly port: number;
  /** Messages taken so far. */
  messages(): number;
  /** Waits (at most five seconds) until `count` messages are there; says how many are. */
  waitFor(count: number): Promise<number>;
  stop(): Promise<void>;
}

/** Starts one on a free port of 127.0.0.1; `folder` takes its counters, `extra` more options (smtp-sink(1)). */
export async function startSmtpSink(folder: string, extra: readonly string[] = []): Promise<SmtpSink> {
  if (!existsSync(SMTP_SINK)) throw new Error(`${SMTP_SINK} is missing: install the Debian package postfix`);
  // As root it insists on another user.
  const user = process.getuid?.() === 0 ? ['-u', 'nobody'] : [];
  const port = await freePort();
  const log = join(folder, `smtp-sink-${port}.log`);
  const program = await startProgram(SMTP_SINK, ['-c', ...user, ...extra, `127.0.0.1:${port}`, '256'], log);
  await waitForGreeting(program, port);
  return {
    port,
    messages: () => countIn(program),
    waitFor: async count => {
      for (let tries = 0; tries < 100 && countIn(program) < count; tries++) await sleep(50);
      return countIn(program);
    },
    stop: () => program.stop(),
  };
}

/** With `-c` it writes `sess=N quit=N mesg=N` and a CR whenever a count changes. */
function countIn(program: Program): number {
  const last = program.output().trimEnd().split('\r').at(-1) ?? '';
  return Number(/mesg=(\d+)$/.exec(last)?.[1] ?? 0);
}
