import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { Gateway } from '../../src/pipeline/gateway.ts';
import type { Frame } from '../../src/qmail/frames.ts';
import { FrameReader, frames } from '../../src/qmail/frames.ts';
import { HandBack } from '../../src/qmail/hand-back.ts';
import { QueueListener } from '../../src/qmail/queue-listener.ts';
import type { Rig, RigOptions } from '../pipeline/rig.ts';
import { rig } from '../pipeline/rig.ts';
import { temporaryFolder } from '../support/processes.ts';

/** The edge behind qmail-smtpd in this process. */
export interface QueueRig extends Rig {
  readonly path: string;
  readonly listener: QueueListener;
  /** What the edge told the log. */
  readonly problems: string[];
  /** Sends these bytes, in pieces of `piece`, waits until the other side hangs up, and gives the frames it sent. */
  readonly ask: (bytes: Buffer, piece?: number) => Promise<readonly Frame[]>;
}

export interface Question {
  readonly variables?: Readonly<Record<string, string>>;
  /** LF lines. */
  readonly message?: string;
  readonly envelope?: string;
}

export const CLIENT_VARIABLES = {
  TCPREMOTEIP: '192.0.2.7',
  TCPREMOTEHOST: 'client.example',
  TCPLOCALIP: '192.0.2.1',
} as const;

export const MESSAGE =
  'Received: from client.example (HELO desk) (192.0.2.7)\n  by mx with SMTP; 1 Jan 2026 00:00:00 -0000\n' +
  'From: a@example.net\nDate: Thu, 1 Jan 1970 00:00:00 +0000\nSubject: x\n\nhello\n';

export const EXE =
  'From: a@example.net\nDate: Thu, 1 Jan 1970 00:00:00 +0000\nMIME-Version: 1.0\nContent-Type: application/x; name=e.exe\n\nx\n';

/** What postern-queue sends for a question. */
export function question({
  variables = CLIENT_VARIABLES,
  message = MESSAGE,
  envelope,
}: Question = {}): Buffer {
  return Buffer.concat([
    ...frames('V', Buffer.from('1')),
    ...Object.entries(variables).flatMap(([name, value]) =>
      frames('E', Buffer.from(`${name}=${value}`, 'latin1')),
    ),
    ...frames('I', Buffer.from('uid=1 gid=2 pid=3 ppid=4')),
    ...frames('M', Buffer.from(message, 'latin1')),
    ...frames('m'),
    ...frames('R', Buffer.from(envelope ?? 'Fa@example.net\0Tb@example.com\0\0', 'latin1')),
    ...frames('r'),
  ]);
}

/** A listener on a Unix socket over a real configuration. */
export async function queueRig(t: TestContext, options: RigOptions = {}, clients = 100): Promise<QueueRig> {
  const handBack = new HandBack();
  const made = await rig(t, {
    ...options,
    parts: { edge: 'qmail', handsBack: true, router: () => handBack, ...options.parts },
  });
  const { parts } = made.gateway;
  const problems: string[] = [];
  const listener = new QueueListener(
    {
      gateway: made.gateway,
      handBack,
      shadow: write =>
        new Gateway({ ...parts, edge: 'shadow', journal: { write }, hold: () => Promise.resolve() }),
      spool: () => ({ memoryBytes: 1000, headerBytes: 100_000, folder: tmpdir() }),
      version: '9.9.9',
      garbage: text => problems.push(text),
      problem: (_, error) => problems.push(String(error)),
    },
    () => clients,
  );
  const folder = await temporaryFolder();
  const path = join(folder.path, 's');
  await listener.listen(path);
  t.after(async () => {
    await listener.drain(1);
    await folder[Symbol.asyncDispose]();
  });
  return {
    ...made,
    path,
    listener,
    problems,
    async ask(bytes, piece = bytes.length) {
      const socket = connect(path);
      const reader = new FrameReader();
      const found: Frame[] = [];
      socket.on('data', chunk => found.push(...reader.push(chunk)));
      // Whoever answers early hangs up before all is written.
      socket.on('error', () => undefined);
      const closed = new Promise(resolve => socket.once('close', resolve));
      for (let at = 0; at < bytes.length; at += piece) socket.write(bytes.subarray(at, at + piece));
      await closed;
      return found;
    },
  };
}

/** Frames as text. */
export function shown(list: readonly Frame[]): string[] {
  return list.map(({ type, payload }) => `${type} ${payload.toString('latin1')}`.trimEnd());
}
