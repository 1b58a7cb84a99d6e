import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { buildClient, builtFolder } from './build.ts';
import { programPath } from '../support/processes.ts';
import { deliver, ENVELOPE, MESSAGE } from './rig.ts';
import type { Delivery, Outcome } from './rig.ts';
import { frame, no, sent, stubDaemon, yes } from './stub-daemon.ts';
import type { Call } from './stub-daemon.ts';

const MEGABYTE = 1024 * 1024;

let built: Awaited<ReturnType<typeof builtFolder>>;
let serial = 0;
before(async () => {
  built = await builtFolder();
});
after(() => built[Symbol.asyncDispose]());

async function through(
  bytes: Buffer,
  delivery: Delivery = {},
): Promise<{ outcome: Outcome; call: Call | undefined }> {
  await using daemon = await stubDaemon(join(built.path, `socket-${++serial}`), { bytes });
  const outcome = await deliver(built.programs, built.path, daemon.path, delivery);
  return { outcome, call: daemon.calls[0] };
}

test('the client is small, and static', () => {
  assert.ok(statSync(built.programs.client).size < 40_000);
});

test('a message of 100 MB needs less than a megabyte of memory', async () => {
  const message = Buffer.alloc(100 * MEGABYTE, 'a line of a large message\n');
  // Refused, because what the next program needs would count as well.
  const { outcome, call } = await through(no(31, 'Dtoo large'), { message, channels: ['w:6'] });
  assert.deepEqual([outcome.code, outcome.texts[6]], [82, 'Dtoo large']);
  assert.ok(outcome.rss < 1024, `${outcome.rss} kB`);
  assert.ok(sent(call, 'M').equals(message));
  const passed = await through(yes(built.programs.next, ENVELOPE), { message });
  assert.equal(passed.outcome.code, 0);
  assert.ok(passed.outcome.message.equals(message));
});

describe('under softlimit and prlimit', { concurrency: 4 }, () => {
  const WRAPPERS = {
    'softlimit -m 1000000': ['softlimit', '-m', '1000000'],
    'softlimit -m 400000': ['softlimit', '-m', '400000'],
    'softlimit -a 400000': ['softlimit', '-a', '400000'],
    'softlimit -d 300000 -s 300000': ['softlimit', '-d', '300000', '-s', '300000'],
    'prlimit --as=1000000': ['prlimit', '--as=1000000'],
    'softlimit -o 12': ['softlimit', '-o', '12'],
  } as const;
  for (const [name, [wrapper, ...args]] of Object.entries(WRAPPERS)) {
    test(name, async () => {
      const client = [programPath(wrapper), ...args, built.programs.client];
      const message = Buffer.alloc(MEGABYTE, 'some text\n');
      const refused = await through(no(31, 'Dno'), { client, message, channels: ['w:6'] });
      assert.deepEqual([refused.outcome.code, refused.outcome.texts[6]], [82, 'Dno']);
      const accepted = await through(frame('A'), { client, message });
      assert.equal(accepted.outcome.code, 0);
      // The next program is under the same limits: it is not started, or killed, and neither is a success.
      const passed = await through(yes('/nowhere', ENVELOPE, 'x'.repeat(60_000)), { client, message });
      assert.equal(passed.outcome.code, 120);
    });
  }
});

describe('a spool that cannot be written: 53', { concurrency: 4 }, () => {
  const message = Buffer.alloc(300_000, 'full\n');
  const open = () => ({ POSTERN_FAIL: 'open', QMAILQUEUE_NEXT: built.programs.next });

  test('a limit on the size of files', async () => {
    for (const env of [{}, open()]) {
      const client = [programPath('prlimit'), '--fsize=200000', built.programs.client];
      const { outcome, call } = await through(yes(built.programs.next, ENVELOPE), { client, message, env });
      assert.deepEqual([outcome.code, outcome.signal, outcome.runs], [53, null, 0]);
      assert.ok(!call?.frames.some(one => one.type === 'r'));
      const absent = await deliver(built.programs, built.path, '/nowhere', { client, message, env });
      assert.deepEqual([absent.code, absent.runs], [53, 0]);
    }
  });

  test('the same limit, while the answer is written', async () => {
    const limited = (bytes: number) => [programPath('prlimit'), `--fsize=${bytes}`, built.programs.client];
    // The header block ends where the message begins, at 65536 bytes.
    const header = yes(built.programs.next, ENVELOPE, 'x'.repeat(60_000));
    const first = await through(header, { client: limited(50_000), message: '' });
    assert.deepEqual([first.outcome.code, first.outcome.runs], [53, 0]);
    assert.match(first.outcome.stderr, /cannot write a spool file/);
    const recipients = yes(built.programs.next, `F\0${`T${'x'.repeat(99)}\0`.repeat(2000)}\0`);
    const second = await through(recipients, { client: limited(100_000) });
    assert.deepEqual([second.outcome.code, second.outcome.runs], [53, 0]);
    const fits = await through(header, { client: limited(100_000) });
    assert.deepEqual([fits.outcome.code, fits.outcome.runs], [0, 1]);
  });

  test('no such folder, or a path that is too long', async () => {
    for (const folder of [join(built.path, 'none'), `/tmp/${'x'.repeat(5000)}`, built.programs.next]) {
      const env = { ...open(), POSTERN_SPOOL: folder };
      const { outcome } = await through(yes(built.programs.next, ENVELOPE), { env });
      assert.deepEqual([outcome.code, outcome.runs], [53, 0]);
    }
  });
});

test('where the file system knows no unnamed files the spool has a name for a moment only', async () => {
  const client = await buildClient(built.path, 'named', ['-O2', '-DPOSTERN_NAMED_SPOOL']);
  const spool = join(built.path, 'named-spool');
  mkdirSync(spool);
  for (const env of [{}, { POSTERN_FAIL: 'open' }]) {
    const { outcome } = await through(yes(built.programs.next, ENVELOPE, 'X-A: b\n'), {
      client: [client],
      env: { ...env, POSTERN_SPOOL: spool },
    });
    assert.deepEqual([outcome.code, outcome.runs], [0, 1]);
    assert.equal(outcome.message.toString('latin1'), `X-A: b\n${MESSAGE}`);
    assert.deepEqual(readdirSync(spool), []);
  }
});

test('closed descriptors are read errors, and no file of ours takes their place', async () => {
  for (const channels of [['c:0'], ['c:1'], ['c:0', 'c:1', 'c:2']]) {
    const { outcome, call } = await through(yes(built.programs.next, ENVELOPE), { channels });
    assert.deepEqual([outcome.code, outcome.runs], [54, 0]);
    assert.ok(!call?.frames.some(one => one.type === 'r'));
  }
  const { outcome } = await through(yes(built.programs.next, ENVELOPE), { channels: ['c:2'] });
  assert.deepEqual([outcome.code, outcome.runs], [0, 1]);
  assert.deepEqual(
    outcome.facts.filter(line => line.startsWith('fd ')),
    ['fd 0', 'fd 1'],
  );
});
