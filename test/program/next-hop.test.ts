import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { HeldFile } from '../../src/quarantine/held-file.ts';
import { bytesOf } from '../mail/stored.ts';
import { startGateway } from '../support/gateway.ts';
import { startSmtpSink } from '../support/peers.ts';
import { freePort, temporaryFolder } from '../support/processes.ts';
import { scriptedServer } from '../support/scripted-server.ts';
import type { Script, ScriptOptions } from '../support/scripted-server.ts';
import { eventId, greeted } from './dialogue.ts';

const EIGHT_BIT = 'From: a@example.net\r\nDate: Sat, 21 Nov 2026 10:00:00 +0000\r\n\r\ngr\xfc\xdfe\r\n';

/** A next hop that keeps to a script, with `await using`. */
async function hop(script: Script = {}, options: ScriptOptions = {}) {
  const server = await scriptedServer(script, options);
  return Object.assign(server, { [Symbol.asyncDispose]: () => server.stop() });
}

const via = (port: number, more = '') => ({
  smtproutes: `:[127.0.0.1]:${port}${more}\n`,
  recipientcache: '0\n',
});

test('a next hop that is down: 451 now, and the same message passes when it is back', async () => {
  const port = await freePort();
  await using gateway = await startGateway(via(port));
  await using client = await greeted(gateway.port);
  const reply = await client.envelope();
  assert.match(reply, /^451 4\.4\.\d /);
  const record = await gateway.record(eventId(reply));
  assert.equal(record.event, 'recipient-refused');
  assert.equal(record.recipients[0]?.hop, `smtp 127.0.0.1:${port}`);
  assert.match(record.recipients[0]?.hopReply ?? '', /^451 4\.4\.\d .*/);

  await using sink = await startSmtpSink();
  await gateway.write('smtproutes', `:[127.0.0.1]:${sink.port}\n`);
  assert.equal(await gateway.reload(), 'reloaded');
  await using again = await greeted(gateway.port);
  assert.match(await again.envelope(), /^250 /);
  assert.match(await again.message(), /^250 /);
  assert.equal((await sink.mails()).length, 1);
});

