import assert from 'node:assert/strict';
import { createHash, createSign, createVerify, generateKeyPairSync } from 'node:crypto';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { HeldRow } from '../../src/store/quarantine-index.ts';
import type { RunningGateway } from '../support/gateway.ts';
import { postern, startGateway } from '../support/gateway.ts';
import { startSmtpSink } from '../support/peers.ts';
import { freePort, waitFor } from '../support/processes.ts';
import { startRecordingSink } from '../support/recording-sink.ts';
import { eventId, greeted } from './dialogue.ts';

/** Holds everything, and passes it on to `port` when it is released. */
const holding = (port: number) => ({
  badhelo: '^client\\.example\\.net$\n',
  actions: 'BADHELO:quarantine\n',
  smtproutes: `:[127.0.0.1]:${port}\n`,
  recipientcache: '0\n',
});

const HEAD = 'From: a@example.net\r\nDate: Sat, 21 Nov 2026 10:00:00 +0000\r\nSubject: gr\xfc\xdfe\r\n';
const TEXT = `${HEAD}\r\nhello\r\n.dot\r\n\tb\xe4r\r\n`;

/** Sends a message that is held; its id. */
async function held(gateway: RunningGateway, text: string, ...to: readonly string[]): Promise<string> {
  await using client = await greeted(gateway.port);
  await client.envelope('a@example.net', ...to);
  const reply = await client.message(text.replace(/^\./gm, '..'));
  assert.match(reply, /^250 /);
  return eventId(reply);
}

/** A command of `postern quarantine` on the gateway's folders. */
async function quarantine(gateway: RunningGateway, ...args: readonly string[]) {
  const places = ['--control', gateway.control, '--state', gateway.state];
  const { code, stdout, stderr } = await postern(['quarantine', ...args, ...places]);
  return { code, out: stdout.toString(), bytes: stdout, err: stderr.toString() };
}

/** What `list` gives, once it has `count` rows. */
function listed(gateway: RunningGateway, count: number, ...args: readonly string[]): Promise<HeldRow[]> {
  return waitFor(`${count} rows in the index`, async () => {
    const { out } = await quarantine(gateway, 'list', '--json', '--limit', '0', ...args);
    const rows = out.split('\n').slice(0, -1);
    return rows.length === count && rows.map(row => JSON.parse(row) as HeldRow);
  });
}

