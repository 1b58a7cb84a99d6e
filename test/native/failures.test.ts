import assert from 'node:assert/strict';
import { renameSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { start } from '../support/processes.ts';
import { builtFolder } from './build.ts';
import { FAILURES } from './cases.ts';
import type { Failure } from './cases.ts';
import { deliver, ENVELOPE, MESSAGE } from './rig.ts';
import type { Delivery, Outcome } from './rig.ts';
import { frame, no, stubDaemon, yes } from './stub-daemon.ts';
import type { Act, Call } from './stub-daemon.ts';

let built: Awaited<ReturnType<typeof builtFolder>>;
let serial = 0;
before(async () => {
  built = await builtFolder();
});
after(() => built[Symbol.asyncDispose]());

/** A message larger than any socket's buffers, so that a daemon that does not read is noticed while sending. */
const LARGE = Buffer.alloc(1024 * 1024, 'all work and no play\n');

async function through(
  act: Act,
  delivery: Delivery = {},
): Promise<{ outcome: Outcome; call: Call | undefined }> {
  const path = join(built.path, `socket-${++serial}`);
  await using daemon = await stubDaemon(path, act);
  const outcome = await deliver(built.programs, built.path, path, delivery);
  return { outcome, call: daemon.calls[0] };
}

function open(): Record<string, string> {
  return { POSTERN_FAIL: 'open', QMAILQUEUE_NEXT: built.programs.next, NEXT_ACT: 'exit 33' };
}

/** A daemon that speaks out of turn is caught while there is much to send. */
function usual(failure: Failure): Pick<Delivery, 'message'> {
  return failure.early ? { message: LARGE } : {};
}

/**
 * Seconds that the client waits. Long enough for the stub where it answers, however busy the machine is; where it hangs
 * for good a test waits as long as this.
 */
function patience(failure: Failure): string {
  if (failure.code !== 72) return '60';
  return failure.opens ? '1' : '4';
}

describe('a daemon that fails', { concurrency: 10 }, () => {
  for (const failure of FAILURES) {
    test(failure.name, async () => {
      const env = { POSTERN_TIMEOUT: patience(failure) };
      const [small, large, opened] = await Promise.all([
        through(failure.act, { env, channels: ['w:6'], ...usual(failure) }),
        through(failure.act, { env, message: LARGE }),
        through(failure.act, { env: { ...env, ...open() }, ...usual(failure) }),
      ]);
      assert.deepEqual(
        [small.outcome.code, small.outcome.texts[6], small.outcome.runs],
        [failure.code, '', 0],
      );
      assert.deepEqual([large.outcome.code, large.outcome.runs], [failure.code, 0]);
      assert.match(small.outcome.stderr, /^postern-queue: .*socket-\d+: .+\n$/);
      const expected = failure.opens ? [33, 1] : [failure.code, 0];
      assert.deepEqual([opened.outcome.code, opened.outcome.runs], expected);
      if (!failure.opens) return;
      assert.equal(opened.outcome.message.toString('latin1'), MESSAGE);
      assert.equal(opened.outcome.envelope.toString('latin1'), ENVELOPE);
      assert.match(opened.outcome.stderr, /passed on without a look/);
    });

    test(`${failure.name}, and the caller takes the message back`, async () => {
      const { outcome } = await through(failure.act, {
        env: { POSTERN_TIMEOUT: patience(failure), ...open() },
        envelope: ENVELOPE.slice(0, -1),
      });
      assert.deepEqual([outcome.code, outcome.runs, outcome.stderr], [54, 0, '']);
    });
  }
});

test('an answer that is there before the question is none, however small the message', async () => {
  const envelope = join(built.path, 'envelope');
  writeFileSync(envelope, ENVELOPE, 'latin1');
  for (const [bytes, code] of [
    [frame('A'), 74],
    [yes('/bin/true', ENVELOPE), 74],
    [no(71, 'Zbusy'), 71],
  ] as const) {
    await using daemon = await stubDaemon(join(built.path, `socket-${++serial}`), {
      at: 'connect',
      bytes,
      stay: true,
    });
    const env = { POSTERN_SOCKET: daemon.path, POSTERN_SPOOL: built.path };
    await using client = await start('/bin/sh', ['-c', 'exec "$0" 1<"$1"', built.programs.client, envelope], {
      holdInput: true,
      env,
    });
    await client.until('the connection', () => daemon.calls.length === 1);
    client.write(MESSAGE);
    client.endInput();
    assert.deepEqual(await client.ended, { code, signal: null });
  }
});

test('no daemon: 73, or what follows when POSTERN_FAIL=open', async () => {
  const nowhere = join(built.path, 'nowhere');
  const file = join(built.path, 'file');
  writeFileSync(file, '');
  const stale = join(built.path, 'stale');
  const server = net.createServer().listen(stale);
  await new Promise(resolve => server.once('listening', resolve));
  // close() would remove the socket's file, as a daemon that was killed does not.
  const renamed = `${stale}.left`;
  renameSync(stale, renamed);
  await new Promise(resolve => server.close(resolve));
  for (const socket of [nowhere, `${file}/below`, file, renamed]) {
    const closed = await deliver(built.programs, built.path, socket, { message: LARGE });
    assert.deepEqual([socket, closed.code, closed.runs], [socket, 73, 0]);
    const aborted = await deliver(built.programs, built.path, socket, { env: open(), envelope: 'Fa\0' });
    assert.deepEqual([aborted.code, aborted.runs], [54, 0]);
    const wrong = await deliver(built.programs, built.path, socket, { env: open(), envelope: 'a\0\0' });
    assert.deepEqual([wrong.code, wrong.runs], [91, 0]);
    const opened = await deliver(built.programs, built.path, socket, { env: open(), message: LARGE });
    assert.deepEqual([opened.code, opened.runs], [33, 1]);
    assert.ok(opened.message.equals(LARGE));
  }
});

test('a socket that we may not use, or that cannot be one, is a mistake and never passes', async () => {
  const long = `/tmp/${'x'.repeat(200)}`;
  const outcome = await deliver(built.programs, built.path, long, { env: open() });
  assert.deepEqual([outcome.code, outcome.runs], [71, 0]);
});

test('a queue of connections that stays full: 72', async () => {
  const path = join(built.path, 'busy');
  // Perl listens and never accepts, because Node always would; one connection may wait.
  const script = `use Socket; socket(S, AF_UNIX, SOCK_STREAM, 0) or die; bind(S, pack_sockaddr_un($ARGV[0])) or die;
    listen(S, 0) or die; $| = 1; print "up\\n"; sleep 600`;
  await using busy = await start('perl', ['-e', script, path]);
  await busy.output(/up/);
  const first = net.connect(path);
  await new Promise(resolve => first.once('connect', resolve));
  const closed = await deliver(built.programs, built.path, path, { env: { POSTERN_TIMEOUT: '1' } });
  assert.deepEqual([closed.code, closed.runs], [72, 0]);
  const opened = await deliver(built.programs, built.path, path, {
    env: { POSTERN_TIMEOUT: '1', ...open() },
  });
  assert.deepEqual([opened.code, opened.runs], [33, 1]);
  first.destroy();
});

test('an early refusal counts, whenever it comes', async () => {
  for (const at of ['connect', 'V', 'M', 'm', 'R', 'r']) {
    for (const rest of [{}, { stay: true }, { deaf: true, stay: true }, { reset: true }]) {
      const act = { at, bytes: no(31, 'Dtoo many messages from you'), ...rest };
      const [small, large, aborted] = await Promise.all([
        through(act, { channels: ['w:6'], env: open() }),
        through(act, { message: LARGE, env: open() }),
        through(act, { channels: ['w:6'], envelope: 'Fa\0', env: open() }),
      ]);
      const { code, texts, runs } = small.outcome;
      assert.deepEqual([at, code, texts[6], runs], [at, 82, 'Dtoo many messages from you', 0]);
      assert.deepEqual([at, large.outcome.code, large.outcome.runs], [at, 31, 0]);
      assert.deepEqual([aborted.outcome.code, aborted.outcome.texts[6]], [54, '']);
    }
  }
});

test('an answer that comes byte by byte, or late, is an answer', async () => {
  const bytes = yes(built.programs.next, ENVELOPE, 'X-Postern: slow\n');
  const slow = await through({ bytes, byteWise: true }, { env: { NEXT_ACT: 'exit 7' } });
  assert.deepEqual([slow.outcome.code, slow.outcome.runs], [7, 1]);
  assert.equal(slow.outcome.message.toString('latin1'), `X-Postern: slow\n${MESSAGE}`);
  const pause = () => new Promise<void>(resolve => setTimeout(resolve, 300));
  const late = await through({ bytes, first: pause }, { env: { POSTERN_TIMEOUT: '20' } });
  assert.deepEqual([late.outcome.code, late.outcome.runs], [0, 1]);
  const tooLate = await through(
    { bytes, first: () => new Promise<void>(resolve => setTimeout(resolve, 1500)) },
    { env: { POSTERN_TIMEOUT: '1' } },
  );
  assert.deepEqual([tooLate.outcome.code, tooLate.outcome.runs], [72, 0]);
});

test('accepted: exit 0, and nothing runs', async () => {
  const { outcome } = await through(
    { bytes: frame('A'), stay: true },
    { env: open(), channels: ['w:6', 'w:4'] },
  );
  assert.deepEqual([outcome.code, outcome.runs, outcome.texts, outcome.stderr], [0, 0, { 4: '', 6: '' }, '']);
});
