import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { programPath, run, start, waitFor } from '../support/processes.ts';
import { builtFolder } from './build.ts';
import { deliver, ENVELOPE, MESSAGE } from './rig.ts';
import type { Delivery, Outcome } from './rig.ts';
import { frame, no, sent, stubDaemon, yes } from './stub-daemon.ts';
import type { Act, Call } from './stub-daemon.ts';

let built: Awaited<ReturnType<typeof builtFolder>>;
let serial = 0;
before(async () => {
  built = await builtFolder();
});
after(() => built[Symbol.asyncDispose]());

const LARGE = Buffer.alloc(1024 * 1024, 'all work and no play\n');

/** Reads everything, says nothing, and leaves when the client does: what a daemon has to do with a shadow. */
const SILENT: Act = { at: 'nothing', stay: true };

function shadowed(delivery: Delivery): Delivery {
  // However long the daemon may usually take, a shadow does not wait for it.
  return {
    ...delivery,
    args: ['--shadow', built.programs.next],
    env: { POSTERN_TIMEOUT: '3600', ...delivery.env },
  };
}

async function through(
  act: Act,
  delivery: Delivery = {},
): Promise<{ outcome: Outcome; call: Call | undefined }> {
  await using daemon = await stubDaemon(join(built.path, `socket-${++serial}`), act);
  const outcome = await deliver(built.programs, built.path, daemon.path, shadowed(delivery));
  await waitFor('the end of the calls', () => act.deaf === true || daemon.calls.every(call => call.closed));
  return { outcome, call: daemon.calls[0] };
}

/** How a daemon can stand in the way. */
const DAEMONS: Readonly<Record<string, Act>> = {
  'only looks on': SILENT,
  'closes at once': { at: 'connect' },
  'resets at once': { at: 'connect', deaf: true, reset: true },
  'is killed within the message': { at: 'M', reset: true },
  'is killed after the commit': { at: 'r', reset: true },
  'hangs and reads nothing': { at: 'connect', deaf: true, stay: true },
  'hangs after the commit': { at: 'r', deaf: true, stay: true },
  refuses: { bytes: no(31, 'Dno'), stay: true },
  'refuses at once': { at: 'connect', bytes: no(31, 'Dno') },
  accepts: { bytes: frame('A') },
  'says yes to another program': { bytes: yes('/bin/false', 'F\0\0', 'X-A: b\n'), stay: true },
  'talks without end': { at: 'connect', bytes: Buffer.alloc(4_000_000, 'X'), stay: true },
};

test('POSTERN_SHADOW in the environment is the same, and the old filter does not see it', async () => {
  await using daemon = await stubDaemon(join(built.path, `socket-${++serial}`), SILENT);
  const env = { POSTERN_SHADOW: built.programs.next, NEXT_ACT: 'text 6 82 Dold words' };
  const outcome = await deliver(built.programs, built.path, daemon.path, { env, channels: ['w:6'] });
  assert.deepEqual([outcome.code, outcome.texts[6], outcome.runs], [82, 'Dold words', 1]);
  assert.ok(!outcome.facts.some(one => one.includes('POSTERN_SHADOW')));
  await waitFor('the end of the call', () => daemon.calls[0]?.closed === true);
  assert.ok(daemon.calls[0]?.frames.some(one => one.type === 'S'));
});

describe('the old filter decides, whatever a daemon does', { concurrency: 6 }, () => {
  const looksOn = async (name: string, run: (delivery: Delivery) => Promise<Outcome>): Promise<void> => {
    const [passed, large, refused, killed] = await Promise.all([
      run({ channels: ['w:6'] }),
      run({ message: LARGE }),
      run({ channels: ['w:6', 'w:4'], env: { NEXT_ACT: 'text 6 82 Dold words' } }),
      run({ env: { NEXT_ACT: 'signal 15' } }),
    ]);
    assert.deepEqual([name, passed.code, passed.runs, passed.texts[6], passed.stderr], [name, 0, 1, '', '']);
    assert.equal(passed.message.toString('latin1'), MESSAGE);
    assert.equal(passed.envelope.toString('latin1'), ENVELOPE);
    assert.deepEqual([large.code, large.runs], [0, 1]);
    assert.ok(large.message.equals(LARGE));
    assert.deepEqual([refused.code, refused.texts], [82, { 4: '', 6: 'Dold words' }]);
    assert.deepEqual([killed.code, killed.signal, killed.runs], [null, 15, 1]);
  };

  for (const [name, act] of Object.entries(DAEMONS)) {
    test(name, () => looksOn(name, async delivery => (await through(act, delivery)).outcome));
  }

  test('is not there', () =>
    looksOn('is not there', delivery => deliver(built.programs, built.path, '/nowhere', shadowed(delivery))));

  test('cannot be named', () =>
    looksOn('cannot be named', delivery =>
      deliver(built.programs, built.path, `/${'x'.repeat(300)}`, shadowed(delivery)),
    ));
});

