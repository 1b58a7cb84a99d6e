import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { lookup } from 'dnsbl';
import type { ListOutcome } from '../../src/dns/list-decision.ts';
import { askList, listedClient } from '../../src/dns/lists.ts';
import type { AskedList } from '../../src/dns/lists.ts';
import { createResolver } from '../../src/dns/resolver.ts';
import type { Resolver } from '../../src/dns/resolver.ts';
import { startDnsServer } from '../support/dns-server.ts';
import type { DnsServer, Zone } from '../support/dns-server.ts';
import { startRbldnsd } from '../support/peers.ts';

const IPV6 = '2001:db8::1';
const IPV6_NAME = '1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2';

const ZONE: Zone = {
  '1.2.0.192.bl.test': [{ TXT: ['Blocked ', 'here. '] }, { TXT: ['%IP% \xe9'] }, { A: '127.0.0.2' }],
  '2.2.0.192.bl.test': [{ A: '127.0.0.2' }],
  '3.2.0.192.bl.test': [{ TXT: ['no address'] }],
  '4.2.0.192.bl.test': [{ TXT: [''] }, { A: '127.0.0.2' }],
  '5.2.0.192.bl.test': [{ TXT: ['Error: open resolver'] }, { A: '127.255.255.254' }],
  '6.2.0.192.bl.test': [{ TXT: ['parked'] }, { A: '198.51.100.7' }],
  '7.2.0.192.bl.test': ['SERVFAIL'],
  '8.2.0.192.bl.test': [{ TXT: ['A fails'] }, { A: 'SERVFAIL' }],
  '9.2.0.192.bl.test': [{ TXT: 'SERVFAIL' }, { A: '127.0.0.2' }],
  '10.2.0.192.bl.test': [{ TXT: ['two codes'] }, { A: '127.0.0.3' }, { A: '127.0.0.10' }],
  '11.2.0.192.bl.test': [{ TXT: ['half an error'] }, { A: '127.0.0.3' }, { A: '127.255.255.252' }],
  '12.2.0.192.bl.test': ['TIMEOUT'],
  [`${IPV6_NAME}.bl.test`]: [{ TXT: ['six'] }, { A: '127.0.0.2' }],
  [`${IPV6_NAME}.a.test`]: [{ A: '127.0.0.1' }],
  [`${IPV6_NAME}.aaaa.test`]: [{ AAAA: '::1' }],
  [`${IPV6_NAME}.half.test`]: [{ A: 'SERVFAIL' }, { AAAA: '::1' }],
  [`${IPV6_NAME}.broken.test`]: [{ AAAA: 'SERVFAIL' }],
  'not-an-ip.bl.test': [{ TXT: ['odd'] }],
  'bl.test': [{ TXT: ['the zone itself'] }],
};

let server: DnsServer;
let dns: Resolver;

before(async () => {
  server = await startDnsServer(ZONE);
  dns = createResolver({ servers: [server.address], timeoutMs: 150, tries: 1 });
});

after(async () => {
  dns.close();
  await server.close();
});

const CODES = [{ first: 0x7f000002, last: 0x7f000004 }];

function ask(ip: string, list: Partial<AskedList> = {}): Promise<ListOutcome> {
  return askList(dns, listedClient(ip), { kind: 'block', zone: 'bl.test', codes: null, text: null, ...list });
}

const listed = (text: string, ...codes: string[]): ListOutcome => ({ kind: 'listed', text, codes });
const NOT_LISTED: ListOutcome = { kind: 'unlisted', detail: 'not listed' };

