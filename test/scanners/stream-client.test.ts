import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Answer, ExchangeOptions } from '../../src/scanners/stream-client.ts';
import { exchange } from '../../src/scanners/stream-client.ts';
import type { ScanError } from '../../src/model/scan.ts';
import type { ScannerAddress } from '../../src/model/scanner-address.ts';
import type { Act } from '../support/fake-scanner.ts';
import { deadAddress, fakeScanner } from '../support/fake-scanner.ts';
import { start, temporaryFolder, waitFor } from '../support/processes.ts';

const LIMITS = { connectMs: 5000, timeoutMs: 10_000, maxAnswer: 100, terminator: 0 };
/** For the deadlines that a test waits for. */
const SOON = 80;
const KINDS = ['tcp', 'unix'] as const;

const words = (...texts: string[]): Buffer[][] => texts.map(text => [Buffer.from(text)]);
const heard = (text: string) => (bytes: Buffer) => bytes.toString('latin1').endsWith(text);

/** As `telling` puts it: the fault, or the answer with what is to be known about it. */
async function told(request: Iterable<readonly Buffer[]>, options: ExchangeOptions): Promise<string> {
  return telling(await exchange(request, options));
}

function telling(outcome: Answer | ScanError): string {
  if (outcome.kind === 'error') return outcome.fault;
  const { bytes, sentAll, broken } = outcome;
  return `${JSON.stringify(bytes.toString('latin1'))}${sentAll ? '' : ' early'}${broken ? ' broken' : ''}`;
}

/** More than any socket buffers: who does not read makes us wait. */
function* endless(): Iterable<readonly Buffer[]> {
  const piece = Buffer.alloc(64 * 1024, 'x');
  for (;;) yield [piece, piece];
}

const CASES: readonly [string, Act, string][] = [
  ['answers and closes', { when: heard('end'), say: 'fine\0', next: 'end' }, '"fine\\u0000"'],
  [
    'answers byte by byte',
    { when: heard('end'), say: 'fine\0', byteWise: true, next: 'end' },
    '"fine\\u0000"',
  ],
  ['answers and stays', { when: heard('end'), say: 'fine\0', next: 'hang' }, '"fine\\u0000"'],
  ['answers without terminator', { when: heard('end'), say: 'fi', next: 'end' }, '"fi"'],
  ['answers in half and resets', { when: heard('end'), say: 'fi', next: 'reset' }, '"fi" broken'],
  ['closes without a word', { when: heard('end'), next: 'end' }, 'cut'],
  ['closes at once', { next: 'end' }, 'cut'],
  ['resets', { when: heard('end'), next: 'reset' }, 'cut'],
  ['hangs', { when: heard('end'), next: 'hang' }, 'timeout'],
  ['hangs in the middle of the answer', { when: heard('end'), say: 'fi', next: 'hang' }, 'timeout'],
  ['drips', { when: heard('end'), next: 'drip' }, 'timeout'],
  ['talks without end', { when: heard('end'), say: 'x'.repeat(101), next: 'hang' }, 'garbage'],
];