test('held, listed, shown, released byte for byte, deleted, explained', async () => {
  await using sink = await startRecordingSink();
  await using gateway = await startGateway(holding(sink.port));
  const id = await held(gateway, TEXT, 'one@example.com', 'two@example.com');
  const other = await held(gateway, TEXT, 'three@example.com');
  assert.equal(sink.messages.length, 0);
  const rows = await listed(gateway, 3);
  assert.deepEqual(
    rows.map(r => [r.id, r.address, r.sender, r.rule, r.state, r.subject]),
    [
      [other, 'three@example.com', 'a@example.net', 'BADHELO', 'held', 'gr\xfc\xdfe'],
      [id, 'two@example.com', 'a@example.net', 'BADHELO', 'held', 'gr\xfc\xdfe'],
      [id, 'one@example.com', 'a@example.net', 'BADHELO', 'held', 'gr\xfc\xdfe'],
    ],
  );
  assert.equal((await listed(gateway, 1, '--rcpt', 'TWO@example.com'))[0]?.id, id);
  assert.equal((await listed(gateway, 3, '--sender', '@example.net', '--newer', '1h')).length, 3);
  assert.equal((await quarantine(gateway, 'list', '--older', '1h')).code, 1);
  const text = await quarantine(gateway, 'list', '--limit', '1');
  assert.match(text.out, /<a@example\.net> -> <three@example\.com>/);
  assert.match(text.out, /There are more: --after \d+\/\S+\/0\nIn all: 3 held\.\n$/);
  const next = /--after (\S+)/.exec(text.out)?.[1] ?? '';
  assert.match((await quarantine(gateway, 'list', '--after', next)).out, /two@.*\n.*one@.*\nIn all/);

  const shown = await quarantine(gateway, 'show', id);
  assert.equal(shown.code, 0);
  assert.match(shown.out, /sender +<a@example\.net>/);
  assert.match(shown.out, /<one@example\.com> +quarantine +BADHELO +held/);
  assert.match(shown.out, /Subject: gr\\xfc\\xdfe/);
  assert.equal((await quarantine(gateway, 'show', id, '--raw')).bytes.toString('latin1'), TEXT);
  assert.match(await gateway.explain(id), /was held in the quarantine/);

  const first = await quarantine(gateway, 'release', id, '--rcpt', 'two@example.com');
  assert.equal(first.code, 0, first.err);
  assert.match(
    first.out,
    new RegExp(`^${id.replaceAll('.', '\\.')}  <two@example\\.com>  released: smtp .* said 250 `),
  );
  const [message] = sink.messages;
  assert.deepEqual([message?.sender, message?.recipients], ['a@example.net', ['two@example.com']]);
  const bytes = message?.bytes?.toString('latin1') ?? '';
  assert.ok(bytes.startsWith('Received: from client.example.net'));
  assert.ok(bytes.endsWith(TEXT));
  assert.ok(!bytes.includes('X-Postern-Held'), 'our own fields stay here');
  assert.deepEqual(await gateway.quarantine(), [id, other].toSorted());

  // The rest of it; who got it does not get it again.
  const second = await quarantine(gateway, 'release', id, '--json');
  assert.deepEqual(
    [JSON.parse(second.out)].map(o => [o.address, o.state]),
    [['one@example.com', 'released']],
  );
  assert.deepEqual(
    sink.messages.map(m => m.recipients),
    [['two@example.com'], ['one@example.com']],
  );
  const third = await quarantine(gateway, 'release', id);
  assert.equal(third.code, 1);
  assert.match(third.out, /nothing to release/);
  assert.equal(sink.messages.length, 2);
  assert.deepEqual(await gateway.quarantine(), [`${id}:2,S`, other].toSorted());
  const events = await gateway.records(id.split('.')[0] ?? '');
  assert.equal(events.filter(event => event.event === 'quarantine-released').length, 2);

  assert.equal((await quarantine(gateway, 'delete', '--rcpt', '@example.com')).out, '1 copy deleted.\n');
  assert.equal((await quarantine(gateway, 'release', other)).code, 1);
  assert.deepEqual(await gateway.quarantine(), [`${id}:2,S`, `${other}:2,ST`].toSorted());
  assert.match((await quarantine(gateway, 'show', other)).out, /contents were removed/);
  await listed(gateway, 1, '--status', 'deleted');
  await listed(gateway, 2, '--status', 'released');
  const explained = await postern(['explain', id, '--control', gateway.control, '--state', gateway.state]);
  assert.match(explained.stdout.toString(), /Quarantine\n.*<one@example\.com> +released/);

  // The index of the files alone is the same as the one that was lost.
  const before = await listed(gateway, 3, '--status', 'all');
  await gateway.stop();
  await rm(join(gateway.state, 'postern.db'));
  assert.equal((await quarantine(gateway, 'list')).code, 2);
  assert.match((await quarantine(gateway, 'rebuild')).out, /^2 copies in the index; 0 forgotten/);
  assert.deepEqual(await listed(gateway, 3, '--status', 'all'), before);
});

test('two shells that release at once deliver once', async () => {
  await using sink = await startSmtpSink();
  await using gateway = await startGateway(holding(sink.port));
  const ids: string[] = [];
  for (let n = 0; n < 5; n++) ids.push(await held(gateway, TEXT, 'me@example.com'));
  const shells = await Promise.all([
    quarantine(gateway, 'release', ...ids),
    quarantine(gateway, 'release', ...ids.toReversed()),
    quarantine(gateway, 'release', '--rcpt', 'me@example.com'),
  ]);
  for (const { err } of shells) assert.equal(err, '');
  assert.equal((await sink.mails()).length, ids.length);
  assert.equal(
    shells.reduce((sum, { out }) => sum + (out.match(/ released: /g) ?? []).length, 0),
    ids.length,
  );
});

test('a hop that is down or refuses: held as before, and released when it takes it', async () => {
  await using sink = await startRecordingSink();
  await using gateway = await startGateway(holding(sink.port));
  const id = await held(gateway, TEXT, 'me@example.com');
  // The commands read the configuration as it is now; the server need not know of it.
  await gateway.write('smtproutes', `:[127.0.0.1]:${await freePort()}\n`);
  const down = await quarantine(gateway, 'release', id);
  assert.equal(down.code, 1);
  assert.match(down.out, /held still: smtp .* said 451 4\.4\.1 /);
  await using refusing = await startSmtpSink({ args: ['-f', 'RCPT'] });
  await gateway.write('smtproutes', `:[127.0.0.1]:${refusing.port}\n`);
  assert.match((await quarantine(gateway, 'release', id)).out, /held still: .* said 5\d\d /);
  const [event] = await gateway.records(id.split('.')[0] ?? '');
  assert.equal(event?.event, 'quarantine-not-released');
  assert.match(event.recipients[0]?.hopReply ?? '', /^5/);
  await listed(gateway, 1, '--status', 'held');
  await gateway.write('smtproutes', `:[127.0.0.1]:${sink.port}\n`);
  const released = await quarantine(gateway, 'release', id, '--to', 'Postmaster@example.com');
  assert.match(released.out, /<Postmaster@example\.com> {2}released/);
  assert.deepEqual(
    sink.messages.map(m => m.recipients),
    [['Postmaster@example.com']],
  );
});