const CASES: readonly (readonly [
  what: string,
  ip: string,
  list: Partial<AskedList>,
  outcome: ListOutcome,
])[] = [
  [
    'TXT decides; all its strings are joined, nothing is replaced',
    '192.0.2.1',
    {},
    listed('Blocked here. %IP% \xe9', '127.0.0.2'),
  ],
  ['not listed', '192.0.2.99', {}, NOT_LISTED],
  ['TXT without A is listed', '192.0.2.3', {}, listed('no address')],
  ['TXT with an A that fails is listed', '192.0.2.8', {}, listed('A fails')],
  [
    'a list error in 127.255.255/24',
    '192.0.2.5',
    {},
    { kind: 'error', why: '127.255.255.254: the list reports an error of its own, "Error: open resolver"' },
  ],
  ['an A outside 127/8', '192.0.2.6', {}, { kind: 'error', why: '198.51.100.7: outside 127/8, "parked"' }],
  [
    'an error code beside a listing',
    '192.0.2.11',
    { codes: CODES },
    { kind: 'error', why: '127.0.0.3 127.255.255.252: the list reports an error of its own' },
  ],
  ['SERVFAIL', '192.0.2.7', {}, { kind: 'error', why: 'TXT look-up: SERVFAIL' }],
  ['TXT fails, whatever A says', '192.0.2.9', {}, { kind: 'error', why: 'TXT look-up: SERVFAIL' }],
  ['no answer', '192.0.2.12', {}, { kind: 'error', why: 'TXT look-up: TIMEOUT' }],
  ['IPv6', IPV6, {}, listed('six', '127.0.0.2')],
  ['a mapped address is IPv4', '::ffff:192.0.2.1', {}, listed('Blocked here. %IP% \xe9', '127.0.0.2')],
  ['what is no address is asked for as it is', 'not-an-ip', {}, listed('odd')],
  ['no address asks for the zone itself', '', {}, listed('the zone itself')],

  ['codes: a wanted one', '192.0.2.1', { codes: CODES }, listed('Blocked here. %IP% \xe9', '127.0.0.2')],
  [
    'codes: one of several is wanted',
    '192.0.2.10',
    { codes: CODES },
    listed('two codes', '127.0.0.3', '127.0.0.10'),
  ],
  [
    'codes: another code is an error',
    '192.0.2.10',
    { codes: [{ first: 0x7f000002, last: 0x7f000002 }] },
    { kind: 'error', why: '127.0.0.3 127.0.0.10: not among the codes of this list' },
  ],
  [
    'codes: an A record is enough',
    '192.0.2.2',
    { codes: CODES },
    listed('Your IP address is listed at bl.test', '127.0.0.2'),
  ],
  [
    'codes: TXT fails after the hit',
    '192.0.2.9',
    { codes: CODES },
    listed('Your IP address is listed at bl.test', '127.0.0.2'),
  ],
  ['codes: TXT alone is no listing', '192.0.2.3', { codes: CODES }, NOT_LISTED],
  ['codes: A fails', '192.0.2.8', { codes: CODES }, { kind: 'error', why: 'A look-up: SERVFAIL' }],
  [
    'text: a template of our own',
    '192.0.2.1',
    { text: 'See x?%IP% (%IP%) $&' },
    listed('See x?192.0.2.1 (192.0.2.1) $&', '127.0.0.2'),
  ],
  [
    'text: a list error',
    '192.0.2.5',
    { text: 'no' },
    { kind: 'error', why: '127.255.255.254: the list reports an error of its own, "no"' },
  ],

  ['anti-list: any A', '192.0.2.2', { kind: 'allow' }, listed('', '127.0.0.2')],
  ['anti-list: TXT alone is nothing', '192.0.2.3', { kind: 'allow' }, NOT_LISTED],
  ['anti-list: fails', '192.0.2.7', { kind: 'allow' }, { kind: 'error', why: 'A look-up: SERVFAIL' }],
  [
    'anti-list: a list error lets nobody in',
    '192.0.2.5',
    { kind: 'allow' },
    { kind: 'error', why: '127.255.255.254: the list reports an error of its own' },
  ],
  ['anti-list: IPv6 by A', IPV6, { kind: 'allow', zone: 'a.test' }, listed('', '127.0.0.1')],
  ['anti-list: IPv6 by AAAA', IPV6, { kind: 'allow', zone: 'aaaa.test' }, listed('', '::1')],
  ['anti-list: IPv6 by AAAA while A fails', IPV6, { kind: 'allow', zone: 'half.test' }, listed('', '::1')],
  [
    'anti-list: IPv6, no A and AAAA fails',
    IPV6,
    { kind: 'allow', zone: 'broken.test' },
    { kind: 'error', why: 'AAAA look-up: SERVFAIL' },
  ],
];