test('what the next hop says of a recipient is what the client reads', async () => {
  await using server = await hop({
    RCPT: ['550 5.1.1 <nobody@example.com>: no such user here', '250 2.1.5 ok', '452 4.2.2 mailbox full'],
  });
  await using gateway = await startGateway(via(server.port));
  await using client = await greeted(gateway.port);
  const unknown = await client.envelope('a@example.net', 'nobody@example.com');
  assert.match(unknown, /^550 5\.1\.1 <nobody@example\.com>: no such user here \[/);
  assert.match(await client.say('RCPT TO:<me@example.com>'), /^250 /);
  assert.match(await client.say('RCPT TO:<full@example.com>'), /^452 4\.2\.2 mailbox full \[/);
  const reply = await client.message();
  assert.match(reply, /^250 /);
  const record = await gateway.record(eventId(reply));
  assert.deepEqual(
    record.recipients.map(r => [r.address, r.hopReply]),
    [['me@example.com', '250 2.0.0 taken']],
  );
  assert.deepEqual(
    server.commands.filter(line => line.startsWith('RCPT')),
    ['nobody', 'me', 'full'].map(name => `RCPT TO:<${name}@example.com>`),
  );
});

const AT_THE_END: Readonly<Record<string, { readonly script: Script; readonly client: RegExp }>> = {
  'a refusal is passed on': {
    script: { '.': '554 5.7.1 we do not like it' },
    client: /^554 5\.7\.1 we do not like it \[/,
  },
  'a deferral is passed on': { script: { '.': '452 4.3.1 disk full' }, client: /^452 4\.3\.1 disk full \[/ },
  'a cut connection is 451': { script: { '.': { do: 'reset' } }, client: /^451 4\.4\.\d / },
  'an answer that is none is 451': { script: { '.': 'what do you want?' }, client: /^451 4\./ },
  'a 354 that never comes is 451': { script: { DATA: { do: 'close' } }, client: /^451 4\.4\.\d / },
};

for (const [name, { script, client: wanted }] of Object.entries(AT_THE_END)) {
  test(`the next hop at the end of the message: ${name}`, async () => {
    await using server = await hop(script);
    await using gateway = await startGateway(via(server.port));
    await using client = await greeted(gateway.port);
    await client.envelope();
    const reply = await client.message();
    assert.match(reply, wanted);
    assert.equal((await gateway.record(eventId(reply))).event, 'message-refused');
    assert.deepEqual(await gateway.quarantine(), []);
    // The session goes on as if nothing had been.
    assert.match(await client.say('NOOP'), /^250 /);
  });
}

test('a hop without 8BITMIME: 8-bit messages are refused for good, others pass', async () => {
  await using server = await hop({}, { offers: ['PIPELINING'] });
  await using gateway = await startGateway(via(server.port));
  await using client = await greeted(gateway.port);
  await client.envelope();
  assert.match(await client.message(EIGHT_BIT), /^554 5\.6\.3 /);
  await client.envelope();
  assert.match(await client.message(), /^250 /);
  assert.equal(server.messages.length, 1);
});

test('a hop without SMTPUTF8: addresses that need it are refused at RCPT, others pass', async () => {
  await using server = await hop({}, { offers: ['8BITMIME'] });
  await using gateway = await startGateway(via(server.port));
  await using client = await greeted(gateway.port);
  await client.say('EHLO client.example');
  assert.match(await client.say('MAIL FROM:<a@example.net> SMTPUTF8'), /^250 /);
  assert.match(await client.say('RCPT TO:<j\xc3\xbcrgen@example.com>'), /^553 5\.6\.7 /);
  await client.say('RSET');
  assert.match(await client.envelope(), /^250 /);
  assert.match(await client.message(), /^250 /);
});

test('LMTP over a Unix socket with mixed answers: who was refused late is held, and the client reads 250', async () => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, 'lmtp.sock');
  await using server = await hop(
    { '.': ['250 2.0.0 saved', '552 5.2.2 over quota', '250 2.0.0 saved'] },
    { protocol: 'lmtp', path },
  );
  await using gateway = await startGateway({ smtproutes: `:${path} lmtp\n` });
  await using client = await greeted(gateway.port);
  await client.envelope('a@example.net', 'one@example.com', 'two@example.com', 'three@example.com');
  const reply = await client.message();
  assert.match(reply, /^250 /);
  const id = eventId(reply);
  const record = await gateway.record(id);
  assert.equal(record.event, 'message-held');
  assert.deepEqual(
    record.recipients.map(r => [r.address, r.hopReply]),
    [
      ['one@example.com', '250 2.0.0 saved'],
      ['two@example.com', '552 5.2.2 over quota'],
      ['three@example.com', '250 2.0.0 saved'],
    ],
  );
  const heldId = `${id}.refused`;
  assert.deepEqual(await gateway.quarantine(), [heldId]);
  await using held = await HeldFile.open(join(gateway.state, 'quarantine', 'new', heldId), heldId);
  assert.deepEqual(
    held.head.recipients.map(r => r.address),
    ['two@example.com'],
  );
  const { message } = await held.message();
  assert.ok((await bytesOf(message)).toString().endsWith('\r\n\r\nhello\r\n'));
  assert.equal(server.commands[0], 'LHLO mx.example.com');
});

test('LMTP where one recipient is deferred late: the client comes again, nothing is held', async () => {
  await using server = await hop({ '.': ['250 2.0.0 saved', '451 4.2.0 later'] }, { protocol: 'lmtp' });
  await using gateway = await startGateway(via(server.port, ' lmtp'));
  await using client = await greeted(gateway.port);
  await client.envelope('a@example.net', 'one@example.com', 'two@example.com');
  assert.match(await client.message(), /^451 4\.2\.0 later \[/);
  assert.deepEqual(await gateway.quarantine(), []);
});

test('a hop that falls silent: the client gets 451 when datatime has passed', async () => {
  await using server = await hop({ '.': { do: 'hang' } });
  await using gateway = await startGateway({ ...via(server.port), datatime: '1\n' });
  await using client = await greeted(gateway.port);
  await client.envelope();
  const reply = await client.message();
  assert.match(reply, /^451 4\./);
  assert.equal((await gateway.record(eventId(reply))).event, 'message-refused');
});

test('RSET, a new HELO and a client that leaves all end the hop’s transaction', async () => {
  await using server = await hop();
  await using gateway = await startGateway(via(server.port));
  await using client = await greeted(gateway.port);
  await client.envelope();
  await client.say('RSET');
  await client.envelope();
  await client.say('EHLO again');
  await client.envelope();
  client.write('DATA\r\nFrom: a@example.net\r\n\r\nhalf of it');
  assert.match(await client.reply(), /^354 /);
  client.hangUp();
  await using other = await greeted(gateway.port);
  await other.envelope('b@example.net');
  assert.match(await other.message(), /^250 /);
  assert.equal(server.messages.length, 1, 'only the whole message arrived');
});
