import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { checkDmarc } from '../../src/auth/dmarc.ts';
import type { DmarcQuestion } from '../../src/auth/dmarc.ts';
import { organizationalDomain, walkedDomains } from '../../src/auth/dmarc-walk.ts';
import { dmarcRecord } from '../../src/auth/dmarc-record.ts';
import { MessageLookups } from '../../src/auth/lookups.ts';
import type { DmarcOutcome } from '../../src/model/authentication.ts';
import type { Dns, DnsAnswer } from '../../src/model/dns.ts';
import { dnsOf } from './asking.ts';
import type { Names } from './asking.ts';

const lookups = (dns: Dns, max = 100) => new MessageLookups(dns, max, 60_000);

const check = (dns: Dns, question: Partial<DmarcQuestion>) =>
  checkDmarc({ from: 'example.com', spf: null, dkim: [], ...question }, lookups(dns));

const record = (domain: string, tags: string): Names => ({ [`TXT _dmarc.${domain}`]: [`v=DMARC1; ${tags}`] });
const pass = (domain: string) => ({ result: 'pass', domain });

type Expected = Partial<DmarcOutcome>;

const CASES: readonly (readonly [what: string, Names, Partial<DmarcQuestion>, Expected])[] = [
  // Alignment.
  [
    'relaxed: a parent that is the organizational domain',
    { ...record('a.example.com', 'p=reject'), ...record('example.com', 'p=none') },
    { from: 'a.example.com', dkim: [pass('example.com')] },
    {
      result: 'pass',
      policy: 'reject',
      detail: 'dkim d=example.com aligned (relaxed); p=reject at _dmarc.a.example.com',
    },
  ],
  [
    'relaxed: a parent that publishes nothing is none',
    record('a.example.com', 'p=reject'),
    { from: 'a.example.com', dkim: [pass('example.com')] },
    { result: 'fail', disposition: 'reject' },
  ],
  [
    'relaxed: siblings',
    record('example.com', 'p=reject'),
    { from: 'a.example.com', spf: pass('b.example.com') },
    { result: 'pass', detail: 'spf b.example.com aligned (relaxed); p=reject at _dmarc.example.com' },
  ],
  [
    'relaxed: a sibling that is an organization of its own',
    { ...record('example.com', 'p=reject'), ...record('b.example.com', 'p=reject; psd=n') },
    { from: 'a.example.com', spf: pass('b.example.com') },
    {
      result: 'fail',
      detail: 'spf b.example.com not aligned with a.example.com; p=reject at _dmarc.example.com',
    },
  ],
  [
    'relaxed: an author that is an organization of its own',
    { ...record('example.com', 'p=reject'), ...record('a.example.com', 'p=reject; psd=n') },
    { from: 'a.example.com', spf: pass('example.com') },
    { result: 'fail' },
  ],
  [
    'strict: not even the parent, and no walk for it',
    record('example.com', 'p=reject; adkim=s'),
    { from: 'a.example.com', dkim: [pass('example.com')] },
    {
      result: 'fail',
      detail: 'dkim d=example.com not aligned with a.example.com (strict); p=reject at _dmarc.example.com',
    },
  ],
  [
    'strict for one, relaxed for the other',
    record('example.com', 'p=reject; aspf=s'),
    { from: 'a.example.com', spf: pass('example.com'), dkim: [pass('example.com')] },
    { result: 'pass' },
  ],
  [
    'names that only end alike',
    record('example.com', 'p=reject'),
    { dkim: [pass('badexample.com'), pass('com'), pass('')] },
    { result: 'fail' },
  ],
  [
    'case, a final dot, and U-labels',
    record('xn--bcher-kva.example', 'p=reject'),
    { from: 'B\xc3\xbccher.Example.', dkim: [pass('xn--BCHER-kva.example')] },
    { result: 'pass', domain: 'xn--bcher-kva.example' },
  ],
  [
    'nobody passes',
    record('example.com', 'p=quarantine'),
    {},
    {
      result: 'fail',
      disposition: 'quarantine',
      detail: 'neither SPF nor DKIM; p=quarantine at _dmarc.example.com',
    },
  ],
  [
    'what does not pass does not count',
    record('example.com', 'p=reject'),
    {
      spf: { result: 'softfail', domain: 'example.com' },
      dkim: [{ result: 'policy', domain: 'example.com' }],
    },
    {
      result: 'fail',
      detail: 'spf example.com softfail; dkim d=example.com policy; p=reject at _dmarc.example.com',
    },
  ],
  [
    'one of many passes',
    record('example.com', 'p=reject'),
    { dkim: [{ result: 'fail', domain: 'example.com' }, pass('esp.example'), pass('example.com')] },
    { result: 'pass', disposition: 'none' },
  ],
  // The public suffix above.
  [
    'a domain below a public suffix is its own organization',
    { ...record('bank', 'p=reject; sp=quarantine; psd=y'), 'A a.example.bank': ['192.0.2.1'] },
    { from: 'a.example.bank', dkim: [pass('b.example.bank')] },
    { result: 'pass', policy: 'quarantine', source: '_dmarc.bank' },
  ],
  [
    'two domains below a public suffix',
    record('bank', 'p=reject; psd=y'),
    { from: 'one.bank', dkim: [pass('two.bank'), pass('bank')] },
    { result: 'fail', policy: 'reject', source: '_dmarc.bank' },
  ],
  [
    'a public suffix as the author',
    record('bank', 'p=reject; sp=none; psd=y'),
    { from: 'bank', dkim: [pass('one.bank')] },
    { result: 'fail', policy: 'reject' },
  ],
  [
    'the record with the fewest labels counts where the author has none',
    { ...record('b.example.com', 'p=none'), ...record('example.com', 'p=reject') },
    { from: 'a.b.example.com' },
    { result: 'fail', policy: 'reject', source: '_dmarc.example.com' },
  ],
  // Policies.
  [
    'sp of a record above',
    record('example.com', 'p=reject; sp=none'),
    { from: 'a.example.com' },
    { policy: 'none', disposition: 'none' },
  ],
  [
    'sp of its own record says nothing',
    record('a.example.com', 'p=reject; sp=none'),
    { from: 'a.example.com' },
    { policy: 'reject' },
  ],
  [
    'np for a domain that is not there',
    record('example.com', 'p=none; sp=quarantine; np=reject'),
    { from: 'a.example.com' },
    { policy: 'reject', detail: 'neither SPF nor DKIM; np=reject at _dmarc.example.com' },
  ],
  [
    'sp for one that is',
    { ...record('example.com', 'p=none; sp=quarantine; np=reject'), 'A a.example.com': ['192.0.2.1'] },
    { from: 'a.example.com' },
    { policy: 'quarantine' },
  ],
  [
    'its A cannot be asked, its AAAA can',
    {
      ...record('example.com', 'p=none; np=reject'),
      'A a.example.com': 'fails',
      'AAAA a.example.com': ['2001:db8::1'],
    },
    { from: 'a.example.com' },
    { result: 'fail', policy: 'none' },
  ],
  [
    'its A and AAAA cannot be asked, its MX can',
    {
      ...record('example.com', 'p=none; np=reject'),
      'A a.example.com': 'fails',
      'AAAA a.example.com': 'fails',
      'MX a.example.com': ['mx.example'],
    },
    { from: 'a.example.com' },
    { result: 'fail', policy: 'none' },
  ],
  [
    'nothing tells whether it exists',
    {
      ...record('example.com', 'p=none; np=reject'),
      'A a.example.com': 'fails',
      'AAAA a.example.com': 'fails',
      'MX a.example.com': 'fails',
    },
    { from: 'a.example.com' },
    {
      result: 'temperror',
      policy: 'none',
      detail:
        'neither SPF nor DKIM; p=none at _dmarc.example.com; whether a.example.com exists is unknown: SERVFAIL',
    },
  ],
  [
    'nothing tells, and it does not matter',
    {
      ...record('example.com', 'p=reject; np=reject'),
      'A a.example.com': 'fails',
      'AAAA a.example.com': 'fails',
      'MX a.example.com': 'fails',
    },
    { from: 'a.example.com' },
    { result: 'fail', policy: 'reject' },
  ],
  [
    'nothing tells, and it passes',
    {
      ...record('example.com', 'p=none; np=reject'),
      'A a.example.com': 'fails',
      'AAAA a.example.com': 'fails',
      'MX a.example.com': 'fails',
    },
    { from: 'a.example.com', dkim: [pass('example.com')] },
    { result: 'pass', policy: 'none' },
  ],
  [
    't=y: reject comes to quarantine',
    record('example.com', 'p=reject; t=y'),
    {},
    {
      policy: 'reject',
      disposition: 'quarantine',
      detail: 'neither SPF nor DKIM; p=reject at _dmarc.example.com, being tested',
    },
  ],
  [
    't=y: quarantine comes to none',
    record('example.com', 'p=quarantine; t=y'),
    {},
    { policy: 'quarantine', disposition: 'none' },
  ],
  [
    'pct=0 of RFC 7489',
    record('example.com', 'p=reject; pct=0'),
    {},
    { policy: 'reject', disposition: 'quarantine' },
  ],
  [
    'pct=50 means all',
    record('example.com', 'p=reject; pct=50'),
    {},
    { policy: 'reject', disposition: 'reject' },
  ],
  // Records.
  [
    'several records are none',
    { 'TXT _dmarc.example.com': ['v=DMARC1; p=none', 'v=DMARC1; p=reject'] },
    {},
    { result: 'none', policy: null, source: null },
  ],
  [
    'several records do not hide the one above',
    {
      'TXT _dmarc.a.example.com': ['v=DMARC1; p=none', 'v=DMARC1; p=none'],
      ...record('example.com', 'p=reject'),
    },
    { from: 'a.example.com' },
    { policy: 'reject' },
  ],
  [
    'other records beside it',
    { 'TXT _dmarc.example.com': ['google-site-verification=x', 'v=DMARC1; p=reject', ''] },
    {},
    { policy: 'reject' },
  ],
  [
    'a record that says nothing ends it',
    { ...record('a.example.com', 'p=bob'), ...record('example.com', 'p=reject') },
    { from: 'a.example.com' },
    {
      result: 'none',
      policy: null,
      source: '_dmarc.a.example.com',
      detail: 'the record at _dmarc.a.example.com has neither a valid policy nor a valid rua=',
    },
  ],
  ['no record', {}, {}, { result: 'none', detail: 'no DMARC record for example.com' }],
  // The DNS fails.
  [
    'the own record fails',
    { 'TXT _dmarc.example.com': 'fails' },
    { dkim: [pass('example.com')] },
    { result: 'temperror', policy: null, detail: 'the DMARC record cannot be looked up: SERVFAIL' },
  ],
  [
    'a parent fails that is needed for the policy',
    { 'TXT _dmarc.com': 'fails', ...record('example.com', 'p=reject') },
    { from: 'a.example.com' },
    { result: 'temperror' },
  ],
  [
    'a parent fails that is needed for alignment',
    { 'TXT _dmarc.com': 'fails', ...record('example.com', 'p=reject') },
    { dkim: [pass('a.example.com')] },
    {
      result: 'temperror',
      policy: 'reject',
      disposition: 'none',
      detail: 'dkim d=a.example.com pass, alignment unknown: SERVFAIL; p=reject at _dmarc.example.com',
    },
  ],
  [
    'a parent fails that nobody needs',
    { 'TXT _dmarc.com': 'fails', ...record('example.com', 'p=reject') },
    { dkim: [pass('example.com')] },
    { result: 'pass' },
  ],
  [
    '... nor for strict alignment',
    { 'TXT _dmarc.com': 'fails', ...record('example.com', 'p=reject; adkim=s') },
    { dkim: [pass('a.example.com')] },
    { result: 'fail' },
  ],
  [
    '... nor for a domain elsewhere',
    { 'TXT _dmarc.com': 'fails', ...record('example.com', 'p=reject') },
    { dkim: [pass('example.net')] },
    { result: 'fail' },
  ],
  [
    'a name above a psd tag fails',
    { 'TXT _dmarc.com': 'fails', ...record('example.com', 'p=reject; psd=n') },
    { from: 'a.example.com', spf: pass('example.com') },
    { result: 'pass' },
  ],
  [
    'the signer’s walk fails',
    { 'TXT _dmarc.b.example.com': 'fails', ...record('example.com', 'p=reject') },
    { dkim: [pass('b.example.com')] },
    { result: 'temperror' },
  ],
  [
    '... and another one is aligned',
    { 'TXT _dmarc.b.example.com': 'fails', ...record('example.com', 'p=reject') },
    { dkim: [pass('b.example.com'), pass('c.example.com')] },
    { result: 'pass' },
  ],
  [
    'SPF could not be found out',
    record('example.com', 'p=reject'),
    { spf: { result: 'temperror', domain: 'b.example.com' } },
    { result: 'temperror', disposition: 'none' },
  ],
  [
    '... of a domain that does not matter',
    record('example.com', 'p=reject'),
    { spf: { result: 'temperror', domain: 'example.net' } },
    { result: 'fail', disposition: 'reject' },
  ],
  [
    '... and DKIM passes',
    record('example.com', 'p=reject'),
    { spf: { result: 'temperror', domain: 'example.com' }, dkim: [pass('example.com')] },
    { result: 'pass' },
  ],
  // Authors that are no domain.
  ['an address literal', {}, { from: '[192.0.2.1]' }, { result: 'none', domain: '[192.0.2.1]' }],
  ['nothing', {}, { from: '' }, { result: 'permerror' }],
  ['a name that has no A-labels', {}, { from: 'b\xffcher.example' }, { result: 'permerror' }],
  ['an empty label', {}, { from: 'a..example' }, { result: 'permerror' }],
  ['a label of 64', {}, { from: `${'a'.repeat(64)}.example` }, { result: 'permerror' }],
  ['no letters at all', {}, { from: 'a b.example' }, { result: 'permerror' }],
  ['a name whose _dmarc name is too long', {}, { from: `${'a.'.repeat(125)}com` }, { result: 'none' }],
];