for (const kind of KINDS) {
  for (const [name, act, expected] of CASES) {
    test(`${kind}: a scanner that ${name}`, async () => {
      await using scanner = await fakeScanner(act, kind);
      const patience = expected === 'timeout' ? { timeoutMs: SOON, connectMs: SOON } : {};
      const options = { ...LIMITS, ...patience, maxAnswer: act.next === 'drip' ? 1e6 : LIMITS.maxAnswer };
      const said = await told(words('begin', 'end'), { address: scanner.address, ...options });
      if (kind === 'unix' && act.next === 'reset' && act.say !== undefined) {
        // A Unix socket cannot be reset: it is closed.
        assert.equal(said, expected.replace(' broken', ''));
      } else assert.equal(said, expected);
      await waitFor('the connection to be closed', () => scanner.open() === 0);
    });
  }

  test(`${kind}: nobody there`, async () => {
    const address = await deadAddress(kind);
    const outcome = await exchange(words('hello'), { address, ...LIMITS });
    assert.equal(outcome.kind, 'error');
    assert.equal(outcome.fault, 'refused');
    assert.match(outcome.why, kind === 'tcp' ? /ECONNREFUSED/ : /ENOENT/);
  });

  test(`${kind}: what it says before it hangs up on us is its answer`, async () => {
    const enough = (bytes: Buffer): boolean => bytes.length > 300_000;
    await using scanner = await fakeScanner(
      { when: enough, say: 'too much\0', deaf: true, next: 'end' },
      kind,
    );
    const { address } = scanner;
    // Each with another moment at which the writing fails.
    for (let i = 0; i < 50; i++) {
      const whole = await told(endless(), { address, ...LIMITS });
      assert.equal(whole, '"too much\\u0000" early');
      // Read to the end of the connection, in spite of the error of the writing.
      const { terminator: _, ...toTheEnd } = LIMITS;
      assert.match(await told(endless(), { address, ...toTheEnd }), /^"too much\\u0000" early( broken)?$/);
    }
  });

  test(`${kind}: ... even when our writing fails before we can read`, async () => {
    const closed = Promise.withResolvers<void>();
    // Runs as soon as the scanner has written and closed, and before any event.
    const when = (bytes: Buffer): boolean => bytes.length > 0 && (queueMicrotask(closed.resolve), true);
    await using scanner = await fakeScanner({ when, say: 'too much\0', next: 'slam' }, kind);
    async function* late(): AsyncIterable<readonly Buffer[]> {
      yield [Buffer.from('x')];
      await closed.promise;
      yield* endless();
    }
    const outcome = await exchange(late(), { address: scanner.address, ...LIMITS });
    assert.equal(telling(outcome), '"too much\\u0000" early');
  });

  test(`${kind}: who does not read makes us wait, not buffer`, async () => {
    await using scanner = await fakeScanner({ deaf: true, next: 'hang' }, kind);
    let asked = 0;
    let returned = false;
    function* counted(): Iterable<readonly Buffer[]> {
      try {
        for (const item of endless()) {
          asked++;
          yield item;
        }
      } finally {
        returned = true;
      }
    }
    const options = { address: scanner.address, ...LIMITS, timeoutMs: 300 };
    assert.equal(await told(counted(), options), 'timeout');
    await waitFor('the source to be let go', () => returned);
    assert.ok(asked < 200, `${asked} pieces`);
  });
}

/** Listens with a short queue, prints its address, and never looks at it again. */
const STUCK = `
  const server = require('node:net').createServer().listen(JSON.parse(process.argv[1]), () => {
    console.log(JSON.stringify(server.address()));
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  });`;

for (const kind of KINDS) {
  test(`${kind}: a scanner whose queue is full`, async () => {
    await using folder = await temporaryFolder();
    const path = join(folder.path, 'stuck');
    const where = kind === 'unix' ? { path, backlog: 1 } : { host: '127.0.0.1', port: 0, backlog: 1 };
    await using program = await start('node', ['-e', STUCK, JSON.stringify(where)]);
    const [, port] = await program.output(kind === 'unix' ? /stuck/ : /"port":(\d+)/);
    const address: ScannerAddress =
      kind === 'unix' ? { kind, path } : { kind, host: '127.0.0.1', port: Number(port) };
    const going = new AbortController();
    const options = { address, ...LIMITS, connectMs: SOON, signal: going.signal };
    const all = Array.from({ length: 8 }, () => exchange(words('x'), options));
    const outcome = await Promise.any(
      all.map(async running => {
        const outcome = await running;
        assert.ok(outcome.kind === 'error' && outcome.why.includes('no connection'));
        return outcome;
      }),
    );
    // The system lets a TCP connection wait and turns a Unix one away.
    assert.equal(outcome.fault, kind === 'tcp' ? 'timeout' : 'refused');
    going.abort();
    await Promise.all(all);
  });
}

test('what is sent arrives, in one write for each item', async () => {
  await using scanner = await fakeScanner({ when: heard('end'), say: '\0', next: 'end' });
  const items = [[Buffer.from('a'), Buffer.from('bc')], [], [Buffer.alloc(0)], [Buffer.from('end')]];
  assert.equal(await told(items, { address: scanner.address, ...LIMITS }), '"\\u0000"');
  assert.equal(scanner.heard[0]?.toString(), 'abcend');
});

