import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../support/processes.ts';
import type { Programs } from './build.ts';

/** One message through the client. */
export interface Delivery {
  readonly message?: Buffer | string;
  /** As it is written to descriptor 1; a whole one by default. */
  readonly envelope?: Buffer | string;
  readonly env?: Readonly<Record<string, string>>;
  /** Descriptors of the client, as test/native/caller.c names them: `w:6` is a pipe open for writing on 6. */
  readonly channels?: readonly string[];
  readonly args?: readonly string[];
  /** Bytes that the caller writes at a time. */
  readonly piece?: number;
  readonly cwd?: string;
  /** In place of the built client; a wrapper with its arguments in front. */
  readonly client?: readonly string[];
}

export interface Outcome {
  readonly code: number | null;
  /** Number of the signal that ended it. */
  readonly signal: number | null;
  /** What came through each pipe, by descriptor, latin1. */
  readonly texts: Readonly<Record<number, string>>;
  readonly stderr: string;
  /** Largest resident size of the client, and what it became. Kilobytes. */
  readonly rss: number;
  /** How often the next program has run for this message. */
  readonly runs: number;
  /** What the next program got; empty when it did not run. */
  readonly message: Buffer;
  readonly envelope: Buffer;
  /** The lines of its facts: pid, cwd, arg, fd, env … */
  readonly facts: readonly string[];
}

export const ENVELOPE = 'Fjoe@example.org\0Tann@example.net\0Tbob@example.net\0\0';
export const MESSAGE = 'Received: from a (b) by c\nSubject: hello\n\nbody\n';

let serial = 0;

/**
 * Runs one message through `programs.client` with the daemon's socket at `socket`; files of the delivery lie in `folder`.
 * The client's environment holds only what the test gives it.
 */
export async function deliver(
  programs: Programs,
  folder: string,
  socket: string,
  delivery: Delivery = {},
): Promise<Outcome> {
  const base = join(folder, `delivery-${++serial}`);
  writeFileSync(`${base}.in`, delivery.message ?? MESSAGE, 'latin1');
  writeFileSync(`${base}.envelope-in`, delivery.envelope ?? ENVELOPE, 'latin1');
  const piece = delivery.piece === undefined ? [] : ['-p', `${delivery.piece}`];
  const channels = (delivery.channels ?? []).flatMap(channel => ['-k', channel]);
  const client = [...(delivery.client ?? [programs.client]), ...(delivery.args ?? [])];
  const nothing = Object.fromEntries(Object.keys(process.env).map(name => [name, undefined]));
  const done = await run(
    programs.caller,
    [...piece, ...channels, `${base}.in`, `${base}.envelope-in`, ...client],
    {
      env: { ...nothing, POSTERN_SOCKET: socket, NEXT: base, POSTERN_SPOOL: folder, ...delivery.env },
      ...(delivery.cwd === undefined ? {} : { cwd: delivery.cwd }),
    },
  );
  const report = done.stdout.toString();
  const value = (name: string): number | null => {
    const match = report.match(new RegExp(`^${name} (\\d+)$`, 'm'));
    return match === null ? null : Number(match[1]);
  };
  if (done.code !== 0) throw new Error(`the caller failed: ${done.code} ${report}${done.stderr.toString()}`);
  const texts: Record<number, string> = {};
  for (const [, descriptor, hex] of report.matchAll(/^text (\d+) ([0-9a-f]*)$/gm)) {
    texts[Number(descriptor)] = Buffer.from(hex ?? '', 'hex').toString('latin1');
  }
  return {
    code: value('exit'),
    signal: value('signal'),
    texts,
    stderr: done.stderr.toString(),
    rss: value('rss') ?? 0,
    runs: read(`${base}.runs`).length,
    message: read(`${base}.message`),
    envelope: read(`${base}.envelope`),
    facts: read(`${base}.facts`).toString('latin1').split('\n').slice(0, -1),
  };
}

function read(path: string): Buffer {
  return existsSync(path) ? readFileSync(path) : Buffer.alloc(0);
}