describe('DMARC', () => {
  for (const [what, names, question, expected] of CASES)
    test(what, async () => {
      const outcome = await check(dnsOf(names), question);
      for (const [key, value] of Object.entries(expected))
        assert.deepEqual(outcome[key as keyof DmarcOutcome], value, `${key}: ${outcome.detail}`);
      if (outcome.result !== 'fail') assert.equal(outcome.disposition, 'none');
    });
});

test('which domains are walked', () => {
  assert.deepEqual(walkedDomains('com'), ['com']);
  assert.deepEqual(walkedDomains('a.b.com'), ['a.b.com', 'b.com', 'com']);
  assert.deepEqual(walkedDomains('a.b.c.d.e.f.g.h.i.j.mail.example.com'), [
    'a.b.c.d.e.f.g.h.i.j.mail.example.com',
    'g.h.i.j.mail.example.com',
    'h.i.j.mail.example.com',
    'i.j.mail.example.com',
    'j.mail.example.com',
    'mail.example.com',
    'example.com',
    'com',
  ]);
  assert.equal(walkedDomains('1.2.3.4.5.6.7.8').length, 8);
});

test('an organizational domain is the domain itself or a parent, and has itself for one', () => {
  const labels = fc.array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 12 });
  const psds = fc.array(fc.constantFrom('', 'psd=y', 'psd=n', null), { minLength: 8, maxLength: 8 });
  fc.assert(
    fc.property(labels, psds, (names, tags) => {
      const domain = names.join('.');
      const published = new Map(walkedDomains(domain).map((name, i) => [name, tags[i] ?? null]));
      const walk = (from: string) => {
        const found = [];
        for (const name of walkedDomains(from)) {
          const tag = published.get(name) ?? null;
          const record = tag === null ? null : dmarcRecord(`v=DMARC1; p=none; ${tag}`);
          if (record === null) continue;
          found.push({ domain: name, record });
          if (record.psd !== 'u') break;
        }
        return organizationalDomain(from, found);
      };
      const organization = walk(domain);
      assert.ok(`.${domain}`.endsWith(`.${organization}`));
      assert.equal(walk(organization), organization);
    }),
  );
});

