import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LookupTime, MessageLookups } from '../../src/auth/lookups.ts';
import type { Dns, DnsAnswer } from '../../src/model/dns.ts';
import { dnsOf } from './asking.ts';

const names = dnsOf({
  'TXT a.example': ['one', 'two'],
  'TXT b.example': ['b'],
  'TXT fails.example': 'fails',
  'A a.example': ['192.0.2.1'],
  'AAAA a.example': ['2001:db8::1'],
  'MX a.example': ['mx.a.example'],
});

const BUDGET = { kind: 'error', error: 'BUDGET' } as const;
const TIMEOUT = { kind: 'error', error: 'TIMEOUT' } as const;

test('an answer of each kind, and what the record says of it', async () => {
  const lookups = new MessageLookups(names, 10, 1000);
  const shown: string[] = [];
  assert.deepEqual(await lookups.txt('a.example', shown), { kind: 'found', records: ['one', 'two'] });
  assert.deepEqual(await lookups.txt('none.example', shown), { kind: 'none', nxdomain: true });
  assert.deepEqual(await lookups.txt('fails.example', shown), { kind: 'error', error: 'SERVFAIL' });
  assert.equal((await lookups.a('a.example', shown)).kind, 'found');
  assert.equal((await lookups.aaaa('a.example', shown)).kind, 'found');
  assert.equal((await lookups.mx('a.example', shown)).kind, 'found');
  assert.deepEqual(shown, [
    'TXT a.example: "one", "two"',
    'TXT none.example: NXDOMAIN',
    'TXT fails.example: SERVFAIL',
    'A a.example: 192.0.2.1',
    'AAAA a.example: 2001:db8::1',
    'MX a.example: mx.a.example',
  ]);
});

test('the strings of a record are one text', async () => {
  const strings = [['v=DKIM1; p=', 'AB', '', 'CD'], []];
  const dns: Dns = { ...names, txt: async () => ({ kind: 'found', records: strings }) };
  const answer = await new MessageLookups(dns, 1, 1000).txt('a.example', []);
  assert.deepEqual(answer, { kind: 'found', records: ['v=DKIM1; p=ABCD', ''] });
});

test('the record shows the beginning of a long answer, on one line', async () => {
  const text = `a"\r\n\0${'x'.repeat(60_000)}`;
  const dns: Dns = {
    ...names,
    txt: async () => ({ kind: 'found', records: Array.from({ length: 50 }, () => [text]) }),
  };
  const shown: string[] = [];
  await new MessageLookups(dns, 1, 1000).txt('a.example', shown);
  assert.match(shown[0] ?? '', /^TXT a\.example: "a\\"\\r\\n\\u0000x+\.\.\., \.\.\. \(50 records\)$/);
  assert.ok((shown[0]?.length ?? 0) < 400);
});

test('so many different questions are asked, and the same again costs nothing', async () => {
  const asking = dnsOf({ 'TXT a.example': ['a'], 'TXT b.example': ['b'], 'A a.example': ['192.0.2.1'] });
  const lookups = new MessageLookups(asking, 2, 1000);
  assert.equal((await lookups.txt('a.example', [])).kind, 'found');
  assert.equal((await lookups.a('a.example', [])).kind, 'found');
  // One question, whose answer is remembered.
  assert.equal((await lookups.txt('A.Example', [])).kind, 'found');
  assert.deepEqual(asking.asked, ['TXT a.example', 'A a.example']);
  assert.deepEqual(await lookups.txt('b.example', []), BUDGET);
  assert.equal((await lookups.txt('a.example', [])).kind, 'found');
  assert.deepEqual(await new MessageLookups(asking, 0, 1000).txt('a.example', []), BUDGET);
});

test('names that cannot be asked for do not exist, and cost nothing', async () => {
  const asking = dnsOf({});
  const lookups = new MessageLookups(asking, 1, 1000);
  const long = `${'a'.repeat(63)}.`.repeat(4);
  for (const name of [
    '',
    '.',
    'a..b',
    '.a',
    'a.',
    'a\0b',
    'a\\b',
    '\xe4.example',
    `${'a'.repeat(64)}.b`,
    `${long}b`,
  ])
    assert.deepEqual(await lookups.txt(name, []), { kind: 'none', nxdomain: true }, name);
  assert.deepEqual(asking.asked, []);
  await lookups.txt('_odd name.example', []);
  assert.deepEqual(asking.asked, ['TXT _odd name.example']);
});

test('a DNS that hangs ends as an error, and so does each further question', async () => {
  const hanging: Dns = { ...names, txt: () => new Promise(() => {}) };
  const lookups = new MessageLookups(hanging, 10, 30);
  const first = ['a.example', 'b.example', 'c.example'].map(name => lookups.txt(name, []));
  assert.deepEqual(await Promise.all(first), [TIMEOUT, TIMEOUT, TIMEOUT]);
  assert.deepEqual(await lookups.txt('d.example', []), TIMEOUT);
});

/** A clock that a test moves. */
function clock() {
  let time = 1000;
  return { now: () => time, forward: (ms: number) => void (time += ms) };
}

test('time runs while somebody waits, once for all who do', () => {
  const { now, forward } = clock();
  const time = new LookupTime(100, now);
  forward(5000);
  assert.equal(time.begin(), 100);
  forward(30);
  assert.equal(time.begin(), 70);
  time.end();
  forward(20);
  time.end();
  forward(5000);
  assert.equal(time.begin(), 50);
  forward(60);
  time.end();
  assert.equal(time.begin(), -10);
  time.end();
});

test('look-ups of two budgets share one time', async () => {
  const { now, forward } = clock();
  const slow: Dns = {
    ...names,
    txt: async () => {
      forward(60);
      return { kind: 'found', records: [['x']] };
    },
  };
  const time = new LookupTime(100, now);
  const [keys, policies] = [new MessageLookups(slow, 10, time), new MessageLookups(slow, 10, time)];
  assert.equal((await keys.txt('a.example', [])).kind, 'found');
  forward(1000);
  assert.equal((await policies.txt('b.example', [])).kind, 'found');
  assert.deepEqual(await keys.txt('c.example', []), TIMEOUT);
});

test('a DNS that breaks its word and rejects leaves nothing behind', async () => {
  const broken: Dns = { ...names, txt: () => Promise.reject<DnsAnswer<string[]>>(new Error('broken')) };
  const time = new LookupTime(1000);
  const lookups = new MessageLookups(broken, 10, time);
  await assert.rejects(lookups.txt('a.example', []), /broken/);
  assert.ok(time.begin() > 0);
});
