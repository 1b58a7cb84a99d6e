import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Delivery } from '../native/rig.ts';
import type { QueueRig } from '../support/qmail-rig.ts';
import { envelope, startQueueRig, withAttachment } from '../support/qmail-rig.ts';

/** What qmail-scanner's shipped list says of a program; the words and the status as the relay has them. */
const TEXT =
  /^D(sorry, this message is not accepted here: Programs are not accepted by mail \(\.exe\) \(#5\.7\.1\)) \[([\w.]+)\]$/;

const PROGRAM: Delivery = {
  message: withAttachment('song.exe'),
  envelope: envelope('a@example.net', 'b@example.com'),
};

/** Brings it and gives the exit code, the texts and how often the next program ran. */
async function outcome(rig: QueueRig, delivery: Delivery) {
  const { code, texts, runs } = await rig.bring({ ...PROGRAM, ...delivery });
  return { code, texts, runs };
}

test('an attachment is refused with its own text on 6 and on 4, and with 31 where nobody listens', async () => {
  await using rig = await startQueueRig();
  for (const channel of [6, 4]) {
    const { code, texts, runs } = await outcome(rig, { channels: [`w:${channel}`] });
    assert.deepEqual([code, runs], [82, 0]);
    const [, words = '', id = ''] = TEXT.exec(texts[channel] ?? '') ?? [];
    assert.notEqual(words, '', texts[channel]);
    const record = await rig.gateway.record(id);
    assert.deepEqual([record.event, record.rule, record.edge], ['message-refused', 'QS_ATTACHMENT', 'qmail']);
    assert.equal(record.reply, `554 5.7.1 ${words}`);
  }
  assert.deepEqual(await outcome(rig, {}), { code: 31, texts: {}, runs: 0 });
  assert.deepEqual(await outcome(rig, { channels: ['o:6', 's:4'] }), { code: 31, texts: {}, runs: 0 });
});

test('what is deferred is temporary, with text and without', async () => {
  await using rig = await startQueueRig({ actions: 'QS_ATTACHMENT:defer\n' });
  const { code, texts } = await outcome(rig, { channels: ['w:6'] });
  assert.equal(code, 82);
  assert.match(texts[6] ?? '', /^Z.*\(#4\.7\.1\) \[[\w.]+\]$/);
  assert.deepEqual(await outcome(rig, {}), { code: 71, texts: {}, runs: 0 });
});

test('what is discarded is accepted, and nobody gets it', async () => {
  await using rig = await startQueueRig({ actions: 'QS_ATTACHMENT:discard\n' });
  assert.deepEqual(await outcome(rig, { channels: ['w:6'] }), { code: 0, texts: { 6: '' }, runs: 0 });
  const { id } = await rig.gateway.logged('message-discarded');
  const record = await rig.gateway.record(String(id));
  assert.deepEqual(
    record.recipients.map(one => [one.address, one.outcome, one.rule]),
    [['b@example.com', 'discarded', 'QS_ATTACHMENT']],
  );
  assert.deepEqual(await rig.gateway.quarantine(), []);
});

test('a relay client’s attachment is refused all the same, and its recipients are not asked about', async () => {
  await using rig = await startQueueRig({ rcpthosts: 'example.com\n' });
  const env = { RELAYCLIENT: '' };
  const elsewhere = envelope('a@example.net', 'b@elsewhere.example');
  assert.deepEqual(await outcome(rig, { env, envelope: elsewhere }), { code: 31, texts: {}, runs: 0 });
  const { id } = await rig.gateway.logged('message-refused');
  assert.equal((await rig.gateway.record(String(id))).relayClient, true);
  const letter = { message: withAttachment('letter.txt'), envelope: elsewhere };
  assert.equal((await rig.bring({ ...letter, env })).runs, 1);
  // Whom a stranger may write to is what qmail-smtpd has asked already.
  assert.equal((await rig.bring(letter)).runs, 1);
});

test('settings of the client come from its environment', async () => {
  await using rig = await startQueueRig();
  const env = { OBSERVE: 'QS_ATTACHMENT' };
  const { code, runs, facts } = await rig.bring({ ...PROGRAM, env });
  assert.deepEqual([code, runs], [0, 1]);
  assert.ok(facts.includes('env OBSERVE=QS_ATTACHMENT'), 'and stay there');
  const { id } = await rig.gateway.logged('message-accepted');
  const explained = await rig.gateway.explain(String(id));
  assert.match(explained, /observe +QS_ATTACHMENT +environment +client/);
  assert.match(explained, /message +QS_ATTACHMENT +hit/);
});