test('the look-ups are told, each once, and those that were not needed are not', async () => {
  const dns = dnsOf({ ...record('example.com', 'p=reject; np=none'), 'A a.example.com': 'fails' });
  const outcome = await check(dns, { from: 'a.example.com', dkim: [pass('b.example.com')] });
  assert.deepEqual(outcome.lookups, [
    'TXT _dmarc.a.example.com: NXDOMAIN',
    'TXT _dmarc.example.com: "v=DMARC1; p=reject; np=none"',
    'TXT _dmarc.com: NXDOMAIN',
    'A a.example.com: SERVFAIL',
    'AAAA a.example.com: NXDOMAIN',
    'TXT _dmarc.b.example.com: NXDOMAIN',
  ]);
  const own = await check(dnsOf(record('a.example.com', 'p=reject')), {
    from: 'a.example.com',
    dkim: [pass('a.example.com')],
  });
  assert.deepEqual(own.lookups, ['TXT _dmarc.a.example.com: "v=DMARC1; p=reject"']);
});

test('a message has so many look-ups and no more', async () => {
  const dns = dnsOf(record('example.com', 'p=reject'));
  const budget = lookups(dns, 3);
  const question = {
    from: 'example.com',
    spf: null,
    dkim: ['a', 'b', 'c'].map(x => pass(`${x}.example.com`)),
  };
  assert.equal((await checkDmarc(question, budget)).result, 'pass');
  const long = { ...question, from: 'a.b.c.d.example.com' };
  assert.equal((await checkDmarc(long, lookups(dns, 3))).result, 'temperror');
});