test('a buffer may be used again as soon as the next item is asked for', async () => {
  await using scanner = await fakeScanner({ when: heard('\0'), say: '\0', next: 'end' });
  async function* oneBuffer(): AsyncIterable<readonly Buffer[]> {
    const buffer = Buffer.alloc(256 * 1024);
    for (let i = 1; i <= 8; i++) {
      buffer.fill(i);
      yield [buffer];
      await new Promise(resolve => setImmediate(resolve));
    }
    yield [Buffer.of(0)];
  }
  assert.equal(telling(await exchange(oneBuffer(), { address: scanner.address, ...LIMITS })), '"\\u0000"');
  const expected = Buffer.concat([...Array(8).keys()].map(i => Buffer.alloc(256 * 1024, i + 1)));
  assert.ok(scanner.heard[0]?.subarray(0, -1).equals(expected));
});

test('half-close tells the end of the request', async () => {
  await using scanner = await fakeScanner({ when: heard('end'), say: 'fine', next: 'end' });
  const { terminator: _, ...options } = LIMITS;
  assert.equal(await told(words('end'), { address: scanner.address, ...options, halfClose: true }), '"fine"');
});

test('a request that cannot be read ends in its own error, and the connection with it', async () => {
  await using scanner = await fakeScanner({ next: 'hang' });
  function* broken(): Iterable<readonly Buffer[]> {
    yield [Buffer.from('x')];
    throw new Error('spool file ended');
  }
  await assert.rejects(exchange(broken(), { address: scanner.address, ...LIMITS }), /spool file ended/);
  await waitFor('the connection to be closed', () => scanner.open() === 0);
});

test('a request that never comes does not hold up the deadline', async () => {
  await using scanner = await fakeScanner({ next: 'hang' });
  async function* stuck(): AsyncIterable<readonly Buffer[]> {
    await new Promise(() => {});
    yield [];
  }
  const options = { address: scanner.address, ...LIMITS, timeoutMs: SOON };
  assert.equal(telling(await exchange(stuck(), options)), 'timeout');
});

test('whoever asks may go, before and meanwhile', async () => {
  await using scanner = await fakeScanner({ next: 'hang' });
  const options = { address: scanner.address, ...LIMITS };
  assert.equal(await told(words('x'), { ...options, signal: AbortSignal.abort() }), 'timeout');
  assert.equal(scanner.heard.length, 0);
  const going = new AbortController();
  const running = told(words('x'), { ...options, signal: going.signal });
  await waitFor('the connection', () => scanner.open() === 1);
  going.abort();
  assert.equal(await running, 'timeout');
  await waitFor('the connection to be closed', () => scanner.open() === 0);
});

test('500 faults leave nothing behind', async () => {
  const acts: Act[] = [
    { next: 'reset' },
    { next: 'end' },
    { when: b => b.length > 100_000, say: 'no\0', deaf: true, next: 'end' },
    { deaf: true, next: 'hang' },
    { say: 'x'.repeat(200), next: 'hang' },
  ];
  await using scanner = await fakeScanner(
    Array.from({ length: 600 }, (_, i) => acts[i % acts.length] as Act),
  );
  const dead = await deadAddress();
  const signal = new AbortController().signal;
  let added = 0;
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  signal.addEventListener = (...args: Parameters<typeof add>) => (added++, add(...args));
  signal.removeEventListener = (...args: Parameters<typeof remove>) => (added--, remove(...args));
  const round = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) {
      const address = i % 6 === 5 ? dead : scanner.address;
      await exchange(endless(), { address, ...LIMITS, timeoutMs: 30, signal });
    }
    scanner.hangUp();
    await waitFor('the connections to be closed', () => scanner.open() === 0);
  };
  const resources = (): string => process.getActiveResourcesInfo().toSorted().join(' ');
  await round(30);
  const before = { files: readdirSync('/proc/self/fd').length, resources: resources() };
  await round(500);
  assert.deepEqual({ files: readdirSync('/proc/self/fd').length, resources: resources() }, before);
  assert.equal(added, 0);
});
