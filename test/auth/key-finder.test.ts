import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KeyFinder } from '../../src/auth/key-finder.ts';
import { MessageLookups } from '../../src/auth/lookups.ts';
import { createResolver } from '../../src/dns/resolver.ts';
import type { Dns } from '../../src/model/dns.ts';
import { startDnsServer } from '../support/dns-server.ts';
import type { Zone, ZoneEntry } from '../support/dns-server.ts';
import { dnsOf } from './asking.ts';
import { MAIL, recordOf, RSA, signed, verifyOne } from './dkim-mail.ts';

const NAME = 's._domainkey.example.com';
const RECORD = recordOf(RSA);
const CHAIN = Object.fromEntries(
  Array.from({ length: 8 }, (_, i) => [`c${i}.example`, [{ CNAME: `c${i + 1}.example` }]]),
);
const NO_KEY = Array.from({ length: 100 }, (_, i) => ({ TXT: `${i} ${'x'.repeat(200)}` }));

type Answers = readonly [entries: readonly ZoneEntry[] | null, want: string, rest?: Zone];

const DNS: Readonly<Record<string, Answers>> = {
  NXDOMAIN: [null, 'permerror no key'],
  NODATA: [[{ A: '192.0.2.1' }], 'permerror no key'],
  SERVFAIL: [['SERVFAIL'], 'temperror dns'],
  REFUSED: [['REFUSED'], 'temperror dns'],
  FORMERR: [['FORMERR'], 'temperror dns'],
  NOTIMP: [['NOTIMP'], 'temperror dns'],
  'no answer': [['TIMEOUT'], 'temperror dns'],
  'no DNS': [['GARBAGE'], 'temperror dns'],
  'a key': [[{ TXT: RECORD }], 'pass none'],
  'a key in 100 strings': [[{ TXT: RECORD.match(/.{1,3}/g) }], 'pass none'],
  'a key of one letter a string': [[{ TXT: RECORD.split('') }], 'pass none'],
  'a key among empty strings': [[{ TXT: ['', RECORD, '', ''] }], 'pass none'],
  'an empty string': [[{ TXT: '' }], 'permerror bad key'],
  'a record of one NUL': [[{ TXT: '\0' }], 'permerror bad key'],
  '100 records, truncated over UDP': [NO_KEY, 'permerror bad key'],
  'a chain of CNAMEs': [
    [{ CNAME: 'c0.example' }],
    'pass none',
    { ...CHAIN, 'c8.example': [{ TXT: RECORD }] },
  ],
  'a chain of CNAMEs to nowhere': [[{ CNAME: 'c0.example' }], 'permerror no key', CHAIN],
  'a chain of CNAMEs to a failure': [
    [{ CNAME: 'c0.example' }],
    'temperror dns',
    { ...CHAIN, 'c8.example': ['SERVFAIL'] },
  ],
};

for (const [name, [entries, want, rest = {}]] of Object.entries(DNS)) {
  test(`the DNS: ${name}`, async () => {
    const outcome = await asked({ ...rest, ...(entries === null ? {} : { [NAME]: entries }) });
    assert.equal(`${outcome.result} ${outcome.fault}`, want, outcome.detail);
  });
}

async function asked(zone: Zone, seen?: (tcpQueries: number) => void) {
  const server = await startDnsServer(zone);
  const resolver = createResolver({ servers: [server.address], timeoutMs: 500, tries: 1 });
  try {
    return await verifyOne(signed(MAIL), resolver);
  } finally {
    seen?.(server.tcpQueries());
    resolver.close();
    await server.close();
  }
}

test('a key that a datagram has no room for is asked for over TCP', async () => {
  let overTcp = 0;
  const long = RECORD.replace('p=', `n=${'x'.repeat(5000)}; p=`);
  const outcome = await asked({ [NAME]: [{ TXT: long }] }, queries => {
    overTcp = queries;
  });
  assert.equal(outcome.result, 'pass', outcome.detail);
  assert.ok(overTcp > 0);
});

test('a loop of CNAMEs ends, and is no key', async () => {
  const outcome = await asked({ [NAME]: [{ CNAME: 'loop.example' }], 'loop.example': [{ CNAME: NAME }] });
  assert.match(outcome.result, /^(?:perm|temp)error$/);
});

test('a server that is not there is a failure for now', async () => {
  const server = await startDnsServer();
  await server.close();
  const resolver = createResolver({ servers: [server.address], timeoutMs: 200, tries: 1 });
  const outcome = await verifyOne(signed(MAIL), resolver);
  resolver.close();
  assert.equal(`${outcome.result} ${outcome.fault}`, 'temperror dns');
});

test('a DNS that hangs is waited for until the time is up', async () => {
  const hanging: Dns = { ...dnsOf({}), txt: () => new Promise(() => {}) };
  const outcome = await verifyOne(signed(MAIL), hanging, { seconds: 0.03 });
  assert.equal(`${outcome.result} ${outcome.fault}`, 'temperror dns');
  assert.match(outcome.detail, /cannot be looked up \(TIMEOUT\)/);
});

test('a key is asked for once, and each answer is told', async () => {
  const dns = dnsOf({ [`TXT ${NAME}`]: [RECORD], 'TXT x._domainkey.example.com': 'fails' });
  const shown: string[] = [];
  const keys = new KeyFinder(new MessageLookups(dns, 2, 1000), shown);
  const [found, again, failed] = await Promise.all([
    keys.find('s', 'example.com'),
    keys.find('s', 'example.com'),
    keys.find('x', 'example.com'),
  ]);
  assert.equal(found, again);
  assert.equal(found.kind, 'keys');
  assert.deepEqual(failed, {
    kind: 'trouble',
    fault: 'dns',
    why: 'x._domainkey.example.com cannot be looked up (SERVFAIL)',
  });
  assert.deepEqual(await keys.find('y', 'example.com'), {
    kind: 'trouble',
    fault: 'budget',
    why: 'the look-ups of this message are used up',
  });
  assert.deepEqual(dns.asked, [`TXT ${NAME}`, 'TXT x._domainkey.example.com']);
  assert.equal(shown.length, 3);
});

test('names that cannot be asked for hold no key', async () => {
  const dns = dnsOf({});
  const keys = new KeyFinder(new MessageLookups(dns, 10, 1000), []);
  for (const [selector, domain] of [
    ['a'.repeat(64), 'example.com'],
    ['s', `${'a.'.repeat(130)}com`],
    ['s', 'a..b'],
    ['\xe4', 'example.com'],
  ] as const) {
    const found = await keys.find(selector, domain);
    assert.ok(found.kind === 'trouble');
    assert.equal(found.fault, 'no key');
  }
  assert.deepEqual(dns.asked, []);
});
