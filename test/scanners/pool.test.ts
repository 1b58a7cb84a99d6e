import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { test } from 'node:test';
import type { ScanError, ScannerFault } from '../../src/model/scan.ts';
import type { ScannerPoolOptions, Turn } from '../../src/scanners/pool.ts';
import { ScannerPool } from '../../src/scanners/pool.ts';

interface Said {
  readonly kind: 'said';
  readonly by: string;
}

type Behaviour = 'well' | 'hang' | ScannerFault;

const fault = (fault: ScannerFault): ScanError => ({ kind: 'error', fault, why: `it is ${fault}` });

/** A pool of `a:1`, `b:1`, … that behave as `behaves` says, and what was asked of whom. */
function setUp(behaves: Record<string, Behaviour>, options: Partial<ScannerPoolOptions> = {}) {
  const clock = { now: 0 };
  const asked: string[] = [];
  const turns: Turn[] = [];
  const pinged = { answer: null as ScanError | null };
  const pool = new ScannerPool({
    scanner: 'clamd',
    addresses: Object.keys(behaves).map(host => ({ kind: 'tcp', host, port: 1 })),
    timeoutMs: 60_000,
    maxParallel: 2,
    breaker: { faults: 1, now: () => clock.now },
    ping: turn => {
      asked.push(`ping ${turn.scanner}`);
      return Promise.resolve(pinged.answer);
    },
    ...options,
  });
  const answer = (turn: Turn): Promise<Said | ScanError> => {
    asked.push(turn.scanner);
    turns.push(turn);
    const behaviour = behaves[turn.scanner.slice('clamd '.length, -':1'.length)] ?? 'well';
    if (behaviour === 'well') return Promise.resolve({ kind: 'said', by: turn.scanner });
    if (behaviour !== 'hang') return Promise.resolve(fault(behaviour));
    return new Promise(resolve => {
      turn.signal.addEventListener('abort', () => resolve(fault('timeout')), { once: true });
    });
  };
  const ask = (signal?: AbortSignal) => pool.ask(answer, signal);
  return { clock, asked, turns, pinged, pool, ask, behaves };
}

test('the next address is asked, until one answers', async () => {
  const { ask, asked, pool } = setUp({ a: 'refused', b: 'cut', c: 'well', d: 'well' });
  assert.deepEqual(await ask(), { kind: 'said', by: 'clamd c:1' });
  assert.deepEqual(asked, ['clamd a:1', 'clamd b:1', 'clamd c:1']);
  assert.deepEqual(
    pool.state().map(state => [state.address, state.breaker]),
    [
      ['a:1', 'open'],
      ['b:1', 'open'],
      ['c:1', 'closed'],
      ['d:1', 'closed'],
    ],
  );
  asked.length = 0;
  await ask();
  assert.deepEqual(asked, ['clamd c:1']);
});

test('when none answers, the last fault, and all of them in words', async () => {
  const { ask, asked } = setUp({ a: 'garbage', b: 'refused' });
  assert.deepEqual(await ask(), {
    kind: 'error',
    fault: 'refused',
    why: 'clamd a:1: it is garbage; clamd b:1: it is refused',
  });
  assert.deepEqual(await ask(), {
    kind: 'error',
    fault: 'resting',
    why: 'clamd: left alone for a moment, after clamd a:1: it is garbage; clamd b:1: it is refused',
  });
  assert.equal(asked.length, 2);
});

test('a message that is too large for one is too large', async () => {
  const { ask, asked } = setUp({ a: 'limit', b: 'well' });
  assert.deepEqual(await ask(), { kind: 'error', fault: 'limit', why: 'clamd a:1: it is limit' });
  assert.deepEqual(asked, ['clamd a:1']);
});

test('each address has its share of the time', async () => {
  const { ask, turns } = setUp({ a: 'refused', b: 'refused', c: 'refused' });
  await ask();
  const [a, b, c] = turns.map(turn => turn.timeoutMs);
  assert.ok(a !== undefined && a <= 20_001 && a > 10_000, `${a}`);
  assert.ok(b !== undefined && b <= 30_001 && b > 20_000, `${b}`);
  assert.ok(c !== undefined && c <= 60_000 && c > 30_000, `${c}`);
});

