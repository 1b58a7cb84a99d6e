import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import { ROOT, waitFor } from '../support/processes.ts';
import { builtFolder } from './build.ts';
import { deliver, ENVELOPE, MESSAGE } from './rig.ts';
import type { Delivery, Outcome } from './rig.ts';
import { sent, stubDaemon, yes } from './stub-daemon.ts';
import type { Call } from './stub-daemon.ts';

let built: Awaited<ReturnType<typeof builtFolder>>;
let serial = 0;
before(async () => {
  built = await builtFolder();
});
after(() => built[Symbol.asyncDispose]());

/** Runs a message that the daemon would let pass with its envelope as it is; also what the daemon has seen of it. */
async function pass(delivery: Delivery): Promise<{ outcome: Outcome; call: Call }> {
  const envelope = delivery.envelope ?? ENVELOPE;
  await using daemon = await stubDaemon(join(built.path, `socket-${++serial}`), {
    bytes: yes(built.programs.next, envelope),
  });
  const outcome = await deliver(built.programs, built.path, daemon.path, delivery);
  const call = await waitFor('the end of the call', () => daemon.calls.find(one => one.closed));
  assert.equal(daemon.calls.length, 1);
  return { outcome, call };
}

const many = Array.from({ length: 10_000 }, (_, i) => `Tuser${i}@${'a'.repeat(i % 200)}.example.org\0`).join(
  '',
);

const ENVELOPES: Readonly<Record<string, string>> = {
  'one recipient': 'Fa@b\0Tc@d\0\0',
  'no recipients': 'Fa@b\0\0',
  'an empty sender': 'F\0Tann@example.org\0\0',
  'a double bounce': 'F#@[]\0Tpostmaster@example.org\0\0',
  'empty sender and no recipients': 'F\0\0',
  'an empty recipient': 'Fa@b\0T\0\0',
  'eight bits': 'Fj\xfcrgen@example.org\0T\xff\xfe\x80@example.org\0\0',
  'quotes, blanks and controls': 'F"a b"@c\0T"\\"@x\n\r\t"@d\0TT\0TF\0\0',
  'a long address': `F${'x'.repeat(200_000)}\0T${'y'.repeat(200_000)}\0\0`,
  '10,000 recipients': `Fa@b\0${many}\0`,
};

describe('envelopes', { concurrency: 4 }, () => {
  for (const [name, envelope] of Object.entries(ENVELOPES)) {
    test(`${name}: as they are to the daemon and to the next program`, async () => {
      const { outcome, call } = await pass({ envelope });
      assert.deepEqual([outcome.code, outcome.runs], [0, 1]);
      assert.equal(outcome.envelope.toString('latin1'), envelope);
      assert.equal(sent(call, 'R').toString('latin1'), envelope);
      assert.equal(call.frames.at(-1)?.type, 'r');
    });
  }

  test('cut at every byte: 54, and no commit', async () => {
    const whole = 'Fj\xfcr@x\0Ta@b\0Tc@d\0\0';
    for (let size = 0; size < whole.length; size++) {
      for (const env of [{}, { POSTERN_FAIL: 'open', QMAILQUEUE_NEXT: built.programs.next }]) {
        const { outcome, call } = await pass({ envelope: whole.slice(0, size), env, channels: ['w:6'] });
        assert.deepEqual([size, outcome.code, outcome.runs, outcome.texts[6]], [size, 54, 0, '']);
        assert.ok(!call.frames.some(frame => frame.type === 'r'));
        assert.equal(sent(call, 'M').toString('latin1'), MESSAGE);
      }
    }
  });

  test('wrong letters, and bytes behind the end: 91, and no commit', async () => {
    const wrong = [
      'T',
      'fa\0\0',
      '\0',
      'Fa\0Fb\0\0',
      'Fa\0tb\0\0',
      'Fa\0Tb\0x\0',
      'X',
      'Fa\0\0\0',
      `${ENVELOPE}T`,
    ];
    for (const envelope of [...wrong, `${ENVELOPE}${ENVELOPE}`]) {
      const env = { POSTERN_FAIL: 'open', QMAILQUEUE_NEXT: built.programs.next };
      const { outcome, call } = await pass({ envelope, env, channels: ['w:6'] });
      assert.deepEqual([envelope, outcome.code, outcome.runs, outcome.texts[6]], [envelope, 91, 0, '']);
      assert.ok(!call.frames.some(frame => frame.type === 'r'));
    }
  });
});

test('the daemon gets every frame in the order of the protocol', async () => {
  const long = 'x'.repeat(10_000);
  const { call } = await pass({
    env: { TCPREMOTEIP: '192.0.2.1', RELAYCLIENT: '', DKSIGN: long, UNKNOWN: 'x', QMAILQUEUE: '/q' },
  });
  assert.match(call.frames.map(frame => frame.type).join(''), /^VE{4}IM+mR+r$/);
  assert.equal(sent(call, 'V').toString(), '1');
  const told = call.frames.filter(frame => frame.type === 'E').map(frame => frame.payload.toString());
  assert.deepEqual(told.toSorted(), [
    `DKSIGN=${'x'.repeat(8192)}`,
    'QMAILQUEUE=/q',
    'RELAYCLIENT=',
    'TCPREMOTEIP=192.0.2.1',
  ]);
  assert.match(sent(call, 'I').toString(), /^uid=\d+ gid=\d+ pid=\d+ ppid=\d+$/);
});

test('every variable of the list can be as long as it may be', async () => {
  const names = readFileSync(`${ROOT}/native/environment.h`, 'latin1').matchAll(/^ {2}"(\w+)",$/gm);
  const env = Object.fromEntries(Array.from(names, ([, name]) => [name ?? '', 'v'.repeat(9000)]));
  const { outcome, call } = await pass({ env });
  assert.equal(outcome.code, 0);
  const told = call.frames.filter(frame => frame.type === 'E').map(frame => frame.payload.toString());
  assert.deepEqual(
    told.toSorted(),
    Object.keys(env)
      .map(name => `${name}=${'v'.repeat(8192)}`)
      .toSorted(),
  );
});

test('any bytes, in any pieces, arrive unchanged at the daemon and at the next program', async () => {
  const address = fc.uint8Array({ maxLength: 40 }).map(bytes => Buffer.from(bytes.map(byte => byte || 1)));
  const envelope = fc.tuple(address, fc.array(address, { maxLength: 8 })).map(([sender, recipients]) => {
    const end = Buffer.from([0]);
    const letter = (name: string) => Buffer.from(name);
    return Buffer.concat([
      letter('F'),
      sender,
      end,
      ...recipients.flatMap(recipient => [letter('T'), recipient, end]),
      end,
    ]);
  });
  const message = fc.uint8Array({ maxLength: 3000 }).map(bytes => Buffer.from(bytes));
  await fc.assert(
    fc.asyncProperty(
      message,
      envelope,
      fc.integer({ min: 1, max: 200 }),
      async (message, envelope, piece) => {
        const { outcome, call } = await pass({ message, envelope, piece });
        assert.equal(outcome.code, 0);
        assert.ok(outcome.message.equals(message));
        assert.ok(outcome.envelope.equals(envelope));
        assert.ok(sent(call, 'M').equals(message));
        assert.ok(sent(call, 'R').equals(envelope));
      },
    ),
    { numRuns: 60 },
  );
});