/** A DNS in which some names never answer before `release`. */
function stuck(names: Names, silent: readonly string[]): Dns & { release(): void } {
  const { promise, resolve } = Promise.withResolvers<DnsAnswer<never>>();
  const dns = dnsOf(names);
  return {
    ...dns,
    txt: name => (silent.includes(name) ? promise : dns.txt(name)),
    release: () => resolve({ kind: 'error', error: 'TIMEOUT' }),
  };
}

test('an answer that is not needed is not waited for', async () => {
  const cases: readonly (readonly [Names, readonly string[], Partial<DmarcQuestion>, string])[] = [
    [record('example.com', 'p=reject'), ['_dmarc.com'], { dkim: [pass('example.com')] }, 'pass'],
    [record('example.com', 'p=reject; aspf=s'), ['_dmarc.com'], { spf: pass('a.example.com') }, 'fail'],
    [record('example.com', 'p=reject; psd=n'), ['_dmarc.com'], { from: 'a.example.com' }, 'fail'],
    [record('example.com', 'p=bob'), ['_dmarc.com'], {}, 'none'],
    [{ 'TXT _dmarc.a.example.com': 'fails' }, ['_dmarc.com'], { from: 'a.example.com' }, 'temperror'],
    [
      record('example.com', 'p=reject'),
      ['_dmarc.b.example.com'],
      { dkim: [pass('b.example.com'), pass('c.example.com')] },
      'pass',
    ],
  ];
  for (const [names, silent, question, result] of cases) {
    const dns = stuck(names, silent);
    assert.equal((await check(dns, question)).result, result);
    dns.release();
  }
});