test('exit codes and signals pass, and the daemon is told', async () => {
  for (const [act, told, code, signal] of [
    ...[0, 1, 11, 31, 53, 54, 71, 82, 91, 99, 111, 120, 255].map(
      code => [`exit ${code}`, `exit ${code}`, code, null] as const,
    ),
    ...[1, 6, 9, 11, 13, 15].map(signal => [`signal ${signal}`, `signal ${signal}`, null, signal] as const),
  ]) {
    const { outcome, call } = await through(SILENT, { env: { NEXT_ACT: act } });
    assert.deepEqual([outcome.code, outcome.signal, outcome.runs], [code, signal, 1]);
    assert.match(call?.frames.map(one => one.type).join('') ?? '', /^VSE*IM+mR+rO$/);
    assert.equal(sent(call, 'O').toString(), told);
    assert.equal(sent(call, 'M').toString('latin1'), MESSAGE);
    assert.equal(sent(call, 'R').toString('latin1'), ENVELOPE);
  }
});

test('a cut or wrong envelope is for the old filter to judge, and no commit for the daemon', async () => {
  for (const envelope of ['', 'Fa', 'Fa\0Tb\0', 'x', 'Fa\0\0T']) {
    const { outcome, call } = await through(SILENT, { envelope, env: { NEXT_ACT: 'exit 54' } });
    assert.deepEqual([outcome.code, outcome.runs, outcome.envelope.toString()], [54, 1, envelope]);
    assert.ok(!call?.frames.some(one => one.type === 'r' || one.type === 'O'));
  }
});

test('the old filter finds the descriptors, the folder and the signals of the caller, and no QMAILQUEUE', async () => {
  const home = join(built.path, 'home');
  mkdirSync(home);
  const { outcome } = await through(SILENT, {
    cwd: home,
    channels: ['w:4', 'w:6', 'o:9'],
    env: { QMAILQUEUE: 'x', DKQUEUE: 'y' },
  });
  const facts = outcome.facts;
  assert.deepEqual(facts.filter(line => line.startsWith('fd ')).toSorted(), [
    'fd 0',
    'fd 1',
    'fd 2',
    'fd 4',
    'fd 6',
    'fd 9',
  ]);
  assert.ok(facts.includes(`cwd ${home}`));
  assert.ok(facts.includes(`arg ${built.programs.next}`));
  assert.equal(facts.filter(line => line.startsWith('arg ')).length, 1);
  assert.ok(facts.includes('alarm 0'));
  assert.ok(facts.includes('SigIgn:\t0000000000000000'));
  assert.ok(facts.includes('env DKQUEUE=y'));
  assert.ok(!facts.some(line => line.startsWith('env QMAILQUEUE=')));
});

test('the caller sees the end of its channels while the old filter is still at work', async () => {
  // The filter closes them and then waits for a word that comes only after the caller has seen the end: were a copy held
  // anywhere else, both would wait for ever.
  const go = join(built.path, 'go');
  const filter = join(built.path, 'filter');
  writeFileSync(
    filter,
    `#!/bin/sh\nexec 4>&- 6>&- 9>&- 0<&- 1<&- 2>/dev/null\nread word <${go}.fifo\nexit 5\n`,
  );
  chmodSync(filter, 0o755);
  await using daemon = await stubDaemon(join(built.path, `socket-${++serial}`), SILENT);
  assert.equal((await run('mkfifo', [`${go}.fifo`])).code, 0);
  writeFileSync(`${go}.in`, MESSAGE);
  writeFileSync(`${go}.envelope`, ENVELOPE, 'latin1');
  const channels = ['-k', 'w:4', '-k', 'w:6', '-k', 'w:9'];
  await using caller = await start(
    programPath('stdbuf'),
    [
      '-oL',
      built.programs.caller,
      ...channels,
      `${go}.in`,
      `${go}.envelope`,
      built.programs.client,
      '--shadow',
      filter,
    ],
    { env: { POSTERN_SOCKET: daemon.path, POSTERN_SPOOL: built.path, ERROR_FD: '9' } },
  );
  await caller.output(/^text 4 \ntext 6 \ntext 9 \n/);
  assert.equal(caller.exit, null);
  await writeFile(`${go}.fifo`, 'go\n');
  await caller.output(/^exit 5$/m);
});

test('an old filter that cannot be executed: 120, as the caller would have it', async () => {
  const outcome = await deliver(built.programs, built.path, '/nowhere', { args: ['--shadow', '/nowhere'] });
  assert.deepEqual([outcome.code, outcome.runs], [120, 0]);
});

test('a caller that ignores the end of its children gets the old filter’s answer, and so does the filter', async () => {
  const ignoring = ['/usr/bin/perl', '-e', '$SIG{CHLD} = "IGNORE"; exec @ARGV', built.programs.client];
  const { outcome, call } = await through(SILENT, { client: ignoring, env: { NEXT_ACT: 'exit 31' } });
  assert.deepEqual([outcome.code, outcome.runs], [31, 1]);
  assert.ok(outcome.facts.includes('SigIgn:\t0000000000010000'), outcome.facts.join('\n'));
  assert.equal(sent(call, 'O').toString(), 'exit 31');
});
