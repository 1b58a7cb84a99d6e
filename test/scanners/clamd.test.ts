import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { VirusOutcome } from '../../src/model/scan.ts';
import type { ClamdOptions } from '../../src/scanners/clamd.ts';
import { createClamd } from '../../src/scanners/clamd.ts';
import type { Act, FakeScanner } from '../support/fake-scanner.ts';
import { deadAddress, fakeScanner } from '../support/fake-scanner.ts';
import { waitFor } from '../support/processes.ts';

const MESSAGE = Buffer.from('From: <a@example.com>\r\n\r\nhello\r\n');
/** For the deadlines that a test waits for. */
const SOON = 150;

/** The stream has come to its end: one piece, as `MESSAGE` is sent, or a length of 0. */
const whole = (bytes: Buffer): boolean => bytes.toString('latin1').endsWith('\0\0\0\0');
const begun = (bytes: Buffer): boolean => bytes.length > 0;

function client(scanners: readonly Pick<FakeScanner, 'address'>[], options: Partial<ClamdOptions> = {}) {
  return createClamd({ addresses: scanners.map(({ address }) => address), ...options });
}

function told(outcome: VirusOutcome): string {
  if (outcome.kind === 'error') return outcome.fault;
  return outcome.kind === 'infected' ? `infected ${outcome.name}` : outcome.kind;
}

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** The name, what it does with our message, and what we say then. */
const FAULTS: readonly [string, Act, string][] = [
  ['says OK', { when: whole, say: 'stream: OK\0', next: 'end' }, 'clean'],
  ['says OK and stays', { when: whole, say: 'stream: OK\0', next: 'hang' }, 'clean'],
  ['says OK byte by byte', { when: whole, say: 'stream: OK\0', byteWise: true, next: 'end' }, 'clean'],
  ['finds', { when: whole, say: 'stream: Eicar FOUND\0', next: 'end' }, 'infected Eicar'],
  [
    'finds, byte by byte',
    { when: whole, say: 'stream: E FOUND\0', byteWise: true, next: 'end' },
    'infected E',
  ],
  ['fails', { when: whole, say: "stream: Can't open ERROR\0", next: 'end' }, 'failed'],
  [
    'does not take so much',
    { when: begun, say: 'INSTREAM size limit exceeded. ERROR\0', next: 'end' },
    'limit',
  ],
  ['does not know INSTREAM', { when: begun, say: 'UNKNOWN COMMAND\0', next: 'end' }, 'garbage'],
  ['waited too long', { when: begun, say: 'COMMAND READ TIMED OUT\n', next: 'end' }, 'timeout'],
  ['says OK to nothing', { say: 'stream: OK\0', next: 'hang' }, 'garbage'],
  ['is another service', { say: '220 mail.example.com ESMTP\r\n', next: 'end' }, 'garbage'],
  ['talks too much', { when: whole, say: 'x'.repeat(5000), next: 'hang' }, 'garbage'],
  ['stops in the middle', { when: whole, say: 'stream: O', next: 'end' }, 'cut'],
  ['stops before the NUL', { when: whole, say: 'stream: OK', next: 'end' }, 'cut'],
  ['stops before a word', { when: whole, next: 'end' }, 'cut'],
  ['resets', { when: whole, next: 'reset' }, 'cut'],
  ['resets at once', { when: begun, next: 'reset' }, 'cut'],
  ['hangs', { when: whole, next: 'hang' }, 'timeout'],
  ['hangs before it reads', { deaf: true, next: 'hang' }, 'timeout'],
  ['hangs in its answer', { when: whole, say: 'stream: O', next: 'hang' }, 'timeout'],
  ['drips', { when: whole, next: 'drip' }, 'timeout'],
];

for (const kind of ['tcp', 'unix'] as const) {
  for (const [name, act, expected] of FAULTS) {
    test(`${kind}: a clamd that ${name}`, async () => {
      await using scanner = await fakeScanner(act, kind);
      // An answer to nothing must be seen as one, so there has to be more than goes out at once.
      const bytes = act.when === undefined ? Buffer.alloc(20_000_000) : MESSAGE;
      const clamd = client([scanner], expected === 'timeout' ? { timeoutMs: SOON } : {});
      assert.equal(told(await clamd.scanBytes(bytes)), expected);
      await waitFor('the connection to be closed', () => (scanner.hangUp(), scanner.open() === 0));
      clamd.close();
    });
  }

  test(`${kind}: nobody there`, async () => {
    const clamd = client([{ address: await deadAddress(kind) }]);
    assert.equal(told(await clamd.scanBytes(MESSAGE)), 'refused');
    assert.equal((await clamd.ping())?.fault, 'refused');
    const version = await clamd.version();
    assert.equal(version.kind === 'error' && version.fault, 'refused');
  });
}