test('nothing that is asked or published brings anything but an outcome', async () => {
  const domain = fc.oneof(
    fc.constantFrom('example.com', 'a.example.com', 'b.a.example.com', 'com', 'example.net', ''),
    fc.string({ unit: 'binary' }),
  );
  const authenticated = fc.record({ result: fc.constantFrom('pass', 'fail', 'temperror', ''), domain });
  const records = fc.dictionary(
    fc.constantFrom(
      'TXT _dmarc.example.com',
      'TXT _dmarc.a.example.com',
      'TXT _dmarc.com',
      'A a.example.com',
    ),
    fc.oneof(
      fc.constant('fails' as const),
      fc.array(
        fc.constantFrom('v=DMARC1; p=reject', 'v=DMARC1; p=none; np=reject; psd=y', 'v=DMARC1; t=y', ''),
      ),
    ),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        from: domain,
        spf: fc.option(authenticated),
        dkim: fc.array(authenticated, { maxLength: 5 }),
      }),
      records,
      async (question, names) => {
        const { result, policy, disposition } = await check(dnsOf(names), question);
        if (result !== 'fail') assert.equal(disposition, 'none');
        if (result === 'pass' || result === 'fail') assert.notEqual(policy, null);
        if (result === 'pass')
          assert.ok([question.spf, ...question.dkim].some(one => one?.result === 'pass'));
      },
    ),
  );
});
