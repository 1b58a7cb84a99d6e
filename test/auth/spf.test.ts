import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { createResolver } from '../../src/dns/resolver.ts';
import type { Dns } from '../../src/model/dns.ts';
import type { SpfQuestion, SpfResult } from '../../src/model/spf.ts';
import { SPF_RESULTS } from '../../src/model/spf.ts';
import { startDnsServer } from '../support/dns-server.ts';
import type { ZoneEntry } from '../support/dns-server.ts';
import { ask, dnsOf } from './asking.ts';
import type { Names } from './asking.ts';

const record = (text: string, more: Names = {}): Names => ({ 'TXT example.net': [text], ...more });

/** How a result is come to, and what the record says of it. */
const DECISIONS: readonly [
  names: Names,
  question: Partial<SpfQuestion>,
  result: SpfResult,
  detail: string,
][] = [
  [record('v=spf1 ip4:192.0.2.0/24 -all'), {}, 'pass', 'ip4:192.0.2.0/24 (record of example.net)'],
  [
    record('v=spf1 a:x.example -all', { 'A x.example': ['192.0.2.1'] }),
    {},
    'pass',
    'a:x.example (record of example.net)',
  ],
  [record('V=SPF1 IP4:10.0.0.1'), {}, 'neutral', 'no term matches (record of example.net)'],
  [
    record('v=spf1 redirect=other.example', { 'TXT other.example': ['v=spf1 ~all'] }),
    {},
    'softfail',
    '~all (record of other.example)',
  ],
  [
    record('v=spf1 include:gone.example -all'),
    {},
    'permerror',
    'gone.example, which the record names, has none',
  ],
  [record('v=spf1 ip4:1.2.3 -all'), {}, 'permerror', 'syntax error at ip4:1.2.3 (record of example.net)'],
  [record('v=spf1 magic:x -all'), {}, 'permerror', 'unknown mechanism at magic:x (record of example.net)'],
  [{ 'TXT example.net': ['v=spf1 -all', 'v=spf1 +all'] }, {}, 'permerror', 'example.net has several records'],
  [{}, {}, 'none', 'example.net has no record'],
  [{ 'TXT example.net': 'fails' }, {}, 'temperror', 'TXT example.net: SERVFAIL'],
  [{}, { sender: '', helo: '' }, 'none', 'neither a sender nor a HELO name'],
  [{}, { sender: 'user@nodots' }, 'none', 'nodots cannot have a record'],
  [
    { 'TXT helo.example': ['v=spf1 +all'] },
    { sender: '', helo: 'helo.example' },
    'pass',
    '+all (record of helo.example)',
  ],
  [
    { 'TXT helo.example': ['v=spf1 +all'] },
    { sender: 'odd', helo: 'x@helo.example' },
    'pass',
    '+all (record of helo.example)',
  ],
  [record('v=spf1 -all'), { ip: '127.0.0.1' }, 'pass', 'an address of this host'],
  [record('v=spf1 -all'), { ownAddress: true }, 'pass', 'an address of this host'],
  [record('v=spf1 -all'), { ip: 'nonsense' }, 'permerror', 'nonsense is no address'],
  [
    record('v=spf1 ip4:192.0.2.1 -all'),
    { ip: '::ffff:192.0.2.1' },
    'pass',
    'ip4:192.0.2.1 (record of example.net)',
  ],
  [
    record('v=spf1 ip6:2001:db8::/32 -all'),
    { ip: '2001:db8::9' },
    'pass',
    'ip6:2001:db8::/32 (record of example.net)',
  ],
  [
    { 'TXT xn--bcher-kva.example': ['v=spf1 -all'] },
    { sender: Buffer.from('a@bücher.example').toString('latin1') },
    'fail',
    '-all (record of xn--bcher-kva.example)',
  ],
  // spfrules and spfguess
  [record('v=spf1 a mx -all'), { rules: 'ip4:192.0.2.1' }, 'pass', 'ip4:192.0.2.1 (spfrules)'],
  [record('v=spf1 mx +all'), { rules: '-ip4:192.0.2.1' }, 'pass', '+all (record of example.net)'],
  [record('v=spf1 mx'), { rules: 'ip4:192.0.2.1' }, 'neutral', 'no term matches (record of example.net)'],
  [
    record('v=spf1 redirect=other.example', { 'TXT other.example': ['v=spf1 -all'] }),
    { rules: 'ip4:192.0.2.1' },
    'fail',
    '-all (record of other.example)',
  ],
  [{}, { guess: 'ip4:192.0.2.1' }, 'pass', 'ip4:192.0.2.1 (spfguess)'],
  [{}, { guess: 'ip4:10.0.0.1', rules: '-all' }, 'fail', '-all (spfguess)'],
  [{}, { rules: 'ip4:192.0.2.1' }, 'none', 'example.net has no record'],
  [
    { 'A example.net': 'fails' },
    { guess: 'a -all' },
    'none',
    'example.net has no record; spfguess: address of example.net: SERVFAIL',
  ],
  [
    record('v=spf1 -all'),
    { rules: 'bogus' },
    'fail',
    '-all (record of example.net); spfrules or spfguess not used, error at bogus',
  ],
];

