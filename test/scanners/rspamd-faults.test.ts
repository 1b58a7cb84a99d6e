import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ScannerFault } from '../../src/model/scan.ts';
import { createRspamd } from '../../src/scanners/rspamd.ts';
import { deadAddress, fakeScanner } from '../support/fake-scanner.ts';
import type { Act } from '../support/fake-scanner.ts';
import { waitFor } from '../support/processes.ts';
import { sampleMail, scanned } from '../support/sample-mail.ts';

const NOBODY = { user: null };
const END = 'the last words of the message';
const MAIL = sampleMail({ body: END });
const whole = (heard: Buffer): boolean => heard.includes(END);
const JSON_GOOD =
  '{"is_skipped":false,"score":-1.5,"required_score":15,"action":"no action","symbols":{"A":{},"B":{}}}';

function http(body: string, status = '200 OK', length = body.length): string {
  return `HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: ${length}\r\n\r\n${body}`;
}
const GOOD = http(JSON_GOOD);

/** Act of the fake, fault, what the operator reads. */
const FAULTS: Readonly<Record<string, readonly [Act, ScannerFault, RegExp]>> = {
  'hangs at once': [{ next: 'hang', deaf: true }, 'timeout', /no answer within/],
  'hangs behind the message': [{ when: whole, next: 'hang', deaf: true }, 'timeout', /no answer within/],
  'hangs in its head': [
    { when: whole, deaf: true, say: GOOD.slice(0, 30), next: 'hang' },
    'timeout',
    /no answer/,
  ],
  'hangs in its body': [
    { when: whole, deaf: true, say: GOOD.slice(0, -3), next: 'hang' },
    'timeout',
    /no answer/,
  ],
  drips: [{ when: whole, deaf: true, say: http('', '200 OK', 90_000), next: 'drip' }, 'timeout', /no answer/],
  'closes without a word': [{ when: whole, next: 'end' }, 'cut', /broke off|closed/],
  'resets without a word': [{ when: whole, next: 'reset' }, 'cut', /broke off|closed/],
  'is cut in its head': [{ when: whole, say: GOOD.slice(0, 30), next: 'end' }, 'cut', /broke off|closed/],
  'is cut in its body': [{ when: whole, say: GOOD.slice(0, -1), next: 'end' }, 'cut', /in the middle/],
  'resets in its body': [
    { when: whole, say: GOOD.slice(0, -1), next: 'reset' },
    'cut',
    /in the middle|broke off/,
  ],
  'speaks SMTP': [{ when: whole, say: '220 mail.example.com ESMTP\r\n', next: 'end' }, 'garbage', /no HTTP/],
  'has an endless head': [
    { when: whole, say: `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(100_000)}`, next: 'end' },
    'garbage',
    /no HTTP/,
  ],
  'says far too much': [
    { when: whole, say: http(' '.repeat(1_100_000)), next: 'end' },
    'garbage',
    /more than 1048576 bytes/,
  ],
  'says no JSON': [{ when: whole, say: http('<html>'), next: 'end' }, 'garbage', /no JSON object: "<html>"/],
  'says no score': [{ when: whole, say: http('{}'), next: 'end' }, 'garbage', /without a score/],
  'switches protocols': [
    {
      when: whole,
      say: 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n',
      next: 'end',
    },
    'cut',
    /./,
  ],
  'wants us elsewhere': [
    {
      when: whole,
      say: 'HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n',
      next: 'end',
    },
    'failed',
    /said 302/,
  ],
  fails: [
    { when: whole, say: http('{"error":"internal"}', '500 Oops'), next: 'end' },
    'failed',
    /said 500 internal/,
  ],
  'is overloaded': [{ when: whole, say: http('', '503 Busy'), next: 'end' }, 'failed', /said 503/],
  'knows no such path': [{ when: whole, say: http('', '404 Not found'), next: 'end' }, 'failed', /said 404/],
  'wants a password': [
    { when: whole, say: http('', '403 Forbidden'), next: 'end' },
    'failed',
    /said 403 .*password/,
  ],
  'finds it too large': [{ when: whole, say: http('', '413 Too large'), next: 'end' }, 'limit', /said 413/],
};

for (const [name, [act, fault, why]] of Object.entries(FAULTS)) {
  test(`an rspamd that ${name}`, async () => {
    for (const kind of ['tcp', 'unix'] as const) {
      await using fake = await fakeScanner(act, kind);
      const timeoutMs = fault === 'timeout' ? 200 : 10_000;
      const engine = createRspamd({ addresses: [fake.address], timeoutMs, breaker: { faults: 1 } });
      const outcome = await engine.score(scanned(MAIL, 3), NOBODY);
      assert.equal(outcome.kind === 'error' && outcome.fault, fault, JSON.stringify(outcome));
      if (outcome.kind !== 'error') continue;
      assert.match(outcome.why, why);
      assert.match(outcome.why, /^rspamd (127\.0\.0\.1:\d+|\/\S+): [ -~]+$/);
      assert.equal(engine.state()[0]?.breaker, fault === 'failed' || fault === 'limit' ? 'closed' : 'open');
      fake.hangUp();
      await waitFor('the connection to end', () => fake.open() === 0);
    }
  });
}

