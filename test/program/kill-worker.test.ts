import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { ClientConnection } from '../../bench/client.ts';
import { startGateway } from '../support/gateway.ts';
import type { RunningGateway } from '../support/gateway.ts';
import { startRecordingSink } from '../support/recording-sink.ts';

const MESSAGES = 3000;
const CLIENTS = 8;
/** So many on one connection, so that a new worker gets its share. */
const A_CONNECTION = 25;
/** At these counts of answered messages a worker is killed. */
const KILLS = [500, 1500];
/** A client whose connection broke comes again after so many milliseconds. */
const RETRY_MS = 20;
/** Now and then a message that goes through a spool file. */
const BIG_EVERY = 50;
const BIG_BYTES = 400_000;

/** What became of one message: 250s, and tries that ended without an answer. */
interface Fate {
  answered: number;
  unanswered: number;
}

test('a worker killed under load is replaced, and nothing that was answered with 250 is lost', async t => {
  await using sink = await startRecordingSink({ forgetBytes: true });
  await using gateway = await startGateway(
    { workers: '2\n', smtproutes: `:[127.0.0.1]:${sink.port}\n` },
    { troubleExpected: true },
  );
  const fates = new Map<string, Fate>();
  let answered = 0;
  const [killed] = await Promise.all([
    killAt(gateway, () => answered),
    sendAll(gateway.port, fates, () => answered++),
  ]);

  assert.equal(fates.size, MESSAGES);
  const copies = new Map<string, number>();
  for (const { sender } of sink.messages) copies.set(sender, (copies.get(sender) ?? 0) + 1);
  for (const [sender, fate] of fates) {
    const arrived = copies.get(sender) ?? 0;
    assert.equal(fate.answered, 1, sender);
    assert.ok(arrived >= 1, `${sender} was answered with 250 and is not at the next hop`);
    // RFC 5321 6.1: whoever got no answer sends again, and the hop may have had the first one already.
    assert.ok(
      arrived <= 1 + fate.unanswered,
      `${sender} arrived ${arrived} times, ${fate.unanswered} tries without an answer`,
    );
  }
  assert.equal(copies.size, MESSAGES, 'nothing arrived that nobody sent');
  const cut = [...fates.values()].reduce((sum, fate) => sum + fate.unanswered, 0);
  t.diagnostic(`${cut} tries were cut, ${sink.messages.length - MESSAGES} messages arrived twice`);
  assert.ok(cut > 0, 'the workers died in the middle of their work');

  const died = gateway.log('worker-died');
  assert.deepEqual(
    died.map(line => [line['worker'], line['signal']]),
    killed.map(pid => [pid, 'SIGKILL']),
  );
  const ready = new Set(gateway.log('worker-ready').map(line => line['worker']));
  assert.equal(ready.size, 2 + killed.length);
});

/** Each time the count is reached, kills the worker that took the last message, and waits for the one in its place. */
async function killAt(gateway: RunningGateway, answered: () => number): Promise<number[]> {
  const killed: number[] = [];
  for (const count of KILLS) {
    await gateway.program.until(`${count} messages`, () => answered() >= count, 60_000);
    const pid = gateway.log('message-accepted').at(-1)?.pid;
    assert.ok(pid !== undefined && pid !== gateway.program.pid);
    process.kill(pid, 'SIGKILL');
    killed.push(pid);
    await gateway.program.until(
      'a new worker',
      () => gateway.log('worker-ready').length >= 2 + killed.length,
    );
  }
  return killed;
}

/** Sends every message until it is answered with 250, as any mail server would. */
async function sendAll(port: number, fates: Map<string, Fate>, onAnswer: () => void): Promise<void> {
  const numbers = Array.from({ length: MESSAGES }, (_, n) => n).values();
  const body = 'x'.repeat(998);
  const deadline = performance.now() + 90_000;
  const client = async () => {
    let connection: ClientConnection | null = null;
    let used = 0;
    for (const number of numbers) {
      const sender = `m${number}@sender.example`;
      const lines = number % BIG_EVERY === 0 ? BIG_BYTES / 1000 : 3;
      const text = `From: ${sender}\r\nDate: Sat, 21 Nov 2026 10:00:00 +0000\r\n\r\n${`${body}\r\n`.repeat(lines)}.\r\n`;
      const fate: Fate = { answered: 0, unanswered: 0 };
      fates.set(sender, fate);
      while (fate.answered === 0) {
        assert.ok(performance.now() < deadline, `${sender} is not answered`);
        try {
          connection ??= await greeted(port);
          used++;
          connection.send(`MAIL FROM:<${sender}>\r\nRCPT TO:<me@example.com>\r\nDATA\r\n`);
          for (const code of [250, 250, 354]) await expected(connection, code);
          connection.send(text);
          await expected(connection, 250);
          fate.answered++;
          onAnswer();
          if (used < A_CONNECTION) continue;
        } catch {
          fate.unanswered++;
          await pause(RETRY_MS);
        }
        connection?.destroy();
        connection = null;
        used = 0;
      }
    }
    connection?.destroy();
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
}

async function greeted(port: number): Promise<ClientConnection> {
  const connection = new ClientConnection({ host: '127.0.0.1', port }, 20_000);
  await expected(connection, 220);
  connection.send('EHLO client.example\r\n');
  await expected(connection, 250);
  return connection;
}

async function expected(connection: ClientConnection, code: number): Promise<void> {
  const reply = await connection.reply();
  if (reply.code !== code) throw new Error(reply.text);
}