for (const [names, question, result, detail] of DECISIONS) {
  test(`${result}: ${detail} ${JSON.stringify(question)}`, async () => {
    const outcome = await ask(dnsOf(names), question);
    assert.deepEqual([outcome.result, outcome.detail], [result, detail]);
  });
}

test('what the site’s own terms cost is not the domain’s affair', async () => {
  const full = record(`v=spf1 ${'include:no.example '.repeat(10)}-all`, {
    'TXT no.example': ['v=spf1 -all'],
  });
  assert.equal((await ask(dnsOf(full), { rules: 'include:no.example' })).result, 'fail');
});

describe('the DNS fails, through a real socket', () => {
  const chain = Array.from({ length: 9 }, (_, i): [string, ZoneEntry[]] => [
    `c${i}.example`,
    [{ CNAME: `c${i + 1}.example` }],
  ]);
  const FAILURES: readonly [
    name: string,
    entries: readonly ZoneEntry[] | null,
    result: SpfResult,
    asTerm: SpfResult,
  ][] = [
    ['NXDOMAIN', null, 'none', 'fail'],
    ['NODATA', [{ PTR: 'x.example' }], 'none', 'fail'],
    ['SERVFAIL', ['SERVFAIL'], 'temperror', 'temperror'],
    ['REFUSED', ['REFUSED'], 'temperror', 'temperror'],
    ['FORMERR', ['FORMERR'], 'temperror', 'temperror'],
    ['NOTIMP', ['NOTIMP'], 'temperror', 'temperror'],
    ['no answer', ['TIMEOUT'], 'temperror', 'temperror'],
    ['no DNS', ['GARBAGE'], 'temperror', 'temperror'],
    [
      '100 other texts',
      Array.from({ length: 100 }, (_, i) => ({ TXT: ['x'.repeat(250), String(i)] })),
      'none',
      'fail',
    ],
    ['100 strings', [{ TXT: ['v=spf1 ', ...Array<string>(97).fill(' '), '-a', 'll'] }], 'fail', 'fail'],
    [
      '40 KB',
      [{ TXT: ['v=spf1', ...Array<string>(160).fill(` ip4:10.0.0.1`.repeat(19)), ' -all'] }],
      'fail',
      'fail',
    ],
    ['a chain of CNAMEs', [{ CNAME: 'c0.example' }], 'pass', 'pass'],
    ['a CNAME to itself', [{ CNAME: 'example.net' }], 'none', 'fail'],
  ];
  for (const [name, entries, result, asTerm] of FAILURES) {
    test(name, async () => {
      const end: [string, ZoneEntry[]] = ['c9.example', [{ TXT: 'v=spf1 +all' }, { A: '192.0.2.1' }]];
      const server = await startDnsServer({
        ...Object.fromEntries([...chain, end]),
        ...(entries === null ? {} : { 'example.net': entries }),
        'term.example': [{ TXT: 'v=spf1 a:example.net -all' }],
      });
      const dns = createResolver({ servers: [server.address], timeoutMs: 250, tries: 2 });
      try {
        assert.equal((await ask(dns)).result, result);
        assert.equal((await ask(dns, { sender: 'a@term.example' })).result, asTerm);
      } finally {
        dns.close();
        await server.close();
      }
    });
  }

  test('nobody listens', async () => {
    const server = await startDnsServer();
    await server.close();
    const dns = createResolver({ servers: [server.address], timeoutMs: 250, tries: 1 });
    assert.equal((await ask(dns)).result, 'temperror');
    dns.close();
  });
});