test('a probe is a ping first, and then the question', async () => {
  const { ask, asked, clock, pinged, behaves, pool } = setUp({ a: 'timeout' });
  await ask();
  clock.now = 10_000;
  pinged.answer = fault('timeout');
  assert.equal((await ask()).kind, 'error');
  assert.deepEqual(asked, ['clamd a:1', 'ping clamd a:1']);
  clock.now = 10_000 + 19_999;
  assert.equal((await ask()).kind, 'error');
  assert.equal(asked.length, 2, 'it rests twice as long');
  clock.now += 1;
  pinged.answer = null;
  behaves['a'] = 'well';
  assert.deepEqual(await ask(), { kind: 'said', by: 'clamd a:1' });
  assert.deepEqual(asked.slice(2), ['ping clamd a:1', 'clamd a:1']);
  assert.equal(pool.state()[0]?.breaker, 'closed');
  await ask();
  assert.deepEqual(asked.slice(4), ['clamd a:1']);
});

test('while one asks whether it is back, the others do not wait', async () => {
  const { ask, clock, behaves, pool } = setUp({ a: 'cut' });
  await ask();
  clock.now = 10_000;
  behaves['a'] = 'hang';
  const going = new AbortController();
  const probe = ask(going.signal);
  const other = await ask();
  assert.equal(other.kind === 'error' && other.fault, 'resting');
  assert.equal(pool.state()[0]?.breaker, 'half-open');
  going.abort();
  await probe;
  assert.equal(pool.state()[0]?.breaker, 'open');
});

test('busy: no slot, and nobody was asked', async () => {
  const { ask, asked, pool } = setUp({ a: 'hang' }, { maxParallel: 1, maxWaiting: 0 });
  const running = ask();
  const outcome = await ask();
  assert.equal(outcome.kind === 'error' && outcome.fault, 'busy');
  pool.close();
  await running;
  assert.deepEqual(asked, ['clamd a:1']);
});

test('who waits for a slot does not wait for a scanner that has gone down meanwhile', async () => {
  const { behaves, asked, pool } = setUp({ a: 'hang' }, { maxParallel: 1, maxWaiting: 5 });
  const hanging = Promise.withResolvers<ScanError>();
  const first = pool.ask(() => hanging.promise);
  const later = [1, 2, 3].map(() => pool.ask(() => Promise.reject(new Error('asked'))));
  hanging.resolve(fault('timeout'));
  assert.equal((await first).kind, 'error');
  for (const outcome of await Promise.all(later))
    assert.equal(outcome.kind === 'error' && outcome.fault, 'resting');
  assert.deepEqual([asked, behaves['a']], [[], 'hang']);
});

test('who goes is no fault of the scanner, and leaves nothing behind', async () => {
  const { ask, pool } = setUp({ a: 'hang' }, { maxParallel: 1 });
  const going = new AbortController();
  const [running, waiting] = [ask(going.signal), ask(going.signal)];
  going.abort();
  for (const outcome of await Promise.all([running, waiting]))
    assert.equal(outcome.kind === 'error' && outcome.fault, 'timeout');
  assert.equal(getEventListeners(going.signal, 'abort').length, 0);
  assert.deepEqual(pool.state()[0]?.breaker, 'closed');
  const late = await ask(AbortSignal.abort());
  assert.equal(late.kind === 'error' && late.fault, 'timeout');
});

test('a question that cannot be put rejects, and gives back its slot', async () => {
  const { pool, ask } = setUp({ a: 'well' }, { maxParallel: 1, maxWaiting: 0 });
  await assert.rejects(
    pool.ask(() => Promise.reject(new Error('spool file ended'))),
    /spool file/,
  );
  assert.equal(pool.state()[0]?.breaker, 'closed');
  assert.equal((await ask()).kind, 'said');
});

test('after close every question is an error', async () => {
  const { pool, ask, asked } = setUp({ a: 'well' });
  pool.close();
  assert.deepEqual(await ask(), { kind: 'error', fault: 'resting', why: 'clamd: closed' });
  assert.deepEqual(asked, []);
});