for (const [what, ip, list, outcome] of CASES) {
  test(what, async () => assert.deepEqual(await ask(ip, list), outcome));
}

test('a list with A records only is not listed, and says so', async () => {
  for (const ip of ['192.0.2.2', '192.0.2.4']) {
    const outcome = await ask(ip);
    assert.equal(outcome.kind, 'unlisted');
    assert.match(outcome.detail, /without TXT text/);
  }
});

test('nobody is asked more than needed', async () => {
  const before = server.queries();
  await ask('198.51.100.1');
  assert.equal(server.queries() - before, 1, 'a client that is not listed');
  await ask('198.51.100.2', { codes: CODES });
  assert.equal(server.queries() - before, 2);
  await ask('198.51.100.3', { kind: 'allow' });
  assert.equal(server.queries() - before, 3);
});

test('a real rbldnsd: listing, exclusion, other zones, IPv6', async () => {
  await using rbldnsd = await startRbldnsd({
    'bl.test': {
      type: 'ip4set',
      data: ':127.0.0.4:Blocked, see http://bl.test/?$\n192.0.2.0/24\n!192.0.2.7\n198.51.100.1 :2:\n',
    },
    'six.test': { type: 'ip6trie', data: ':2:Six $\n2001:db8::/32\n' },
    'sick.test': { type: 'ip4set', data: ':127.255.255.254:Error: open resolver\n0/1\n128/1\n' },
  });
  const resolver = createResolver({ servers: [rbldnsd.server], timeoutMs: 2000 });
  const asked = (ip: string, list: Partial<AskedList>) =>
    askList(resolver, listedClient(ip), { kind: 'block', zone: 'bl.test', codes: null, text: null, ...list });
  try {
    assert.deepEqual(
      await asked('192.0.2.1', {}),
      listed('Blocked, see http://bl.test/?192.0.2.1', '127.0.0.4'),
    );
    assert.deepEqual(await asked('192.0.2.7', {}), NOT_LISTED);
    assert.deepEqual(
      await asked('198.51.100.1', { codes: CODES }),
      listed('Your IP address is listed at bl.test', '127.0.0.2'),
    );
    assert.equal((await asked('198.51.100.1', {})).kind, 'unlisted');
    assert.deepEqual(
      await asked('2001:db8::5', { zone: 'six.test' }),
      listed('Six 2001:db8::5', '127.0.0.2'),
    );
    assert.deepEqual(await asked('192.0.2.1', { zone: 'sick.test' }), {
      kind: 'error',
      why: '127.255.255.254: the list reports an error of its own, "Error: open resolver"',
    });
    // rbldnsd refuses zones that it does not have.
    assert.deepEqual(await asked('192.0.2.1', { zone: 'other.test' }), {
      kind: 'error',
      why: 'TXT look-up: REFUSED',
    });
  } finally {
    resolver.close();
  }
});

test('agrees with npm dnsbl about listed and unlisted addresses, and sees the failures that it reads as unlisted', async () => {
  for (const [ip, wanted] of [
    ['192.0.2.1', 'listed'],
    ['192.0.2.2', 'listed'],
    ['192.0.2.99', 'unlisted'],
    [IPV6, 'listed'],
    ['192.0.2.7', 'error'],
    ['192.0.2.5', 'error'],
  ] as const) {
    const oracle = await lookup(ip, 'bl.test', { servers: [server.address], timeout: 2000 });
    const outcome = await ask(ip, { text: '' });
    assert.equal(outcome.kind, wanted, ip);
    if (outcome.kind !== 'error') assert.equal(oracle, outcome.kind === 'listed', ip);
    // SERVFAIL looks like "not listed" to dnsbl, 127.255.255.254 like a listing.
    else assert.equal(oracle, ip === '192.0.2.5', ip);
  }
});
