import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { ROOT, run, start } from '../support/processes.ts';
import { builtFolder } from './build.ts';
import { deliver } from './rig.ts';
import { frame, stubDaemon } from './stub-daemon.ts';
import type { Act } from './stub-daemon.ts';

let built: Awaited<ReturnType<typeof builtFolder>>;
let serial = 0;
before(async () => {
  built = await builtFolder();
});
after(() => built[Symbol.asyncDispose]());

test('--version is the one of the package', async () => {
  const { version } = JSON.parse(readFileSync(`${ROOT}/package.json`, 'utf8')) as { version: string };
  const done = await run(built.programs.client, ['--version']);
  assert.deepEqual([done.code, done.stdout.toString()], [0, `postern-queue ${version}\n`]);
});

test('anything else than its four uses is a wrong use, and temporary', async () => {
  const wrong = [
    ['--help'],
    ['-v'],
    ['--shadow'],
    ['--shadow', ''],
    ['--shadow', 'a', 'b'],
    ['--ping', 'x'],
    ['x'],
    [''],
  ];
  for (const args of wrong) {
    const done = await run(built.programs.client, args);
    assert.deepEqual([args, done.code], [args, 81]);
    assert.match(done.stderr.toString(), /^postern-queue: usage: .+\n$/);
  }
});

/** How `--ping` ends, what it prints, what it complains about, and the types of the frames that it sent. */
async function ping(act: Act, seconds = 10): Promise<readonly [number | null, string, string, string]> {
  await using daemon = await stubDaemon(join(built.path, `socket-${++serial}`), act);
  const env = { POSTERN_SOCKET: daemon.path, POSTERN_TIMEOUT: `${seconds}` };
  const done = await run(built.programs.client, ['--ping'], { env });
  const types = daemon.calls[0]?.frames.map(one => one.type).join('') ?? '';
  return [done.code, done.stdout.toString(), done.stderr.toString(), types];
}

test('--ping prints the daemon’s version', async () => {
  assert.deepEqual(await ping({ at: 'P', bytes: frame('P', '1.2.3') }), [0, '1.2.3\n', '', 'VP']);
  const byteWise = { at: 'P', bytes: frame('P', '1.2\x1b[31m\n'), byteWise: true };
  assert.deepEqual(await ping(byteWise), [0, '1.2?[31m?\n', '', 'VP']);
});

test('--ping says 111, and one line why, when the daemon does not answer', async () => {
  const acts: readonly Act[] = [
    { at: 'connect' },
    { at: 'connect', reset: true, deaf: true },
    { at: 'P' },
    { at: 'P', stay: true },
    { at: 'P', bytes: frame('P', '1.2.3').subarray(0, 7) },
    { at: 'P', bytes: frame('P', '1.2.3').subarray(0, 7), stay: true },
    { at: 'P', bytes: frame('A'), stay: true },
    { at: 'P', bytes: frame('P', 'x'.repeat(5000)), stay: true },
    { at: 'P', bytes: Buffer.alloc(100, 0xff), stay: true },
  ];
  for (const act of acts) {
    const [code, out, words] = await ping(act, 1);
    assert.deepEqual([code, out], [111, '']);
    assert.match(words, /^postern-queue: .+: .+\n$/);
  }
  const absent = await run(built.programs.client, ['--ping'], { env: { POSTERN_SOCKET: '/nowhere' } });
  assert.deepEqual(
    [absent.code, absent.stderr.toString()],
    [111, 'postern-queue: /nowhere: no such socket\n'],
  );
});

test('24 hours are enough: the alarm ends it with 52', async () => {
  const env = { POSTERN_SOCKET: '/nowhere', POSTERN_SPOOL: built.path };
  await using waiting = await start(built.programs.client, [], { holdInput: true, env });
  // Descriptor 0 is being read once the alarm is set and the spool there.
  const reading = () => readFileSync(`/proc/${waiting.pid}/syscall`, 'latin1').startsWith('0 0x0 ');
  await waiting.until('reading the message', reading);
  waiting.signal('SIGALRM');
  assert.deepEqual(await waiting.ended, { code: 52, signal: null });
});

test('the environment’s numbers: a timeout that makes no sense is the default one', async () => {
  for (const POSTERN_TIMEOUT of ['0', '3601', '-1', '1s', ' 1', '99999999999999999999', '']) {
    const late = () => new Promise<void>(resolve => setTimeout(resolve, 20));
    await using daemon = await stubDaemon(join(built.path, `socket-${++serial}`), {
      bytes: frame('A'),
      first: late,
    });
    const outcome = await deliver(built.programs, built.path, daemon.path, { env: { POSTERN_TIMEOUT } });
    assert.equal(outcome.code, 0);
  }
});
