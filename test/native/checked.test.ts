import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { programPath } from '../support/processes.ts';
import { buildClient, builtFolder } from './build.ts';
import { FAILURES } from './cases.ts';
import { deliver, ENVELOPE, MESSAGE } from './rig.ts';
import type { Delivery } from './rig.ts';
import { frame, no, stubDaemon, yes } from './stub-daemon.ts';
import type { Act } from './stub-daemon.ts';

/** Exit code of valgrind when it has found something; nothing here ends so by itself. */
const FOUND = 199;

let built: Awaited<ReturnType<typeof builtFolder>>;
let clients: Readonly<Record<'valgrind' | 'sanitizers', readonly string[]>>;
let serial = 0;
before(async () => {
  built = await builtFolder();
  const sanitizers = ['-g', '-O1', '-fsanitize=address,undefined', '-fno-sanitize-recover=all'];
  clients = {
    valgrind: [
      programPath('valgrind'),
      '-q',
      `--error-exitcode=${FOUND}`,
      '--leak-check=full',
      '--track-fds=no',
      await buildClient(built.path, 'plain', ['-g', '-O1']),
    ],
    sanitizers: [await buildClient(built.path, 'sanitized', sanitizers)],
  };
});
after(() => built[Symbol.asyncDispose]());

interface Case {
  readonly name: string;
  readonly act: Act | null;
  readonly delivery: () => Delivery;
  readonly code: number;
}

const large = Buffer.alloc(300_000, 'line\n');
const recipients = `F\xff"x\0${'Tann@example.org\0'.repeat(5000)}\0`;
const passes = (envelope = ENVELOPE, header = 'X-A: b\n'): Act => ({
  bytes: yes('/bin/true', envelope, header),
});

const CASES: readonly Case[] = [
  { name: 'yes', act: passes(), delivery: () => ({}), code: 0 },
  {
    name: 'yes, large',
    act: passes(recipients, 'x'.repeat(60_000)),
    delivery: () => ({ message: large }),
    code: 0,
  },
  {
    name: 'many recipients',
    act: passes(),
    delivery: () => ({ envelope: recipients, piece: 7000 }),
    code: 0,
  },
  { name: 'byte by byte', act: { ...passes(), byteWise: true }, delivery: () => ({ piece: 1 }), code: 0 },
  { name: 'accepted', act: { bytes: frame('A') }, delivery: () => ({}), code: 0 },
  {
    name: 'refused with a long text',
    act: { bytes: no(31, `D${'\n'.repeat(5000)}`) },
    delivery: () => ({ channels: ['w:6', '=:4', 'w:9'], env: { ERROR_FD: '9' } }),
    code: 82,
  },
  { name: 'refused without a channel', act: { bytes: no(31, 'Dno') }, delivery: () => ({}), code: 31 },
  {
    name: 'refused early',
    act: { at: 'M', bytes: no(71, 'Zno') },
    delivery: () => ({ message: large }),
    code: 71,
  },
  {
    name: 'all variables long',
    act: passes(),
    delivery: () => ({
      env: { TCPREMOTEINFO: 'x'.repeat(9000), HELO: 'y'.repeat(9000), SENDER: 'z'.repeat(8192) },
    }),
    code: 0,
  },
  { name: 'cut envelope', act: passes(), delivery: () => ({ envelope: 'Fa\0Tb' }), code: 54 },
  { name: 'wrong envelope', act: passes(), delivery: () => ({ envelope: 'Fa\0xb\0\0' }), code: 91 },
  { name: 'no daemon', act: null, delivery: () => ({ message: large }), code: 73 },
  {
    name: 'no daemon, open',
    act: null,
    delivery: () => ({ env: { POSTERN_FAIL: 'open', QMAILQUEUE: 'x', QMAILQUEUE_NEXT: '/bin/true' } }),
    code: 0,
  },
  {
    name: 'nothing to execute',
    act: { bytes: yes('x'.repeat(1000), ENVELOPE) },
    delivery: () => ({}),
    code: 120,
  },
  {
    name: 'shadow',
    act: { at: 'nothing', stay: true },
    delivery: () => ({ args: ['--shadow', built.programs.next], env: { NEXT_ACT: 'exit 9' } }),
    code: 9,
  },
  {
    name: 'shadow without a daemon',
    act: null,
    delivery: () => ({ args: ['--shadow', built.programs.next], env: { NEXT_ACT: 'exit 9' } }),
    code: 9,
  },
  { name: 'wrong use', act: null, delivery: () => ({ args: ['--shadow'] }), code: 81 },
  ...FAILURES.filter(failure => failure.code === 74 && !failure.early).map(failure => ({
    name: failure.name,
    act: failure.act,
    delivery: () => ({ message: MESSAGE }),
    code: 74,
  })),
];

for (const checker of ['sanitizers', 'valgrind'] as const) {
  describe(`${checker} find nothing`, { concurrency: 4 }, () => {
    for (const { name, act, delivery, code } of CASES) {
      // Valgrind takes half a second a run: it sees the first cases, the sanitizers all.
      if (checker === 'valgrind' && CASES.findIndex(one => one.name === name) >= 30) continue;
      test(name, async () => {
        const path = join(built.path, `socket-${++serial}`);
        const daemon = act === null ? null : await stubDaemon(path, act);
        try {
          const outcome = await deliver(built.programs, built.path, path, {
            client: clients[checker],
            ...delivery(),
          });
          assert.deepEqual([outcome.code, outcome.signal], [code, null], outcome.stderr);
          assert.doesNotMatch(outcome.stderr, /==\d+==|runtime error/);
        } finally {
          await daemon?.[Symbol.asyncDispose]();
        }
      });
    }
  });
}
