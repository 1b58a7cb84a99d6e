import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { programPath } from '../support/processes.ts';
import { builtFolder } from './build.ts';
import { deliver, ENVELOPE, MESSAGE } from './rig.ts';
import type { Delivery, Outcome } from './rig.ts';
import { no, stubDaemon, yes } from './stub-daemon.ts';
import type { Act } from './stub-daemon.ts';

// What the system can do to a program, made to happen by strace: the client sees the error that `inject` names.

let built: Awaited<ReturnType<typeof builtFolder>>;
let serial = 0;
before(async () => {
  built = await builtFolder();
});
after(() => built[Symbol.asyncDispose]());

const HEADER = 'X-Postern: yes\n';
const passes = (): Act => ({ bytes: yes(built.programs.next, ENVELOPE, HEADER) });
const open = (): Record<string, string> => ({
  POSTERN_FAIL: 'open',
  QMAILQUEUE_NEXT: built.programs.next,
  NEXT_ACT: 'exit 33',
});

async function through(inject: string, act: Act, delivery: Delivery = {}): Promise<Outcome> {
  const strace = [programPath('strace'), '-qq', '-o', '/dev/null', '-e', `inject=${inject}`];
  await using daemon = await stubDaemon(join(built.path, `socket-${++serial}`), act);
  const client = [...strace, built.programs.client];
  return await deliver(built.programs, built.path, daemon.path, { client, ...delivery });
}

/** What is injected, and the exit code; the daemon says yes, and nothing may come of it, with POSTERN_FAIL=open neither. */
const FATAL: readonly (readonly [string, number])[] = [
  ['open:error=ENOSPC', 53],
  ['open:error=EACCES', 53],
  ['open:error=ENOMEM', 51],
  ['fcntl:error=EMFILE', 53],
  ['lseek:error=EIO:when=1', 53],
  ['lseek:error=EIO:when=2', 53],
  ['write:error=ENOSPC:when=1', 53],
  ['write:error=EDQUOT:when=2', 53],
  ['write:error=EIO:when=3', 53],
  ['read:error=EIO:when=1', 54],
  ['read:error=EIO:when=2', 54],
  ['read:error=EISDIR:when=3', 54],
  ['read:error=EIO:when=4', 54],
  ['socket:error=EMFILE', 71],
  ['socket:error=ENOMEM', 51],
  ['connect:error=EACCES', 71],
  ['connect:error=EPROTOTYPE', 71],
  ['dup2:error=EMFILE', 71],
  ['geteuid:retval=12345', 81],
  ['getegid:retval=12345', 81],
];

describe('a call of the system that fails', { concurrency: 4 }, () => {
  for (const [inject, code] of FATAL) {
    test(`${inject}: ${code}`, async () => {
      for (const env of [{}, open()]) {
        const outcome = await through(inject, passes(), { env });
        assert.deepEqual([outcome.code, outcome.runs], [code, 0]);
      }
    });
  }
});

/** Faults that the client gets over. */
const HARMLESS: readonly string[] = [
  ...[1, 2, 3, 4].map(n => `read:error=EINTR:when=${n}`),
  ...[1, 2, 3, 4].map(n => `read:error=EAGAIN:when=${n}`),
  ...[1, 2, 3].map(n => `write:error=EINTR:when=${n}`),
  ...[1, 2, 3].map(n => `sendto:error=EINTR:when=${n}`),
  ...[1, 2, 3].map(n => `sendto:error=EAGAIN:when=${n}`),
  'recvfrom:error=EINTR:when=1',
  'recvfrom:error=EAGAIN:when=2',
  'poll:error=EINTR:when=2',
  'connect:error=EAGAIN:when=1',
  // A file system without unnamed files.
  'open:error=EOPNOTSUPP:when=1',
  'open:error=EISDIR:when=1',
];

describe('a call of the system that has to be made again', { concurrency: 4 }, () => {
  for (const inject of HARMLESS) {
    test(inject, async () => {
      const outcome = await through(inject, passes());
      assert.deepEqual([outcome.code, outcome.runs, outcome.stderr], [0, 1, '']);
      assert.equal(outcome.message.toString('latin1'), `${HEADER}${MESSAGE}`);
      assert.equal(outcome.envelope.toString('latin1'), ENVELOPE);
    });
  }
});

test('a connection that breaks while we send may have a refusal in it', async () => {
  const act: Act = { at: 'connect', bytes: no(31, 'Dtoo many'), stay: true };
  for (const error of ['EPIPE', 'ECONNRESET']) {
    const delivery = { message: Buffer.alloc(100_000, 'x'), channels: ['w:6'], env: open() };
    const outcome = await through(`sendto:error=${error}:when=1`, act, delivery);
    assert.deepEqual([outcome.code, outcome.runs, outcome.texts[6]], [82, 0, 'Dtoo many']);
  }
});

test('a text that could not be written is no text', async () => {
  const act = { bytes: no(31, 'Dno such thing') };
  const failed = await through('write:error=EAGAIN:when=2', act, { channels: ['w:6'] });
  assert.deepEqual([failed.code, failed.texts[6]], [31, '']);
  const other = await through('write:error=EAGAIN:when=2', act, { channels: ['w:6', 'w:4'] });
  assert.deepEqual([other.code, other.texts], [82, { 4: 'Dno such thing', 6: '' }]);
});

test('a wait for the daemon that fails is as silence', async () => {
  const outcome = await through('poll:error=ENOMEM', { stay: true });
  assert.deepEqual([outcome.code, outcome.runs], [72, 0]);
});

describe('shadow mode', { concurrency: 4 }, () => {
  const shadow = (): Delivery => ({ args: ['--shadow', built.programs.next], env: { NEXT_ACT: 'exit 9' } });
  const silent: Act = { at: 'nothing', stay: true };
  for (const inject of [
    // Without a process to spare the old filter runs in our place.
    'clone,fork,vfork:error=EAGAIN',
    'socket:error=EMFILE',
    'connect:error=EACCES',
    'sendto:error=EPIPE:when=2',
    'sendto:error=ENOBUFS:when=1',
    'wait4:error=EINTR:when=1',
  ]) {
    test(inject, async () => {
      const outcome = await through(inject, silent, shadow());
      assert.deepEqual([outcome.code, outcome.runs, outcome.stderr], [9, 1, '']);
      assert.equal(outcome.message.toString('latin1'), MESSAGE);
      assert.equal(outcome.envelope.toString('latin1'), ENVELOPE);
    });
  }

  test('a spool that cannot be written: 53, before the old filter has begun', async () => {
    for (const when of [1, 2]) {
      const outcome = await through(`write:error=ENOSPC:when=${when}`, silent, shadow());
      assert.deepEqual([outcome.code, outcome.runs], [53, 0]);
    }
  });
});
