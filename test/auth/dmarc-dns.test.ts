import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { checkDmarc } from '../../src/auth/dmarc.ts';
import type { DmarcQuestion } from '../../src/auth/dmarc.ts';
import { MessageLookups } from '../../src/auth/lookups.ts';
import { dmarc } from '../../src/cli/probe-dmarc.ts';
import { createResolver } from '../../src/dns/resolver.ts';
import type { DmarcOutcome } from '../../src/model/authentication.ts';
import { startDnsServer } from '../support/dns-server.ts';
import type { DnsServer, Zone, ZoneEntry } from '../support/dns-server.ts';

type Result = DmarcOutcome['result'];

const REJECT = 'v=DMARC1; p=reject';
const ABOVE: Zone = { '_dmarc.example.com': [{ TXT: REJECT }] };
const CHAIN: Zone = Object.fromEntries([
  ...Array.from({ length: 9 }, (_, i): [string, ZoneEntry[]] => [
    `c${i}.example`,
    [{ CNAME: `c${i + 1}.example` }],
  ]),
  ['c9.example', [{ TXT: REJECT }]],
]);

/** What `name` answers, or null for NXDOMAIN, and the result where the author's record should be, and where its parent's. */
const FAILURES: readonly (readonly [
  what: string,
  entries: readonly ZoneEntry[] | null,
  own: Result,
  above: Result,
])[] = [
  ['NXDOMAIN', null, 'none', 'none'],
  ['NODATA', [{ A: '192.0.2.1' }], 'none', 'none'],
  ['SERVFAIL', ['SERVFAIL'], 'temperror', 'temperror'],
  ['REFUSED', ['REFUSED'], 'temperror', 'temperror'],
  ['FORMERR', ['FORMERR'], 'temperror', 'temperror'],
  ['NOTIMP', ['NOTIMP'], 'temperror', 'temperror'],
  ['no answer', ['TIMEOUT'], 'temperror', 'temperror'],
  ['no DNS', ['GARBAGE'], 'temperror', 'temperror'],
  [
    'too long for a datagram',
    [{ TXT: [REJECT, `; x=${'x'.repeat(250)}`, ...Array<string>(160).fill('x'.repeat(250))] }],
    'fail',
    'fail',
  ],
  ['100 strings', [{ TXT: ['v=DMARC1', ...Array<string>(97).fill(';'), 'p=rej', 'ect'] }], 'fail', 'fail'],
  ['100 other texts', Array.from({ length: 100 }, (_, i) => ({ TXT: `v=spf1 ${i}` })), 'none', 'none'],
  ['100 records', Array.from({ length: 100 }, () => ({ TXT: REJECT })), 'none', 'none'],
  [
    'one among 100 texts',
    [...Array.from({ length: 99 }, (_, i) => ({ TXT: `v=spf1 ${i}` })), { TXT: REJECT }],
    'fail',
    'fail',
  ],
  ['a chain of CNAMEs', [{ CNAME: 'c0.example' }], 'fail', 'fail'],
  ['a CNAME to nowhere', [{ CNAME: 'nowhere.example' }], 'none', 'none'],
];

async function check(server: DnsServer, question: Partial<DmarcQuestion> = {}): Promise<DmarcOutcome> {
  const dns = createResolver({ servers: [server.address], timeoutMs: 400, tries: 1 });
  try {
    return await checkDmarc(
      { from: 'a.example.com', spf: null, dkim: [], ...question },
      new MessageLookups(dns, 30, 10_000),
    );
  } finally {
    dns.close();
  }
}

