import assert from 'node:assert/strict';
import { test } from 'node:test';
import { configure } from '../../src/cli/configure.ts';
import { wire } from '../../src/cli/wire.ts';
import type { VerdictRecord } from '../../src/model/record.ts';
import { Listener } from '../../src/smtp/listener.ts';
import { SharedConnectionLimits } from '../../src/smtp/connection-limits.ts';
import type { ControlFiles } from '../support/gateway.ts';
import { controlFolder, startGateway } from '../support/gateway.ts';
import { waitFor } from '../support/processes.ts';
import { dial, eventId, greeted } from './dialogue.ts';

/** A listener with everything behind it in this process, whose clock can be put forward. */
async function clockedGateway(files: ControlFiles) {
  const folder = await controlFolder(files);
  const where = { controlDir: folder.control, stateDir: folder.state };
  const { configuration, complaints } = await configure(where);
  assert.ok(configuration, complaints.join('\n'));
  let ahead = 0;
  const now = () => Date.now() + ahead;
  const records: VerdictRecord[] = [];
  const problems: unknown[] = [];
  const journal = { write: (record: VerdictRecord) => void records.push(record) };
  const wired = wire(configuration, where, journal, 'smtp');
  const listener = new Listener({
    gateway: wired.gateway,
    configuration: wired.configuration,
    limits: new SharedConnectionLimits(1, () => Promise.resolve(false), now),
    identify: wired.identify,
    secureContext: () => null,
    spoolFolder: folder.state,
    now,
    problem: (_, error) => void problems.push(error),
  });
  return {
    port: await listener.listen('127.0.0.1', 0),
    records,
    listener,
    forward: (seconds: number) => {
      ahead += seconds * 1000;
    },
    async [Symbol.asyncDispose]() {
      await listener.drain(0);
      await wired.close();
      await folder[Symbol.asyncDispose]();
      assert.deepEqual(problems, []);
    },
  };
}

test('a session may last as long as sessiontime says, whatever the client does', async () => {
  await using gateway = await clockedGateway({ sessiontime: '600\n' });
  await using client = await greeted(gateway.port);
  assert.match(await client.envelope(), /^250 /);
  gateway.forward(590);
  assert.match(await client.say('NOOP'), /^250 /);
  gateway.forward(11);
  assert.match(await client.reply(), /^421 4\.4\.2 session too long, come again/);
  await client.end();
  await waitFor('the session’s end', () => gateway.listener.sessions === 0);
});

test('a message in transfer may finish after sessiontime, when it comes fast enough', async () => {
  await using gateway = await clockedGateway({ sessiontime: '600\n', datarate: '100\n' });
  await using client = await greeted(gateway.port);
  await client.envelope();
  gateway.forward(599);
  assert.match(await client.say('DATA'), /^354 /);
  client.write(`From: a@example.net\r\n\r\n${`${'x'.repeat(70)}\r\n`.repeat(1000)}`);
  gateway.forward(60);
  assert.match(await client.say('.'), /^250 /);
  assert.match(await client.reply(), /^421 4\.4\.2 session too long/);
});

test('data that trickle are cut after the first 30 seconds, and leave a record', async () => {
  await using gateway = await clockedGateway({ datarate: '500\n' });
  await using client = await greeted(gateway.port);
  await client.envelope();
  assert.match(await client.say('DATA'), /^354 /);
  client.write('Subject: slow\r\n');
  gateway.forward(29);
  client.write('X: y\r\n');
  gateway.forward(5);
  const reply = await client.reply();
  assert.match(reply, /^421 4\.4\.2 data comes too slowly/);
  await client.end();
  const record = gateway.records.find(r => r.event === 'message-refused');
  assert.equal(record?.rule, 'DATARATE');
  assert.equal(record?.sender, 'sender@example.net');
  assert.deepEqual(
    record?.recipients.map(r => r.address),
    ['me@example.com'],
  );
  assert.equal(eventId(reply), record?.id, 'a refusal can be asked about');
});

test('datarate 0 lets data come as slowly as they like', async () => {
  await using gateway = await clockedGateway({ datarate: '0\n' });
  await using client = await greeted(gateway.port);
  await client.envelope();
  assert.match(await client.say('DATA'), /^354 /);
  gateway.forward(1000);
  client.write('From: a@example.net\r\n');
  gateway.forward(1000);
  assert.match(await client.say('\r\n.'), /^250 /);
});

test('a client that falls silent is told so and closed: before MAIL, in DATA, and in the middle of a line', async () => {
  await using gateway = await startGateway({ timeoutsmtpd: '1\n' });
  await using silent = await greeted(gateway.port);
  await using inData = await greeted(gateway.port);
  await inData.envelope();
  await inData.say('DATA');
  inData.write('From: a@example.net\r\n\r\nhal');
  await using inLine = await greeted(gateway.port);
  inLine.write('EHL');
  for (const client of [silent, inData, inLine]) {
    assert.match(await client.reply(), /^451 4\.4\.2 timeout \(#4\.4\.2\)/);
    await client.end();
  }
  assert.deepEqual(await gateway.maildir(), []);
});

test('a client that does not take its answers is cut off, too', async () => {
  await using gateway = await startGateway({ timeoutsmtpd: '1\n' });
  await using deaf = await dial(gateway.port);
  deaf.socket.pause();
  // Its answers fill every buffer between us, and then nothing moves any more.
  const flood = Buffer.from('HELP\r\n'.repeat(20_000));
  await waitFor(
    'the cut',
    () => deaf.ended || void (deaf.socket.writableLength < 8e6 && deaf.socket.write(flood)),
  );
});

test('hard errors: the session ends after so many, and not before', async () => {
  await using gateway = await startGateway({ harderrors: '3\n' });
  await using client = await greeted(gateway.port);
  assert.match(await client.codes('EHLO x', 'RUBBISH', 'MAIL FROM:<a@example.net>'), /^250 502 250$/);
  assert.match(await client.say('RCPT TO:<b@elsewhere.example>'), /^553 /);
  assert.match(await client.say('RCPT TO:<c@elsewhere.example>'), /^553 /);
  assert.match(await client.reply(), /^421 4\.7\.0 too many errors/);
  await client.end();

  await using unlimited = await startGateway({ harderrors: '0\n' });
  await using patient = await greeted(unlimited.port);
  for (let i = 0; i < 40; i++) assert.match(await patient.say('RUBBISH'), /^502 /);
});

test('one session may bring maxmessages messages', async () => {
  await using gateway = await startGateway({ maxmessages: '2\n' });
  await using client = await greeted(gateway.port);
  for (let i = 0; i < 2; i++) {
    await client.envelope();
    assert.match(await client.message(), /^250 /);
  }
  assert.match(
    await client.say('MAIL FROM:<a@example.net>'),
    /^421 4\.7\.0 too many messages in one session/,
  );
  await client.end();
});
