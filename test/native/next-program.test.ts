import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { start } from '../support/processes.ts';
import { builtFolder } from './build.ts';
import { deliver, ENVELOPE, MESSAGE } from './rig.ts';
import type { Delivery, Outcome } from './rig.ts';
import { stubDaemon, yes } from './stub-daemon.ts';
import type { Act } from './stub-daemon.ts';

let built: Awaited<ReturnType<typeof builtFolder>>;
let serial = 0;
before(async () => {
  built = await builtFolder();
});
after(() => built[Symbol.asyncDispose]());

async function through(act: Act, delivery: Delivery = {}): Promise<Outcome> {
  const path = join(built.path, `socket-${++serial}`);
  await using daemon = await stubDaemon(path, act);
  return await deliver(built.programs, built.path, daemon.path, delivery);
}

function facts(outcome: Outcome, name: string): string[] {
  return outcome.facts.filter(line => line.startsWith(`${name} `)).map(line => line.slice(name.length + 1));
}

test('the header block goes in front of the untouched message, the envelope is the one answered', async () => {
  const kept = 'Fjoe@example.org\0Tbob@example.net\0\0';
  const message = Buffer.from(Array.from({ length: 3000 }, (_, i) => (i * 7) % 256));
  for (const header of ['', 'X-A: b\n', 'x'.repeat(60_000)]) {
    for (const body of [message, Buffer.alloc(0), Buffer.alloc(300_000, 'long\n')]) {
      const outcome = await through(
        { bytes: yes(built.programs.next, kept, header) },
        { message: body, env: { POSTERN_FAIL: 'open' } },
      );
      assert.equal(outcome.code, 0);
      assert.equal(outcome.runs, 1);
      assert.ok(outcome.message.equals(Buffer.concat([Buffer.from(header), body])));
      assert.equal(outcome.envelope.toString('latin1'), kept);
    }
  }
});

test('the next program finds everything but QMAILQUEUE as the caller left it', async () => {
  const home = join(built.path, 'home');
  mkdirSync(join(home, 'bin'), { recursive: true });
  symlinkSync(built.programs.next, join(home, 'bin/next'));
  for (const [piece, open] of [
    [undefined, 'open'],
    [5, 'closed'],
  ] as const) {
    const outcome = await through(
      { bytes: yes('bin/next', ENVELOPE) },
      {
        cwd: home,
        channels: ['w:6', 'w:4', 'o:5', 's:9'],
        ...(piece === undefined ? {} : { piece }),
        env: {
          QMAILQUEUE: built.programs.client,
          QMAILQUEUE_NEXT: '/x',
          RELAYCLIENT: '',
          POSTERN_FAIL: open,
        },
      },
    );
    assert.equal(outcome.code, 0);
    assert.deepEqual(facts(outcome, 'arg'), ['bin/next']);
    assert.deepEqual(facts(outcome, 'cwd'), [home]);
    assert.deepEqual(
      facts(outcome, 'fd')
        .map(Number)
        .toSorted((a, b) => a - b),
      [0, 1, 2, 4, 5, 6, 9],
    );
    assert.deepEqual(facts(outcome, 'alarm'), ['0']);
    const names = facts(outcome, 'env').map(line => line.split('=')[0]);
    assert.ok(!names.includes('QMAILQUEUE'));
    for (const name of ['QMAILQUEUE_NEXT', 'RELAYCLIENT', 'POSTERN_SOCKET'])
      assert.ok(names.includes(name), name);
    assert.ok(outcome.facts.includes('SigIgn:\t0000000000000000'), outcome.facts.join('\n'));
    assert.ok(outcome.facts.includes('SigCgt:\t0000000000000000'));
    assert.equal(outcome.message.toString('latin1'), MESSAGE);
  }
});

test('descriptors of its own begin at 7, while it works, too', async () => {
  await using daemon = await stubDaemon(join(built.path, `socket-${++serial}`), { stay: true });
  const env = { POSTERN_SOCKET: daemon.path, POSTERN_SPOOL: built.path };
  await using client = await start(built.programs.client, [], { holdInput: true, env });
  await client.until('the connection', () => daemon.calls.length === 1);
  const numbers = readdirSync(`/proc/${client.pid}/fd`).map(Number);
  assert.deepEqual(
    numbers.filter(each => each < 7).toSorted((a, b) => a - b),
    [0, 1, 2],
  );
  assert.ok(numbers.length >= 6, numbers.join(' '));
});

test('the next program is the process that the caller started', async () => {
  const outcome = await through(
    { bytes: yes(built.programs.next, ENVELOPE) },
    { client: ['/bin/sh', '-c', 'echo "pid $$" >&2; exec "$0"', built.programs.client] },
  );
  assert.equal(outcome.stderr.trim(), `pid ${facts(outcome, 'pid')[0]}`);
});