describe('the DNS fails, through a real socket', () => {
  for (const [what, entries, own, above] of FAILURES)
    test(what, async () => {
      const at = (name: string): Zone => ({ ...CHAIN, ...(entries === null ? {} : { [name]: entries }) });
      const server = await startDnsServer(at('_dmarc.a.example.com'));
      try {
        assert.equal((await check(server)).result, own, 'own record');
        server.serve(at('_dmarc.example.com'));
        assert.equal((await check(server)).result, above, 'record above');
        server.serve({ ...at('_dmarc.a.example.com'), ...ABOVE });
        const { result, policy } = await check(server);
        assert.deepEqual(
          [result, policy],
          own === 'none' ? ['fail', 'reject'] : [own, own === 'fail' ? 'reject' : null],
        );
      } finally {
        await server.close();
      }
    });

  test('a CNAME to itself', async () => {
    const server = await startDnsServer({ '_dmarc.example.com': [{ CNAME: '_dmarc.example.com' }] });
    const { result } = await check(server);
    await server.close();
    assert.equal(result, 'none');
  });

  test('whether the author domain exists', async () => {
    const np: Zone = { '_dmarc.example.com': [{ TXT: 'v=DMARC1; p=quarantine; np=reject' }] };
    const cases: readonly (readonly [readonly ZoneEntry[] | null, Result, string])[] = [
      [null, 'fail', 'reject'],
      [[{ A: '192.0.2.1' }], 'fail', 'quarantine'],
      [[{ PTR: 'x.example' }], 'fail', 'quarantine'],
      [[{ A: 'TIMEOUT' }, { MX: [10, 'mx.example'] }], 'fail', 'quarantine'],
      [['SERVFAIL'], 'temperror', 'quarantine'],
      [['TIMEOUT'], 'temperror', 'quarantine'],
    ];
    for (const [entries, result, policy] of cases) {
      const server = await startDnsServer({
        ...np,
        ...(entries === null ? {} : { 'a.example.com': entries }),
      });
      const outcome = await check(server);
      await server.close();
      assert.deepEqual([outcome.result, outcome.policy], [result, policy], JSON.stringify(entries));
    }
  });

  test('a resolver that hangs is asked for all names at once', async () => {
    const silent = Object.fromEntries(
      ['a.b.c.example.com', 'b.c.example.com', 'c.example.com', 'example.com', 'com'].map(name => [
        `_dmarc.${name}`,
        ['TIMEOUT'],
      ]),
    );
    const server = await startDnsServer(silent);
    const outcome = await check(server, { from: 'a.b.c.example.com' });
    const asked = server.queries();
    await server.close();
    assert.equal(outcome.result, 'temperror');
    // It ended with the first time-out, and by then every name had been asked for.
    assert.deepEqual(outcome.lookups, ['TXT _dmarc.a.b.c.example.com: TIMEOUT']);
    assert.equal(asked, 5);
  });

  test('a server that is not there', async () => {
    const server = await startDnsServer();
    await server.close();
    assert.equal((await check(server)).result, 'temperror');
  });

  test('the shared parents of author and signers are asked for once', async () => {
    const server = await startDnsServer(ABOVE);
    const dkim = ['b', 'c', 'd'].map(label => ({ result: 'pass', domain: `${label}.example.com` }));
    const outcome = await check(server, { dkim });
    const asked = server.queries();
    await server.close();
    assert.equal(outcome.result, 'pass');
    assert.equal(asked, 6);
  });
});

test('the probe', async () => {
  const server = await startDnsServer(ABOVE);
  const dns = server.address;
  const request = {
    from: 'a.example.com',
    spf: null,
    dkim: [{ result: 'pass', domain: 'example.com' }],
    dns,
  };
  const passes = await dmarc(request);
  const fails = await dmarc({ ...request, spf: { result: 'pass' }, dkim: [7, null] });
  const faults = [await dmarc({ dns }), await dmarc({ from: 'example.com' })];
  await server.close();
  const { detail, ...outcome } = passes;
  assert.equal(detail, 'dkim d=example.com aligned (relaxed); p=reject at _dmarc.example.com');
  const source = '_dmarc.example.com';
  assert.deepEqual(outcome, { result: 'pass', policy: 'reject', disposition: 'none', source });
  assert.equal(fails['disposition'], 'reject');
  assert.deepEqual(faults, [{ error: 'from is missing' }, { error: 'dns is missing' }]);
});
