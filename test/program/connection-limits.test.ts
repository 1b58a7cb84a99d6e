import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RunningGateway } from '../support/gateway.ts';
import { startGateway } from '../support/gateway.ts';
import { waitFor } from '../support/processes.ts';
import type { Dialogue, DialogueOptions } from './dialogue.ts';
import { dial, eventId } from './dialogue.ts';

/** Opens `count` connections at once; those that were welcomed, and the first words of all. */
async function openMany(gateway: RunningGateway, count: number, options: DialogueOptions = {}) {
  const port = Number(
    gateway.addresses.find(a => a.startsWith('[') === (options.host === '::1'))?.replace(/^.*:/, ''),
  );
  const dialogues = await Promise.all(Array.from({ length: count }, () => dial(port, options)));
  const words = await Promise.all(dialogues.map(dialogue => dialogue.reply()));
  const welcome = dialogues.filter((_, i) => words[i]?.startsWith('220'));
  return { welcome, words };
}

function hangUpAll(dialogues: readonly Dialogue[]): void {
  for (const dialogue of dialogues) dialogue.hangUp();
}

const count = (words: readonly string[], code: string) => words.filter(word => word.startsWith(code)).length;

test('two workers together let one client have exactly its number of sessions, and count what is closed', async () => {
  await using gateway = await startGateway({ workers: '2\n', concurrencyperclient: '5\n' });
  const first = await openMany(gateway, 12, { from: '127.0.0.50' });
  assert.equal(count(first.words, '220'), 5, first.words.join('\n'));
  assert.equal(count(first.words, '421 4.7.0 too many connections, come again later (#4.7.0) ['), 7);

  const refused = first.words.find(word => word.startsWith('421')) ?? '';
  const record = await gateway.record(eventId(refused));
  assert.equal(record.event, 'connection-refused');
  assert.equal(record.rule, 'CONCURRENCY');

  const other = await openMany(gateway, 3, { from: '127.0.0.51' });
  assert.equal(count(other.words, '220'), 3, 'another client has its own number');

  first.welcome[0]?.hangUp();
  assert.equal((await first.welcome[1]?.say('QUIT'))?.slice(0, 3), '221');
  const again = await waitFor('two free places', async () => {
    const more = await openMany(gateway, 1, { from: '127.0.0.50' });
    return more.welcome.length === 1 && more.welcome;
  });
  const second = await waitFor('the second free place', async () => {
    const more = await openMany(gateway, 1, { from: '127.0.0.50' });
    return more.welcome.length === 1 && more.welcome;
  });
  const full = await openMany(gateway, 2, { from: '127.0.0.50' });
  assert.equal(count(full.words, '421'), 2, 'and not one more');
  hangUpAll([...first.welcome, ...other.welcome, ...again, ...second]);
});

test('the total holds for all clients and workers together', async () => {
  await using gateway = await startGateway({ workers: '2\n', concurrencyincoming: '6\n' });
  const opened = [];
  const words: string[] = [];
  for (let n = 60; n < 64; n++) {
    const some = await openMany(gateway, 3, { from: `127.0.0.${n}` });
    opened.push(...some.welcome);
    words.push(...some.words);
  }
  assert.equal(count(words, '220'), 6, words.join('\n'));
  assert.equal(count(words, '421'), 6);
  hangUpAll(opened);
  await waitFor('free places again', async () => {
    const more = await openMany(gateway, 1, { from: '127.0.0.70' });
    hangUpAll(more.welcome);
    return more.welcome.length === 1;
  });
});

test('IPv6 clients are counted by /64, IPv4 by address', async () => {
  await using gateway = await startGateway({ listen: '127.0.0.1:0\n[::1]:0\n', concurrencyperclient: '2\n' });
  const six = await openMany(gateway, 3, { host: '::1' });
  assert.equal(count(six.words, '220'), 2);
  const record = await gateway.record(eventId(six.words.find(word => word.startsWith('421')) ?? ''));
  assert.equal(record.client?.ip, '::1');
  assert.match(record.findings.at(-1)?.detail ?? '', /from 0:0:0:0::\/64$/);
  const four = await openMany(gateway, 2);
  assert.equal(count(four.words, '220'), 2);
  hangUpAll([...six.welcome, ...four.welcome]);
});

test('a client’s own number in tcp.smtp', async () => {
  await using gateway = await startGateway({
    workers: '2\n',
    concurrencyperclient: '2\n',
    'tcp.smtp': '127.0.0.80:allow,MAXCONNIP="4"\n:allow\n',
  });
  const friend = await openMany(gateway, 6, { from: '127.0.0.80' });
  assert.equal(count(friend.words, '220'), 4, friend.words.join('\n'));
  const stranger = await openMany(gateway, 6, { from: '127.0.0.81' });
  assert.equal(count(stranger.words, '220'), 2, stranger.words.join('\n'));
  hangUpAll([...friend.welcome, ...stranger.welcome]);
});

test('sessions of a worker that was killed are not counted any more', async () => {
  await using gateway = await startGateway(
    { workers: '2\n', concurrencyperclient: '3\n' },
    { troubleExpected: true },
  );
  const before = await openMany(gateway, 6, { from: '127.0.0.90' });
  assert.equal(count(before.words, '220'), 3);
  // One after the other, so that the port stays open.
  for (const [n, line] of gateway.log('worker-ready').entries()) {
    process.kill(Number(line['worker']), 'SIGKILL');
    await gateway.program.until('a new worker', () => gateway.log('worker-ready').length === 3 + n);
  }
  const after = await openMany(gateway, 6, { from: '127.0.0.90' });
  assert.equal(count(after.words, '220'), 3, after.words.join('\n'));
  hangUpAll([...before.welcome, ...after.welcome]);
});
