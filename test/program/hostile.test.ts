import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import type { RunningGateway } from '../support/gateway.ts';
import { startGateway } from '../support/gateway.ts';
import { waitFor } from '../support/processes.ts';
import { dial, greeted } from './dialogue.ts';

/** A generator of numbers below 2³² that is the same in every run (Numerical Recipes’ LCG). */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state;
  };
}

const WORDS = [
  'EHLO x\r\n',
  'HELO\r\n',
  'MAIL FROM:<a@example.net>\r\n',
  'MAIL FROM:<> BODY=8BITMIME SIZE=1\r\n',
  'RCPT TO:<me@example.com>\r\n',
  'RCPT TO:<@a,@b:me@example.com>\r\n',
  'DATA\r\n',
  '.\r\n',
  '\r\n.\r\n',
  '\n.\n',
  '..\r\n',
  'RSET\r\n',
  'STARTTLS\r\n',
  'NOOP\r\n',
  'QUIT\r\n',
  'VRFY root\r\n',
  'PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n',
  'From: a@example.net\r\n',
  '\0',
  '\r',
  '\n',
  '"',
  '<',
];

/** Some bytes as a client out of its mind would send them: words of the protocol, noise, long lines. */
function madness(next: () => number): Buffer {
  const parts: Buffer[] = [];
  for (let n = next() % 30; n >= 0; n--) {
    const kind = next() % 10;
    if (kind < 7) parts.push(Buffer.from(WORDS[next() % WORDS.length] ?? '', 'latin1'));
    else if (kind < 9) parts.push(Buffer.from(Array.from({ length: next() % 200 }, () => next() >>> 24)));
    else parts.push(Buffer.alloc(next() % 5000, next() & 255));
  }
  return Buffer.concat(parts);
}

async function stillServes(gateway: RunningGateway): Promise<void> {
  await using client = await greeted(gateway.port, { from: '127.0.0.200' });
  assert.match(await client.envelope('alive@example.net'), /^250 /);
  assert.match(await client.message(), /^250 /);
}

test('600 sessions of madness: the gateway keeps answering others and loses no worker', async () => {
  await using gateway = await startGateway({ harderrors: '0\n', concurrencyperclient: '100\n' });
  const next = numbers(20_261_121);
  const session = async () => {
    const bytes = madness(next);
    const cut = next() % (bytes.length + 1);
    const polite = next() % 2 === 0;
    const socket = connect({ port: gateway.port, host: '127.0.0.1' });
    socket.on('error', () => undefined);
    socket.resume();
    await once(socket, 'connect');
    const closed = once(socket, 'close').catch(() => undefined);
    socket.write(bytes.subarray(0, cut));
    await new Promise(resolve => setImmediate(resolve));
    if (polite) socket.end(bytes.subarray(cut));
    else socket.destroy();
    await closed;
  };
  for (let i = 0; i < 600; i += 20) await Promise.all(Array.from({ length: 20 }, session));
  await stillServes(gateway);
  assert.equal(gateway.log('worker-died').length, 0);
  for (const line of gateway.log()) assert.notEqual(line.event, 'internal-error');
  await gateway.stop();
  assert.deepEqual(gateway.program.exit, { code: 0, signal: null });
});

test('300 connections at once, half of which say nothing: all are answered, and everybody else is served', async () => {
  await using gateway = await startGateway({ workers: '2\n', concurrencyperclient: '200\n' });
  const dialogues = await Promise.all(Array.from({ length: 300 }, () => dial(gateway.port)));
  const banners = await Promise.all(dialogues.map(dialogue => dialogue.reply()));
  assert.equal(banners.filter(banner => banner.startsWith('220')).length, 200);
  assert.equal(banners.filter(banner => banner.startsWith('421')).length, 100);
  await stillServes(gateway);
  const welcome = dialogues.filter((_, i) => banners[i]?.startsWith('220'));
  const replies = await Promise.all(welcome.slice(0, 100).map(dialogue => dialogue.envelope()));
  assert.ok(replies.every(reply => reply.startsWith('250')));
  for (const dialogue of dialogues) dialogue.hangUp();
  await waitFor('free places', async () => {
    await using client = await dial(gateway.port);
    return (await client.reply()).startsWith('220');
  });
});

test('clients that close their half early get their answers; a line without an end is not kept', async () => {
  await using gateway = await startGateway();
  await using half = await greeted(gateway.port);
  half.socket.end('EHLO x\r\nMAIL FROM:<a@example.net>\r\nRCPT TO:<me@example.com>\r\nQUIT\r\n');
  const codes = [];
  for (let i = 0; i < 4; i++) codes.push((await half.reply()).slice(0, 3));
  assert.deepEqual(codes, ['250', '250', '250', '221']);

  await using endless = await greeted(gateway.port);
  for (let i = 0; i < 200; i++) endless.write('A'.repeat(64 * 1024));
  endless.write('\r\nNOOP\r\n');
  assert.match(await endless.reply(), /^500 5\.5\.2 line too long/);
  assert.match(await endless.reply(), /^250 /);
  await stillServes(gateway);
});

test('a message cut at any point is delivered nowhere', async () => {
  await using gateway = await startGateway({ concurrencyperclient: '100\n' });
  const text = 'From: a@example.net\r\n\r\nhello\r\n.\r\n';
  for (let cut = 0; cut < text.length; cut += 3) {
    await using client = await greeted(gateway.port);
    await client.envelope();
    assert.match(await client.say('DATA'), /^354 /);
    client.socket.end(text.slice(0, cut), 'latin1');
    await client.end();
  }
  await stillServes(gateway);
  assert.equal((await gateway.maildir()).length, 1);
});