test('a damaged copy is not released, and nothing is claimed', async () => {
  await using sink = await startRecordingSink();
  await using gateway = await startGateway(holding(sink.port));
  const id = await held(gateway, TEXT, 'me@example.com');
  const path = join(gateway.state, 'quarantine', 'new', id);
  const whole = await readFile(path);
  for (const at of [whole.length - 3, whole.indexOf('Received:') + 12, whole.indexOf('to=<me') + 4]) {
    const damaged = Buffer.from(whole);
    damaged[at] = (damaged[at] as number) ^ 1;
    await writeFile(path, damaged);
    const { code, err } = await quarantine(gateway, 'release', id);
    assert.equal(code, 1);
    assert.match(err, /was not released: .*quarantine\/new\/.*CRC-32 differs/);
  }
  assert.equal((await quarantine(gateway, 'show', id, '--raw')).bytes.length, 0);
  await writeFile(path, whole);
  assert.equal((await quarantine(gateway, 'release', id)).code, 0);
  assert.equal(sink.messages.length, 1);
});

test('a DKIM signature (RFC 6376, simple/simple) still verifies after a release', async () => {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const body = 'hello  \r\n .\r\n\r\nline \xe4\r\n';
  const bh = createHash('sha256').update(body, 'latin1').digest('base64');
  const field = `DKIM-Signature: v=1; a=rsa-sha256; c=simple/simple; d=example.net; s=t;\r\n\th=From:Date:Subject; bh=${bh}; b=`;
  const signed = (text: string) => {
    const header = text.slice(0, text.indexOf('\r\n\r\n') + 2);
    const one = (name: string) =>
      new RegExp(`^${name}:.*\\r\\n(?:[ \\t].*\\r\\n)*`, 'm').exec(header)?.[0] ?? '';
    return ['From', 'Date', 'Subject'].map(one).join('') + field;
  };
  const signature = createSign('sha256')
    .update(signed(`${HEAD}\r\n`), 'latin1')
    .sign(privateKey, 'base64');
  const text = `${field}${signature}\r\n${HEAD}\r\n${body}`;

  await using sink = await startRecordingSink();
  await using gateway = await startGateway(holding(sink.port));
  const id = await held(gateway, text, 'me@example.com');
  assert.equal((await quarantine(gateway, 'release', id)).code, 0);
  const arrived = sink.messages[0]?.bytes?.toString('latin1') ?? '';
  const hash = createHash('sha256').update(arrived.slice(arrived.indexOf('\r\n\r\n') + 4), 'latin1');
  assert.equal(hash.digest('base64'), bh);
  assert.ok(createVerify('sha256').update(signed(arrived), 'latin1').verify(publicKey, signature, 'base64'));
});

test('a disk that is low: 452 before DATA, and mail again when there is room', async () => {
  await using sink = await startRecordingSink();
  await using gateway = await startGateway({ ...holding(sink.port), diskfree: '1048576\n' });
  await using client = await greeted(gateway.port);
  await client.envelope();
  assert.match(await client.say('DATA'), /^452 4\.3\.1 /);
  await gateway.write('diskfree', '0\n');
  assert.equal(await gateway.reload(), 'reloaded');
  await waitFor('room', async () => {
    await using later = await greeted(gateway.port);
    await later.envelope();
    return (await later.message()).startsWith('250');
  });
});

test('what was typed wrong is told, and nothing is done', async () => {
  await using gateway = await startGateway(holding(await freePort()));
  const cases: readonly [RegExp, number, ...string[]][] = [
    [/no such held copy/, 1, 'show', 'nothing.1'],
    [/no such held copy/, 1, 'release', 'nothing.1'],
    [/no such held copy/, 1, 'delete', '../../etc/passwd'],
    [/wanted ids, or filters/, 2, 'release'],
    [/wanted ids, or filters/, 2, 'delete'],
    [/the only filter/, 2, 'delete', 'x', '--older', '1d'],
    [/--older 7: wanted a number and/, 2, 'list', '--older', '7'],
    [/--status gone: wanted held,/, 2, 'list', '--status', 'gone'],
    [/--rcpt: wanted an address/, 2, 'delete', '--rcpt', '@'],
    [/--after x: wanted/, 2, 'list', '--after', 'x'],
  ];
  for (const [wanted, code, ...args] of cases) {
    const done = await quarantine(gateway, ...args);
    assert.match(done.err, wanted, args.join(' '));
    assert.equal(done.code, code, args.join(' '));
  }
});
