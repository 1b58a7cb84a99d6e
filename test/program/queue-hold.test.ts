import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { envelope, startQueueRig, withAttachment } from '../support/qmail-rig.ts';
import type { QueueRig } from '../support/qmail-rig.ts';

const FILE = withAttachment('report.doc');
const SENDER = 'a@example.net';

/** The one copy in the quarantine, as bytes. */
async function heldCopy(rig: QueueRig): Promise<string> {
  const names = await rig.gateway.quarantine();
  assert.equal(names.length, 1);
  return await readFile(join(rig.gateway.state, 'quarantine/new', names[0] ?? ''), 'latin1');
}

test('a held copy is in the quarantine; explain shows client, HELO and the line of simcontrol', async () => {
  await using rig = await startQueueRig({
    simcontrol: ':clam=no\nlawyers.example:attach=.doc\n',
    actions: 'ATTACH:quarantine\n',
  });
  const { code, texts, runs } = await rig.bring({
    message: FILE,
    envelope: envelope(SENDER, 'b@lawyers.example'),
    channels: ['w:6'],
  });
  assert.deepEqual([code, texts, runs], [0, { 6: '' }, 0]);
  const { id } = await rig.gateway.logged('message-held');
  assert.ok((await heldCopy(rig)).endsWith(`\n${FILE}`));
  const explained = await rig.gateway.explain(String(id));
  assert.match(explained, /192\.0\.2\.7.*mail\.client\.example/);
  assert.match(explained, /EHLO client\.example/);
  assert.match(explained, /<b@lawyers\.example> +held +quarantine +ATTACH/);
  assert.match(explained, /attach=\.doc \(\S*simcontrol:2\)/);
});

test('of two recipients one gets the message, and the other’s copy is held', async () => {
  await using rig = await startQueueRig({
    simcontrol: 'strict@example.com:attach=.doc\nlax@example.com:attach=.none\n',
    actions: 'ATTACH:quarantine\n',
  });
  const both = ['lax@example.com', 'strict@example.com'];
  for (const [number, recipients] of [both, both.toReversed()].entries()) {
    const outcome = await rig.bring({ message: FILE, envelope: envelope(SENDER, ...recipients) });
    assert.deepEqual([outcome.code, outcome.runs], [0, 1]);
    assert.equal(outcome.envelope.toString('latin1'), envelope(SENDER, 'lax@example.com'));
    assert.ok(outcome.message.toString('latin1').endsWith(FILE));
    assert.equal((await rig.gateway.quarantine()).length, number + 1);
  }
});

test('a copy that is to be refused is held when another passes: the caller gets one answer', async () => {
  await using rig = await startQueueRig({
    simcontrol: 'strict@example.com:attach=.doc\n',
  });
  const recipients = ['one@example.com', 'strict@example.com', 'two@example.com'];
  const outcome = await rig.bring({ message: FILE, envelope: envelope(SENDER, ...recipients) });
  assert.deepEqual([outcome.code, outcome.runs], [0, 1]);
  assert.equal(outcome.envelope.toString('latin1'), envelope(SENDER, 'one@example.com', 'two@example.com'));
  const { id } = await rig.gateway.logged('message-held');
  const record = await rig.gateway.record(String(id));
  assert.deepEqual(
    record.recipients.map(one => `${one.address} ${one.outcome}`),
    ['one@example.com delivered', 'strict@example.com held', 'two@example.com delivered'],
  );
});

for (const [recipients, expected] of [
  ['strictest', [31, 31]],
  ['last', [0, 31]],
] as const) {
  test(`recipients=${recipients}: one verdict for all`, async () => {
    await using rig = await startQueueRig({
      recipients: `${recipients}\n`,
      simcontrol: 'strict@example.com:attach=.doc\nlax@example.com:attach=.none\n',
    });
    const orders = [
      ['strict@example.com', 'lax@example.com'],
      ['lax@example.com', 'strict@example.com'],
    ];
    const codes: (number | null)[] = [];
    for (const order of orders) {
      const outcome = await rig.bring({ message: FILE, envelope: envelope(SENDER, ...order) });
      codes.push(outcome.code);
      if (outcome.code === 0) assert.equal(outcome.envelope.toString('latin1'), envelope(SENDER, ...order));
    }
    assert.deepEqual(codes, expected);
    assert.deepEqual(await rig.gateway.quarantine(), []);
  });
}

test('a full disk is a temporary failure at every step, and nothing is passed', async () => {
  await using rig = await startQueueRig(
    { actions: 'ATTACH:quarantine\n', simcontrol: 'strict@example.com:attach=.doc\n' },
    // Files of the daemon end at 250 kB.
    { before: 'ulimit -f 500', troubleExpected: true },
  );
  // What is kept in memory fails when it is held; what is more, when it is spooled.
  for (const lines of [40_000, 200_000]) {
    const outcome = await rig.bring({
      message: FILE.replace('aGVsbG8gd29ybGQ=\n', 'aGVsbG8g\n'.repeat(lines)),
      envelope: envelope(SENDER, 'lax@example.com', 'strict@example.com'),
      channels: ['w:6'],
    });
    assert.deepEqual([outcome.code, outcome.runs], [82, 0]);
    assert.match(outcome.texts[6] ?? '', /^Z.*\(#4\.3\.0\)/);
  }
  assert.deepEqual(await rig.gateway.quarantine(), []);
  const small = await rig.bring({ message: FILE, envelope: envelope(SENDER, 'strict@example.com') });
  assert.equal(small.code, 0, 'what fits is held as ever');
  assert.equal((await rig.gateway.quarantine()).length, 1);
});