test('what the caller ignores stays ignored', async () => {
  const ignoring = ['/bin/sh', '-c', 'trap "" PIPE; exec "$0"', built.programs.client];
  const outcome = await through({ bytes: yes(built.programs.next, ENVELOPE) }, { client: ignoring });
  assert.ok(outcome.facts.includes('SigIgn:\t0000000000001000'), outcome.facts.join('\n'));
});

test('an alarm that the caller has set stays set', async () => {
  const alarmed = ['/usr/bin/perl', '-e', 'alarm 1000; exec @ARGV', built.programs.client];
  const outcome = await through({ bytes: yes(built.programs.next, ENVELOPE) }, { client: alarmed });
  const [left] = facts(outcome, 'alarm');
  assert.ok(Number(left) > 0 && Number(left) <= 1000, `${left}`);
});

describe('its end is the answer', { concurrency: 8 }, () => {
  for (let code = 0; code < 256; code += 16) {
    test(`exit codes ${code} to ${code + 15}`, async () => {
      await using daemon = await stubDaemon(join(built.path, `exits-${code}`), {
        bytes: yes(built.programs.next, ENVELOPE),
      });
      for (let each = code; each < code + 16; each++) {
        const env = { NEXT_ACT: `exit ${each}` };
        const outcome = await deliver(built.programs, built.path, daemon.path, { env, channels: ['w:6'] });
        assert.deepEqual([outcome.code, outcome.runs, outcome.texts[6], outcome.stderr], [each, 1, '', '']);
      }
    });
  }

  for (const signal of [1, 6, 9, 11, 13, 14, 15, 25]) {
    test(`signal ${signal}`, async () => {
      const env = { NEXT_ACT: `signal ${signal}` };
      const outcome = await through({ bytes: yes(built.programs.next, ENVELOPE) }, { env });
      assert.deepEqual([outcome.code, outcome.signal, outcome.runs], [null, signal, 1]);
    });
  }

  test('its text comes through on 4 and 6', async () => {
    for (const descriptor of [4, 6]) {
      const env = { NEXT_ACT: `text ${descriptor} 82 Dno (#5.7.1)` };
      const channels = ['w:4', 'w:6'];
      const outcome = await through({ bytes: yes(built.programs.next, ENVELOPE) }, { env, channels });
      assert.deepEqual([outcome.code, outcome.texts[descriptor]], [82, 'Dno (#5.7.1)']);
      assert.equal(outcome.texts[10 - descriptor], '');
    }
  });
});

test('a next program that cannot be executed: 120', async () => {
  for (const path of ['/nowhere', built.path, 'bin/qmail-queue', join(built.path, 'home')]) {
    const outcome = await through({ bytes: yes(path, ENVELOPE) });
    assert.deepEqual([path, outcome.code, outcome.runs], [path, 120, 0]);
  }
});

test('a next program that is this client would go round in circles: 81', async () => {
  const outcome = await through({ bytes: yes(built.programs.client, ENVELOPE) });
  assert.deepEqual([outcome.code, outcome.runs], [81, 0]);
});

test('POSTERN_FAIL=open: QMAILQUEUE_NEXT, else DKQUEUE unless that is ourselves, else bin/qmail-queue', async () => {
  const home = join(built.path, 'var-qmail');
  mkdirSync(join(home, 'bin'), { recursive: true });
  symlinkSync(built.programs.next, join(home, 'bin/qmail-queue'));
  symlinkSync(built.programs.next, join(home, 'bin/one'));
  symlinkSync(built.programs.next, join(home, 'bin/two'));
  const table = [
    [{ QMAILQUEUE_NEXT: 'bin/one', DKQUEUE: 'bin/two' }, 'bin/one'],
    [{ QMAILQUEUE_NEXT: '', DKQUEUE: 'bin/two' }, 'bin/two'],
    [{ DKQUEUE: built.programs.client }, 'bin/qmail-queue'],
    [{}, 'bin/qmail-queue'],
  ] as const;
  for (const [env, path] of table) {
    const outcome = await deliver(built.programs, built.path, '/nowhere', {
      cwd: home,
      env: { ...env, POSTERN_FAIL: 'open', QMAILQUEUE: built.programs.client },
    });
    assert.deepEqual([outcome.code, facts(outcome, 'arg')], [0, [path]]);
    assert.ok(!facts(outcome, 'env').some(line => line.startsWith('QMAILQUEUE=')));
    assert.equal(outcome.message.toString('latin1'), MESSAGE);
    assert.equal(outcome.envelope.toString('latin1'), ENVELOPE);
  }
  const itself = await deliver(built.programs, built.path, '/nowhere', {
    env: { POSTERN_FAIL: 'open', QMAILQUEUE_NEXT: built.programs.client },
  });
  assert.equal(itself.code, 81);
});
