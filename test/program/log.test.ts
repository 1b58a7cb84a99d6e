import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startGateway } from '../support/gateway.ts';
import { waitFor } from '../support/processes.ts';
import { eventId, greeted } from './dialogue.ts';

/** What a hostile client may call itself and its mail. */
const NASTY = [
  '@400000004',
  '\x1b[2Jclear',
  'a"b=c d',
  '\xff\xfe\x80',
  'x'.repeat(900),
  '%s%n${jndi}',
  "';--",
];

test('plain lines: at most 1000 bytes, printable, one an event, never like a time stamp', async () => {
  await using gateway = await startGateway({ logformat: 'plain\n', harderrors: '0\n' });
  const lines = () => gateway.program.stderr.split('\n').slice(0, -1);
  let sent = 0;
  await using client = await greeted(gateway.port);
  for (const text of NASTY) {
    await client.say(`EHLO ${text}`);
    await client.say(`MAIL FROM:<"${text.replace('"', '')}"@spam.example>`);
    const refused = await client.say(`RCPT TO:<"${text.replace('"', '')}"@elsewhere.example>`);
    if (refused.startsWith('553')) sent++;
    if (!(await client.say('RCPT TO:<me@example.com>')).startsWith('250')) continue;
    const reply = await client.message(`From: a@example.net\r\nMessage-ID: <${text}@x>\r\n\r\nhello\r\n`);
    assert.match(reply, /^250 /);
    sent++;
  }
  await client.say('RSET');
  await client.say('MAIL FROM:<a@example.net>');
  for (let i = 0; i < 200; i++) await client.say(`RCPT TO:<${'long'.repeat(14)}${i}@example.com>`);
  assert.match(await client.message(), /^250 /);
  sent++;
  assert.ok(sent > NASTY.length);
  client.hangUp();
  await waitFor('every event’s line', () => lines().filter(line => / id=/.test(line)).length >= sent);
  await gateway.stop();
  const all = lines();
  assert.equal(all.filter(line => / id=/.test(line)).length, sent);
  for (const line of all) {
    assert.ok(Buffer.byteLength(line) + 1 <= 1000, line);
    assert.match(line, /^[a-z][a-z-]*( [a-z]+=("[\x20-\x7e]*"|[\x21-\x7e]+))*(\.\.\.)?$/);
  }
  const many = all.find(line => line.includes(',+195')) ?? all.find(line => line.includes('longlong')) ?? '';
  assert.match(many, /^message-accepted id=\S+ /);
});

test('JSON lines: each is an object of its own, whatever clients send', async () => {
  await using gateway = await startGateway({ harderrors: '0\n' });
  await using client = await greeted(gateway.port);
  for (const text of NASTY) {
    await client.say(`EHLO ${text}`);
    await client.say(`MAIL FROM:<"${text.replace('"', '')}"@spam.example>`);
    await client.say('RCPT TO:<b@elsewhere.example>');
  }
  await gateway.logged('recipient-refused');
  client.hangUp();
  await gateway.stop();
  const lines = gateway.program.stderr.split('\n').slice(0, -1);
  for (const line of lines) {
    assert.doesNotMatch(line, /[^\x20-\x7e]/, 'nothing that plays with a terminal');
    const { event, time } = JSON.parse(line) as Record<string, unknown>;
    assert.match(String(event), /^[a-z-]+$/);
    assert.match(String(time), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  }
});

test('loglevel warn leaves the events of every day out', async () => {
  await using gateway = await startGateway();
  await gateway.write('loglevel', 'warn\n');
  gateway.program.signal('SIGHUP');
  await waitFor('silence', async () => {
    const before = gateway.log('message-accepted').length;
    await using client = await greeted(gateway.port);
    await client.envelope();
    const reply = await client.message();
    assert.match(reply, /^250 /);
    await gateway.record(eventId(reply));
    return gateway.log('message-accepted').length === before;
  });
});
