import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ScannerFault } from '../../src/model/scan.ts';
import { createSpamd } from '../../src/scanners/spamd.ts';
import type { SpamdOptions } from '../../src/scanners/spamd.ts';
import { deadAddress, fakeScanner } from '../support/fake-scanner.ts';
import type { Act } from '../support/fake-scanner.ts';
import { waitFor } from '../support/processes.ts';
import { sampleMail, scanned } from '../support/sample-mail.ts';

const NOBODY = { user: null };
const END = 'the last words of the message';
const MAIL = sampleMail({ body: END });
const whole = (heard: Buffer): boolean => heard.includes(END);
const GOOD = 'SPAMD/1.1 0 EX_OK\r\nContent-length: 3\r\nSpam: True ; 15.0 / 5.0\r\n\r\nA,B';

/** Act of the fake, fault, what the operator reads. */
const FAULTS: Readonly<Record<string, readonly [Act, ScannerFault, RegExp]>> = {
  'hangs at once': [{ next: 'hang', deaf: true }, 'timeout', /no answer within/],
  'hangs behind the message': [{ when: whole, next: 'hang', deaf: true }, 'timeout', /no answer within/],
  'hangs in its head': [
    { when: whole, deaf: true, say: GOOD.slice(0, 30), next: 'hang' },
    'timeout',
    /no answer/,
  ],
  'hangs behind its answer': [{ when: whole, deaf: true, say: GOOD, next: 'hang' }, 'timeout', /no answer/],
  drips: [{ when: whole, deaf: true, say: 'SPAMD/1.1 0 EX', next: 'drip' }, 'timeout', /no answer/],
  'closes without a word': [{ next: 'end' }, 'cut', /without an answer/],
  'resets without a word': [{ when: whole, next: 'reset' }, 'cut', /broke off|closed/],
  'is cut in its head': [{ when: whole, say: GOOD.slice(0, 30), next: 'end' }, 'cut', /in the middle/],
  'is cut in its body': [{ when: whole, say: GOOD.slice(0, -1), next: 'end' }, 'cut', /1 bytes .* missing/],
  'says too much': [{ when: whole, say: `${GOOD},C`, next: 'end' }, 'garbage', /2 bytes more/],
  'says far too much': [
    { when: whole, say: 'x'.repeat(200_000), next: 'end' },
    'garbage',
    /more than 131072 bytes/,
  ],
  'speaks SMTP': [{ say: '220 mail.example.com ESMTP\r\n', next: 'end' }, 'garbage', /no spamd/],
  'lists no rules': [
    { when: whole, say: GOOD.replace('A,B', 'A B'), next: 'end' },
    'garbage',
    /no list of rules/,
  ],
  fails: [{ when: whole, say: 'SPAMD/1.0 70 EX_SOFTWARE\r\n', next: 'end' }, 'failed', /said 70/],
  'is unavailable': [
    { when: whole, say: 'SPAMD/1.0 69 Service Unavailable: x\r\n', next: 'end' },
    'failed',
    /said 69/,
  ],
  'has a time-out of its own': [
    { when: whole, say: 'SPAMD/1.0 79 Timeout: x\r\n', next: 'end' },
    'failed',
    /said 79/,
  ],
  'refuses what it has not read': [
    { say: 'SPAMD/1.0 76 Bad header line: x\r\n', next: 'end' },
    'failed',
    /said 76/,
  ],
};

function quick(address: SpamdOptions['addresses'][number], more: Partial<SpamdOptions> = {}) {
  return createSpamd({ addresses: [address], timeoutMs: 10_000, ...more });
}

for (const [name, [act, fault, why]] of Object.entries(FAULTS)) {
  test(`a spamd that ${name}`, async () => {
    for (const kind of ['tcp', 'unix'] as const) {
      await using fake = await fakeScanner(act, kind);
      const timeoutMs = fault === 'timeout' ? 150 : 10_000;
      const engine = quick(fake.address, { timeoutMs, breaker: { faults: 1 } });
      const outcome = await engine.score(scanned(MAIL, 3), NOBODY);
      assert.equal(outcome.kind === 'error' && outcome.fault, fault, JSON.stringify(outcome));
      if (outcome.kind !== 'error') continue;
      assert.match(outcome.why, why);
      assert.match(outcome.why, /^spamd (127\.0\.0\.1:\d+|\/\S+): [ -~]+$/);
      // What it says of a message does not take it out of service.
      assert.equal(engine.state()[0]?.breaker, fault === 'failed' ? 'closed' : 'open');
      assert.equal(engine.state()[0]?.lastFault?.fault, fault);
      fake.hangUp();
      await waitFor('the connection to end', () => fake.open() === 0);
    }
  });
}