test('nobody listens', async () => {
  for (const kind of ['tcp', 'unix'] as const) {
    const dead = await deadAddress(kind);
    const engine = createRspamd({
      addresses: [dead],
      controllers: [dead],
      breaker: { faults: 1, restMs: 60_000 },
    });
    const faults: (string | false)[] = [];
    for (let n = 0; n < 2; n++) {
      const outcome = await engine.score(scanned(MAIL), NOBODY);
      faults.push(outcome.kind === 'error' && outcome.fault);
    }
    const learned = await engine.learn(scanned(MAIL), 'spam', null);
    faults.push(learned.kind === 'error' && learned.fault);
    assert.deepEqual(faults, ['refused', 'resting', 'refused']);
  }
});

test('a good answer, and the request byte for byte, however they come', async () => {
  for (const byteWise of [false, true]) {
    await using fake = await fakeScanner({ when: whole, say: GOOD, byteWise, next: 'end' });
    const engine = createRspamd({ addresses: [fake.address], password: 'sesame' });
    const outcome = await engine.score(scanned(MAIL, 5), {
      user: 'j\xf6e',
      envelope: { sender: 'ann@example.org' },
    });
    assert.deepEqual(outcome, {
      kind: 'scored',
      spam: false,
      marked: false,
      score: -1.5,
      threshold: 15,
      rules: ['A', 'B'],
      scanner: `rspamd ${engine.state()[0]?.address}`,
    });
    const text = fake.heard[0]?.toString('latin1') ?? '';
    const end = text.indexOf('\r\n\r\n') + 4;
    assert.equal(text.slice(end), MAIL.toString('latin1'));
    const [first, ...lines] = text.slice(0, end - 4).split('\r\n');
    assert.equal(first, 'POST /checkv2 HTTP/1.1');
    assert.deepEqual(
      lines.filter(line => !line.startsWith('Host:')),
      [
        `Content-Length: ${MAIL.length}`,
        'Password: sesame',
        'Deliver-To: j\xf6e',
        'From: <ann@example.org>',
        'Connection: close',
      ],
    );
  }
});

test('a verdict that comes before the message is no verdict about it', async () => {
  await using fake = await fakeScanner({ say: GOOD, next: 'end', deaf: true });
  const engine = createRspamd({ addresses: [fake.address] });
  const outcome = await engine.score(scanned(Buffer.alloc(20_000_000, 'a\n'), 300), NOBODY);
  assert.equal(
    outcome.kind === 'error' && ['garbage', 'cut'].includes(outcome.fault),
    true,
    JSON.stringify(outcome),
  );
});

test('a message that cannot be read, or has another size, is our trouble and is not scored', async () => {
  await using fake = await fakeScanner({ when: whole, say: GOOD, next: 'end' });
  const engine = createRspamd({ addresses: [fake.address], breaker: { faults: 1 } });
  const broken = {
    size: MAIL.length,
    *chunks(): Generator<Buffer> {
      yield MAIL.subarray(0, 10);
      throw new Error('EIO: i/o error');
    },
  };
  const short = { size: MAIL.length + 1, chunks: () => [MAIL.subarray(0, 100)] };
  const long = { size: MAIL.length - 1, chunks: () => [MAIL] };
  for (const message of [broken, short, long]) {
    const outcome = await engine.score(message, NOBODY);
    assert.equal(outcome.kind === 'error' && outcome.fault, 'failed', JSON.stringify(outcome));
    assert.match(outcome.kind === 'error' ? outcome.why : '', /could not be read: (EIO|it is not)/);
  }
  assert.equal(engine.state()[0]?.breaker, 'closed');
});

test('whoever has gone, and a client that is closed, wait for nothing', async () => {
  await using fake = await fakeScanner({ next: 'hang', deaf: true });
  const engine = createRspamd({ addresses: [fake.address], timeoutMs: 60_000 });
  const gone = new AbortController();
  const first = engine.score(scanned(MAIL), NOBODY, gone.signal);
  const second = engine.score(scanned(MAIL), NOBODY);
  await waitFor('both', () => fake.heard.length === 2);
  gone.abort();
  const outcome = await first;
  assert.equal(outcome.kind === 'error' && outcome.fault, 'timeout');
  engine.close();
  assert.equal((await second).kind, 'error');
  assert.equal(engine.state()[0]?.lastFault, null);
});

test('the next address is asked when the first has no answer', async () => {
  await using bad = await fakeScanner({ when: whole, say: http('', '500 Oops'), next: 'end' });
  await using good = await fakeScanner({ when: whole, say: GOOD, next: 'end' });
  const engine = createRspamd({ addresses: [await deadAddress(), bad.address, good.address] });
  assert.equal((await engine.score(scanned(MAIL), NOBODY)).kind, 'scored');
});