test('on the wire', async () => {
  await using scanner = await fakeScanner({ when: whole, say: 'stream: OK\0', next: 'end' });
  const clamd = client([scanner]);
  const chunks = ['From: a\r\n', '', '\r\nx'].map(text => Buffer.from(text));
  assert.equal(told(await clamd.scan({ size: 12, chunks: () => chunks })), 'clean');
  // An empty chunk is not the end.
  assert.equal(
    scanner.heard[0]?.toString('latin1'),
    'zINSTREAM\0\0\0\0\x09From: a\r\n\0\0\0\x03\r\nx\0\0\0\0',
  );
  assert.equal(told(await clamd.scanBytes(Buffer.alloc(0))), 'clean');
  assert.equal(scanner.heard[1]?.toString('latin1'), 'zINSTREAM\0\0\0\0\0');
});

test('ping and version', async () => {
  const acts: Act[] = ['PONG\0', 'NO\0', 'ClamAV 1.4.6/27378/\x07\0'].map(say => ({
    when: begun,
    say,
    next: 'end',
  }));
  await using scanner = await fakeScanner(acts);
  const clamd = client([scanner]);
  assert.equal(await clamd.ping(), null);
  assert.equal((await clamd.ping())?.fault, 'garbage');
  assert.deepEqual(await clamd.version(), { kind: 'version', text: 'ClamAV 1.4.6/27378/\\x07' });
  assert.deepEqual(
    scanner.heard.map(bytes => bytes.toString('latin1')),
    ['zPING\0', 'zPING\0', 'zVERSION\0'],
  );
});

test('more than maxBytes is not sent', async () => {
  await using scanner = await fakeScanner({ when: whole, say: 'stream: OK\0', next: 'end' });
  const clamd = client([scanner], { maxBytes: MESSAGE.length });
  assert.equal(told(await clamd.scanBytes(MESSAGE)), 'clean');
  assert.equal(told(await clamd.scanBytes(Buffer.alloc(MESSAGE.length + 1))), 'limit');
  assert.equal(scanner.heard.length, 1);
});

test('a message that cannot be read, or is another, is no clean one and no fault of clamd', async () => {
  await using scanner = await fakeScanner({ when: whole, say: 'stream: OK\0', next: 'end' });
  const clamd = client([scanner]);
  const unreadable = async function* (): AsyncIterable<Buffer> {
    yield MESSAGE;
    throw new Error('EIO');
  };
  assert.deepEqual(await clamd.scan({ size: 100, chunks: unreadable }), {
    kind: 'error',
    fault: 'failed',
    why: 'clamd: the message could not be read: EIO',
  });
  assert.equal(told(await clamd.scan({ size: 100, chunks: () => [MESSAGE] })), 'failed');
  assert.equal(clamd.state()[0]?.lastFault, null);
});

test('an address that hangs leaves time for the next, and none for the one after a deadline', async () => {
  await using hangs = await fakeScanner({ next: 'hang' });
  await using works = await fakeScanner({ when: whole, say: 'stream: OK\0', next: 'end' });
  const clamd = client([hangs, works], { timeoutMs: 2 * SOON, breaker: { faults: 2 } });
  for (let i = 0; i < 4; i++) assert.equal(told(await clamd.scanBytes(MESSAGE)), 'clean');
  assert.equal(hangs.heard.length, 2, 'after two faults it rests');
  assert.deepEqual(
    clamd.state().map(({ breaker, lastFault }) => [breaker, lastFault?.fault]),
    [
      ['open', 'timeout'],
      ['closed', undefined],
    ],
  );
});

test('aborted, and closed', async () => {
  await using scanner = await fakeScanner({ next: 'hang' });
  const clamd = client([scanner], { breaker: { faults: 1 } });
  const going = new AbortController();
  const aborted = clamd.scanBytes(MESSAGE, going.signal);
  const closed = clamd.scanBytes(MESSAGE);
  await waitFor('the connections', () => scanner.open() === 2);
  going.abort();
  assert.equal(told(await aborted), 'timeout');
  clamd.close();
  assert.equal(told(await closed), 'timeout');
  assert.equal(told(await clamd.scanBytes(MESSAGE)), 'resting');
  assert.equal(clamd.state()[0]?.breaker, 'closed');
});

test('500 faults leave nothing open and no memory behind', async () => {
  const acts = FAULTS.map(([, act]) => act);
  await using scanner = await fakeScanner(
    Array.from({ length: 600 }, (_, i) => acts[i % acts.length] as Act),
  );
  const clamd = client([scanner], { timeoutMs: 20, breaker: { faults: Number.POSITIVE_INFINITY } });
  const round = async (count: number): Promise<{ readonly files: number; readonly bytes: number }> => {
    for (let i = 0; i < count; i++) await clamd.scanBytes(MESSAGE);
    scanner.hangUp();
    await waitFor('the connections to be closed', () => scanner.open() === 0);
    collectGarbage();
    const { heapUsed, external } = process.memoryUsage();
    return { files: readdirSync('/proc/self/fd').length, bytes: heapUsed + external };
  };
  const before = await round(50);
  const resources = process.getActiveResourcesInfo().length;
  const after = await round(500);
  assert.equal(after.files, before.files);
  assert.equal(process.getActiveResourcesInfo().length, resources);
  assert.ok(after.bytes - before.bytes < 2_000_000, `${before.bytes} bytes, then ${after.bytes}`);
});