describe('hostile records cost little', () => {
  const LOOPS: readonly [name: string, names: Names, result: SpfResult][] = [
    ['includes itself', record('v=spf1 include:example.net -all'), 'permerror'],
    ['redirects to itself', record('v=spf1 redirect=example.net'), 'permerror'],
    ['includes itself often', record(`v=spf1 ${'include:example.net '.repeat(3000)}-all`), 'permerror'],
    [
      'includes that include others',
      {
        'TXT example.net': ['v=spf1 include:a.example include:b.example -all'],
        'TXT a.example': ['v=spf1 include:b.example include:b.example'],
        'TXT b.example': ['v=spf1 include:a.example include:a.example'],
      },
      'permerror',
    ],
    [
      'asks for names that are not there',
      record(`v=spf1 ${'exists:%{i}.x.example '.repeat(3000)}-all`),
      'permerror',
    ],
    [
      '11 MX',
      record('v=spf1 mx -all', { 'MX example.net': Array.from({ length: 11 }, (_, i) => `m${i}.example`) }),
      'permerror',
    ],
    ['names without end', record(`v=spf1 exists:${'%{s}'.repeat(16_000)}.example -all`), 'fail'],
    [
      'delimiters without end',
      record(`v=spf1 exists:%{s${'.-+,/_='.repeat(8000)}}.example -all`),
      'permerror',
    ],
    ['64 KiB without a blank', record(`v=spf1 ${'a'.repeat(65_000)}`), 'permerror'],
    ['64 KiB of slashes', record(`v=spf1 a:x.example${'/'.repeat(65_000)}`), 'permerror'],
    [
      '1000 reverse names',
      {
        ...record('v=spf1 ptr -all'),
        'PTR 192.0.2.1': Array.from({ length: 1000 }, (_, i) => `p${i}.example.net`),
      },
      'fail',
    ],
  ];
  for (const [name, names, result] of LOOPS) {
    test(name, async () => {
      const dns = dnsOf(names);
      const outcome = await ask(dns);
      assert.equal(outcome.result, result, outcome.detail);
      assert.ok(dns.asked.length <= 30, `${dns.asked.length} questions`);
      assert.ok(outcome.header.length <= 1000, `${outcome.header.length} bytes of header`);
      assert.ok(outcome.lookups.join('; ').length < 40 * 1000);
    });
  }

  test('a resolver that never answers is waited for until the deadline', async () => {
    const never = () => new Promise<never>(() => {});
    const dns: Dns = { a: never, aaaa: never, txt: never, mx: never, ptr: never };
    const outcome = await ask(dns, {}, 30);
    assert.deepEqual([outcome.result, outcome.detail], ['temperror', 'no result within 0.03 s']);
  });

  test('a resolver that breaks its word is a temporary error', async () => {
    const broken = () => Promise.reject(new Error('it broke'));
    const outcome = await ask({ a: broken, aaaa: broken, txt: broken, mx: broken, ptr: broken });
    assert.deepEqual([outcome.result, outcome.detail], ['temperror', 'evaluation failed: Error: it broke']);
  });

  test('whatever records say, the answer is a result, and what it prints is clean', async () => {
    const word = fc.oneof(
      fc.constantFrom(
        'a',
        'mx',
        'ptr',
        'all',
        '-all',
        'include:',
        'exists:',
        'redirect=',
        'exp=',
        'ip4:',
        'ip6:',
      ),
      fc.constantFrom(
        'example.net',
        'x.example',
        '%{s}',
        '%{p}',
        '%{d2r-}',
        '%%',
        '%',
        '/24',
        '//64',
        '192.0.2.1',
        '::1',
      ),
      fc.constantFrom(' ', ' ', ' ', '+', '-', '~', '?', '.', '\t', '\0', '(', '\r\nX: y'),
      fc.string({ unit: 'binary-ascii', maxLength: 4 }),
    );
    const text = fc.array(word, { maxLength: 25 }).map(words => `v=spf1 ${words.join('')}`);
    const address = fc.array(word, { maxLength: 6 }).map(words => words.join(''));
    const property = fc.asyncProperty(
      text,
      text,
      address,
      address,
      fc.constantFrom('192.0.2.1', '2001:db8::1'),
      async (one, other, helo, local, ip) => {
        const dns = dnsOf({
          'TXT example.net': [one],
          'TXT x.example': [other],
          'A x.example': ['192.0.2.1'],
          'MX x.example': ['x.example', ''],
          [`PTR ${ip}`]: ['x.example', other],
        });
        for (const header of ['classic', 'rfc7208'] as const) {
          const outcome = await ask(dns, {
            ip,
            helo,
            sender: `${local}@example.net`,
            explanation: local,
            header,
          });
          assert.ok(SPF_RESULTS.includes(outcome.result));
          assert.match(outcome.header, /^Received-SPF: [ -~]{1,985}\r\n$/);
          assert.match(outcome.explanation, /^[ -~]*$/);
        }
        assert.ok(dns.asked.length <= 300);
      },
    );
    await fc.assert(property, { numRuns: 500 });
  });
});