test('nobody listens', async () => {
  for (const kind of ['tcp', 'unix'] as const) {
    const engine = quick(await deadAddress(kind), { breaker: { faults: 2, restMs: 60_000 } });
    const faults: (string | false)[] = [];
    for (let n = 0; n < 3; n++) {
      const outcome = await engine.score(scanned(MAIL), NOBODY);
      faults.push(outcome.kind === 'error' && outcome.fault);
    }
    assert.deepEqual(faults, ['refused', 'refused', 'resting']);
    const learned = await engine.learn(scanned(MAIL), 'spam', null);
    assert.equal(learned.kind === 'error' && learned.fault, 'resting');
    assert.equal((await engine.ping()).kind, 'error');
  }
});

test('a good answer, whole and byte for byte, however it comes', async () => {
  for (const byteWise of [false, true]) {
    await using fake = await fakeScanner({ when: whole, say: GOOD, byteWise, next: 'end' });
    const engine = quick(fake.address);
    const outcome = await engine.score(scanned(MAIL, 5), { user: 'joe' });
    const scanner = engine.state()[0]?.address;
    assert.deepEqual(outcome, {
      kind: 'scored',
      spam: true,
      marked: true,
      score: 15,
      threshold: 5,
      rules: ['A', 'B'],
      scanner: `spamd ${scanner}`,
    });
    const head = `SYMBOLS SPAMC/1.5\r\nContent-length: ${MAIL.length}\r\nUser: joe\r\n\r\n`;
    assert.deepEqual(fake.heard, [Buffer.concat([Buffer.from(head), MAIL])]);
  }
});

test('a verdict that comes before the message is no verdict about it', async () => {
  await using fake = await fakeScanner({ say: GOOD, next: 'end', deaf: true });
  const outcome = await quick(fake.address).score(scanned(Buffer.alloc(20_000_000, 'a\n'), 300), NOBODY);
  assert.equal(
    outcome.kind === 'error' && ['garbage', 'cut'].includes(outcome.fault),
    true,
    JSON.stringify(outcome),
  );
});

test('a message that cannot be read, or has another size, is our trouble and is not scored', async () => {
  await using fake = await fakeScanner({ when: heard => heard.length > 60, say: GOOD, next: 'end' });
  const engine = quick(fake.address, { breaker: { faults: 1 } });
  const broken = {
    size: MAIL.length,
    *chunks(): Generator<Buffer> {
      yield MAIL.subarray(0, 10);
      throw new Error('EIO: i/o error');
    },
  };
  const short = { size: MAIL.length + 1, chunks: () => [MAIL] };
  const long = { size: MAIL.length - 1, chunks: () => [MAIL] };
  for (const [message, why] of [
    [broken, /could not be read: EIO/],
    [short, /not \d+ bytes long/],
    [long, /not \d+ bytes long/],
  ] as const) {
    for (const outcome of [await engine.score(message, NOBODY), await engine.learn(message, 'ham', null)]) {
      assert.equal(outcome.kind === 'error' && outcome.fault, 'failed', JSON.stringify(outcome));
      assert.match(outcome.kind === 'error' ? outcome.why : '', why);
    }
  }
  assert.equal(engine.state()[0]?.breaker, 'closed');
});

test('whoever has gone, and a client that is closed, wait for nothing', async () => {
  await using fake = await fakeScanner({ next: 'hang', deaf: true });
  const engine = quick(fake.address, { timeoutMs: 60_000 });
  const gone = new AbortController();
  const first = engine.score(scanned(MAIL), NOBODY, gone.signal);
  const second = engine.score(scanned(MAIL), NOBODY);
  await waitFor('both', () => fake.heard.length === 2);
  gone.abort();
  const outcome = await first;
  assert.equal(outcome.kind === 'error' && outcome.fault, 'timeout');
  engine.close();
  assert.equal((await second).kind, 'error');
  assert.equal((await engine.score(scanned(MAIL), NOBODY)).kind, 'error');
  assert.equal(engine.state()[0]?.lastFault, null);
});

test('more messages than are allowed at a time wait, and beyond that are turned away', async () => {
  await using fake = await fakeScanner({ when: whole, next: 'hang', deaf: true });
  const engine = quick(fake.address, { maxParallel: 1, maxWaiting: 1, timeoutMs: 300 });
  const outcomes = await Promise.all([1, 2, 3].map(() => engine.score(scanned(MAIL), NOBODY)));
  const faults = outcomes.map(outcome => (outcome.kind === 'error' ? outcome.fault : outcome.kind));
  assert.deepEqual(faults.toSorted(), ['busy', 'busy', 'timeout']);
});

test('the next address is asked when the first has no answer', async () => {
  await using bad = await fakeScanner({ when: whole, say: 'SPAMD/1.0 70 EX_SOFTWARE\r\n', next: 'end' });
  await using good = await fakeScanner({ when: whole, say: GOOD, next: 'end' });
  const engine = createSpamd({ addresses: [await deadAddress(), bad.address, good.address] });
  const outcome = await engine.score(scanned(MAIL), NOBODY);
  assert.equal(outcome.kind, 'scored');
  assert.deepEqual(
    engine.state().map(state => state.lastFault?.fault ?? null),
    ['refused', 'failed', null],
  );
});
