import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { ClientConnection } from '../../bench/client.ts';
import { startGateway } from '../support/gateway.ts';
import { startRecordingSink } from '../support/recording-sink.ts';

const MiB = 1024 * 1024;
const MESSAGES = 20;
const MESSAGE_BYTES = 25 * MiB;
/** What all messages together may cost above idle. Bytes. */
const LIMIT = 150 * MiB;
/** Between two looks at the processes' memory. Milliseconds. */
const LOOK = 10;
const PATIENCE = 90_000;
/** Bytes of a page, as /proc counts them. */
const PAGE = 4096;

/** A line of raw bytes, a stuffed dot, a long line, and ordinary text. */
const LINES = [
  '\xff\xfe\x80',
  '.',
  '..',
  'y'.repeat(3000),
  ...Array.from({ length: 100 }, (_, n) => `${n} ${'text '.repeat(13)}`),
];

interface Letter {
  readonly sender: string;
  /** All of it, dots not doubled: header, and the body that it shares with the others. */
  readonly plain: readonly Buffer[];
  readonly wire: readonly Buffer[];
}

test('20 messages of 25 MB at a time cost at most 150 MiB above idle, and arrive whole', async t => {
  const letters = lettersOf(MESSAGES);
  await using sink = await startRecordingSink({ forgetBytes: true });
  await using gateway = await startGateway({
    workers: '2\n',
    smtproutes: `:[127.0.0.1]:${sink.port}\n`,
    concurrencyperclient: `${2 * MESSAGES}\n`,
  });
  const workers = gateway.log('worker-ready').map(line => Number(line['worker']));
  assert.equal(workers.length, 2);
  const processes = [gateway.program.pid, ...workers];
  const idle = await residentBytes(processes);
  let peak = 0;
  const watch = watchPeak(processes);
  try {
    // Nobody begins before everybody may.
    const clients = await Promise.all(letters.map(letter => readyToSend(gateway.port, letter.sender)));
    await Promise.all(
      letters.map(async ({ wire }, n) => {
        const client = clients[n] as ClientConnection;
        client.send(...wire);
        await expected(client, 250);
        client.destroy();
      }),
    );
  } finally {
    peak = await watch.stop();
  }

  t.diagnostic(`idle ${inMiB(idle)} MiB, peak ${inMiB(peak)} MiB, ${inMiB(peak - idle)} MiB above idle`);
  assert.equal(sink.messages.length, MESSAGES);
  for (const { sender, plain } of letters) {
    const arrived = sink.messages.find(message => message.sender === sender);
    assert.ok(arrived, sender);
    const added = arrived.head.subarray(0, arrived.head.indexOf('From: '));
    assert.match(added.toString('latin1'), /^Received: from client\.example /);
    assert.equal(arrived.sha256, sha256([added, ...plain]), sender);
  }
  assert.ok(peak - idle <= LIMIT, `${inMiB(peak - idle)} MiB above idle`);
});

function lettersOf(count: number): Letter[] {
  const text = LINES.map(line => `${line}\r\n`).join('');
  const times = Math.ceil(MESSAGE_BYTES / text.length);
  const plain = Buffer.from(text.repeat(times), 'latin1');
  const wire = Buffer.from(`${text.replace(/^\./gm, '..').repeat(times)}.\r\n`, 'latin1');
  return Array.from({ length: count }, (_, n) => {
    const sender = `m${n}@sender.example`;
    const header = Buffer.from(`From: ${sender}\r\nDate: Sat, 21 Nov 2026 10:00:00 +0000\r\n\r\n`);
    return { sender, plain: [header, plain], wire: [header, wire] };
  });
}

async function readyToSend(port: number, sender: string): Promise<ClientConnection> {
  const client = new ClientConnection({ host: '127.0.0.1', port }, PATIENCE);
  await expected(client, 220);
  client.send('EHLO client.example\r\n');
  await expected(client, 250);
  client.send(`MAIL FROM:<${sender}>\r\nRCPT TO:<me@example.com>\r\nDATA\r\n`);
  for (const code of [250, 250, 354]) await expected(client, code);
  return client;
}

async function expected(client: ClientConnection, code: number): Promise<void> {
  const reply = await client.reply();
  assert.equal(reply.code, code, reply.text);
}

/** Looks at the processes' memory again and again; `stop` ends that and gives the most there was. */
function watchPeak(pids: readonly number[]): { stop(): Promise<number> } {
  const stopping = new AbortController();
  const watching = (async () => {
    let peak = 0;
    while (!stopping.signal.aborted) {
      peak = Math.max(peak, await residentBytes(pids));
      await pause(LOOK);
    }
    return peak;
  })();
  // Whoever stops the watch is told of it.
  watching.catch(() => undefined);
  return {
    stop: () => {
      stopping.abort();
      return watching;
    },
  };
}

/** The sum of the processes' resident sets (proc(5), statm). Rejects when one of them is gone. */
async function residentBytes(pids: readonly number[]): Promise<number> {
  const statm = await Promise.all(pids.map(pid => readFile(`/proc/${pid}/statm`, 'latin1')));
  return statm.reduce((sum, text) => sum + Number(text.split(' ')[1]) * PAGE, 0);
}

function inMiB(bytes: number): number {
  return Math.round(bytes / MiB);
}

function sha256(pieces: readonly Buffer[]): string {
  const hash = createHash('sha256');
  for (const piece of pieces) hash.update(piece);
  return hash.digest('hex');
}
