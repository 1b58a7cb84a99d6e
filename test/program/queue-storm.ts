import { chmod } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { ClientConnection } from '../../bench/client.ts';
import { controlFolder } from '../support/gateway.ts';
import type { ControlFiles } from '../support/gateway.ts';
import { ROOT, start } from '../support/processes.ts';
import type { Program } from '../support/processes.ts';
import { BEHIND_QMAIL } from '../support/qmail-rig.ts';
import type { Sample } from './corpus.ts';

/** A daemon behind qmail that can be killed and started again on the same folders. */
export interface Daemon extends AsyncDisposable {
  readonly socket: string;
  /** SIGKILL to all its processes at once; resolves when another one listens. */
  killAndRestart(): Promise<void>;
}

/** Starts it. Its socket can be reached by every user, since qpsmtpd is not root. */
export async function startDaemon(files: ControlFiles): Promise<Daemon> {
  const folder = await controlFolder({ ...BEHIND_QMAIL, ...files });
  await chmod(join(folder.state, '..'), 0o755);
  const places = ['--control', folder.control, '--state', folder.state];
  const serve = async () => {
    const program = await start(join(ROOT, 'bin/postern'), ['serve', ...places]);
    await program.output(/listening for postern-queue/);
    return program;
  };
  let daemon = await serve();
  return {
    socket: join(folder.state, 'queue.sock'),
    killAndRestart: async () => {
      await kill(daemon);
      daemon = await serve();
    },
    [Symbol.asyncDispose]: async () => {
      await daemon.stop();
      await folder[Symbol.asyncDispose]();
    },
  };
}

async function kill(daemon: Program): Promise<void> {
  const workers = [...daemon.stderr.matchAll(/"worker":(\d+)/g)].map(([, pid]) => Number(pid));
  daemon.signal('SIGKILL');
  for (const worker of workers) {
    try {
      process.kill(worker, 'SIGKILL');
    } catch {
      // Without its supervisor it was faster.
    }
  }
  await daemon.ended;
}

/** What happened to one message: the replies to its final dots, the last of them 250 or 5xx. */
export type Replies = ReadonlyMap<string, readonly string[]>;

/** Before a message that was deferred is tried again; milliseconds. */
const RETRY = 200;

/** Waits for one reply; milliseconds. */
const PATIENCE = 60_000;

/**
 * Sends every sample over `sessions` connections that are kept, each from NAME@sender.example, again and again until it
 * is not deferred any more. `settled` is told how many are, each time.
 */
export async function sendUntilTaken(
  port: number,
  samples: readonly Sample[],
  sessions: number,
  settled: (count: number) => void = () => undefined,
): Promise<Replies> {
  const replies = new Map<string, string[]>();
  const waiting = samples.values();
  let done = 0;
  const session = async () => {
    const client = new ClientConnection({ host: '127.0.0.1', port }, PATIENCE);
    try {
      await expect(client, 220);
      client.send('EHLO client.example\r\n');
      await expect(client, 250);
      for (const { name, bytes } of waiting) {
        const heard: string[] = [];
        replies.set(name, heard);
        for (;;) {
          const reply = await send(client, name, bytes);
          heard.push(reply);
          if (!reply.startsWith('4')) break;
          await pause(RETRY);
        }
        settled(++done);
      }
    } finally {
      client.destroy();
    }
  };
  await Promise.all(Array.from({ length: sessions }, session));
  return replies;
}

async function send(client: ClientConnection, name: string, bytes: Buffer): Promise<string> {
  // One after the other: qpsmtpd drops who does not wait.
  client.send(`MAIL FROM:<${name}@sender.example>\r\n`);
  await expect(client, 250);
  client.send('RCPT TO:<me@example.com>\r\n');
  await expect(client, 250);
  client.send('DATA\r\n');
  await expect(client, 354);
  const text = bytes.toString('latin1');
  client.send(Buffer.from(`${text.replace(/(^|\r\n)(?=\.)/g, '$1.')}.\r\n`, 'latin1'));
  return (await client.reply()).text;
}

async function expect(client: ClientConnection, code: number): Promise<void> {
  const reply = await client.reply();
  if (reply.code !== code) throw new Error(`${reply.text} in place of ${code}`);
}
