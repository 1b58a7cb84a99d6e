import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { deliver } from '../native/rig.ts';
import type { Delivery, Outcome } from '../native/rig.ts';
import { builtFolder } from '../native/build.ts';
import type { Programs } from '../native/build.ts';
import { startGateway } from './gateway.ts';
import type { ControlFiles, GatewayOptions, RunningGateway } from './gateway.ts';

/** Control files that put a gateway behind qmail: no SMTP, and the socket `queue.sock` in its state folder. */
export const BEHIND_QMAIL: ControlFiles = {
  listen: 'none\n',
  rcpthosts: null,
  smtproutes: null,
  queuesocket: 'queue.sock\n',
};

/** Where a gateway with `BEHIND_QMAIL` is asked. */
export function queueSocket(gateway: Pick<RunningGateway, 'state'>): string {
  return join(gateway.state, 'queue.sock');
}

/** A gateway behind qmail whose next program is test/native/next.c; what it is brought comes from test/native/caller.c. */
export interface QueueRig extends AsyncDisposable {
  readonly gateway: RunningGateway;
  readonly programs: Programs;
  readonly folder: string;
  readonly socket: string;
  /** Brings one message, by default as qmail-smtpd does for the client 192.0.2.7. */
  bring(delivery?: Delivery): Promise<Outcome>;
}

/** What tcpserver says of a client. */
export const CLIENT: Readonly<Record<string, string>> = {
  PROTO: 'TCP',
  TCPREMOTEIP: '192.0.2.7',
  TCPREMOTEPORT: '4321',
  TCPREMOTEHOST: 'mail.client.example',
  TCPLOCALIP: '192.0.2.1',
  TCPLOCALPORT: '25',
  TCPLOCALHOST: 'mx.example.com',
};

/** The field that qmail-smtpd writes on top, for that client. */
export const RECEIVED =
  'Received: from mail.client.example (HELO client.example) (192.0.2.7)\n  by mx.example.com with ESMTP; 21 Nov 2026 10:00:00 -0000\n';

/** Starts it; `files` on top of `BEHIND_QMAIL`. */
export async function startQueueRig(
  files: ControlFiles = {},
  options: GatewayOptions = {},
): Promise<QueueRig> {
  const { path: folder, programs } = await (compiled ??= compileOnce());
  const qmailqueue = `${programs.next}\n`;
  const gateway = await startGateway({ ...BEHIND_QMAIL, qmailqueue, ...files }, options);
  const socket = queueSocket(gateway);
  return {
    gateway,
    programs,
    folder,
    socket,
    bring: ({ env, ...delivery } = {}) =>
      deliver(programs, folder, socket, { ...delivery, env: { ...CLIENT, ...env } }),
    [Symbol.asyncDispose]: () => gateway[Symbol.asyncDispose](),
  };
}

let compiled: ReturnType<typeof compileOnce> | null = null;

/** The programs, for all tests of a file; removed at its end. */
async function compileOnce(): Promise<{ readonly path: string; readonly programs: Programs }> {
  const built = await builtFolder();
  process.once('exit', () => rmSync(built.path, { recursive: true, force: true }));
  return built;
}

/** An envelope as callers write it; byte strings. */
export function envelope(sender: string, ...recipients: readonly string[]): string {
  return `F${sender}\0${recipients.map(one => `T${one}\0`).join('')}\0`;
}

/** A message with one attachment of this name, LF lines, behind what qmail-smtpd writes on top. */
export function withAttachment(name: string): string {
  return [
    `${RECEIVED}From: a@example.net`,
    'Date: Sat, 21 Nov 2026 10:00:00 +0000',
    'Subject: a file',
    'MIME-Version: 1.0',
    'Content-Type: multipart/mixed; boundary="=b"',
    '',
    '--=b',
    'Content-Type: text/plain',
    '',
    'hello',
    '--=b',
    `Content-Type: application/octet-stream; name="${name}"`,
    'Content-Transfer-Encoding: base64',
    '',
    'aGVsbG8gd29ybGQ=',
    '--=b--',
    '',
  ].join('\n');
}
