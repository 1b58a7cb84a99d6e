import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Complaints } from '../../src/control/complaints.ts';
import { parseDnsblList, parseDnsLists } from '../../src/control/dns-lists.ts';
import { createResolver } from '../../src/dns/resolver.ts';
import type { Resolver } from '../../src/dns/resolver.ts';
import type { Finding } from '../../src/model/finding.ts';
import type { ConnectFacts } from '../../src/model/session.ts';
import { rbl } from '../../src/plugins/rbl.ts';
import { startDnsServer } from '../support/dns-server.ts';
import type { DnsServer, Zone } from '../support/dns-server.ts';
import { startRbldnsd } from '../support/peers.ts';

const IP = '192.0.2.1';
const NAME = '1.2.0.192';

const ZONE: Zone = {
  [`${NAME}.bl.test`]: [{ TXT: ['Blocked - see http://bl.test/?%IP%'] }, { A: '127.0.0.2' }],
  [`${NAME}.bl2.test`]: [{ TXT: ['second'] }, { A: '127.0.0.4' }],
  [`${NAME}.codes.test`]: [{ TXT: ['codes'] }, { A: '127.0.0.10' }],
  [`${NAME}.white.test`]: [{ A: '127.0.0.1' }],
  [`${NAME}.sick.test`]: [{ TXT: ['Error: open resolver'] }, { A: '127.255.255.254' }],
  [`${NAME}.down.test`]: ['SERVFAIL'],
  [`${NAME}.refused.test`]: ['REFUSED'],
  [`${NAME}.a-only.test`]: [{ A: '127.0.0.2' }],
  '1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.bl.test': [{ TXT: ['six'] }],
};

let server: DnsServer;
let dns: Resolver;

before(async () => {
  server = await startDnsServer(ZONE);
  dns = createResolver({ servers: [server.address], timeoutMs: 2000 });
});

after(async () => {
  dns.close();
  await server.close();
});

interface Given {
  readonly ip?: string | null;
  readonly rbl?: string;
  readonly dnsbllist?: string;
  readonly rblsmtpd?: string | null;
  readonly dns?: Resolver;
}

function facts(ip: string | null): ConnectFacts {
  const client =
    ip === null
      ? null
      : { ip, port: 40000, localIp: '192.0.2.25', localPort: 25, reverseName: null, ident: null };
  return { sessionId: 's', client, relayClient: false, startedAt: 0, earlyBytes: 0 };
}

async function run(given: Given): Promise<readonly Finding[]> {
  const complaints = new Complaints();
  const settings = {
    rbl: parseDnsLists(given.rbl ?? '', 'rbl', complaints),
    dnsbllist: parseDnsblList(given.dnsbllist ?? '', 'dnsbllist', complaints),
    rblsmtpd: given.rblsmtpd ?? null,
  };
  assert.deepEqual(complaints.list, []);
  const tools = {
    settings,
    origin: (name: string) => `/etc/tcp.smtp:7 (${name})`,
    dns: given.dns ?? dns,
    now: () => 0,
    signal: new AbortController().signal,
  };
  return (await rbl.connect?.(facts(given.ip === undefined ? IP : given.ip), tools)) ?? [];
}

/** A finding in one line: rule, state, and what an operator or client sees of it. */
function shown(finding: Finding): string {
  const { rule, state, value, detail, source, text, score } = finding;
  const parts = [
    rule,
    state,
    value,
    detail && `(${detail})`,
    text !== undefined && `"${text}"`,
    score !== undefined && `+${score}`,
    `@${source}`,
  ];
  return parts.filter(part => part !== undefined && part !== false).join(' ');
}

const CASES: readonly (readonly [what: string, given: Given, findings: readonly string[]])[] = [
  ['no lists', {}, []],
  ['a local submission', { ip: null, rbl: '-r bl.test' }, []],
  [
    'listed, without -b: the raw text',
    { rbl: '-r bl.test' },
    ['RBL_DEFER hit 192.0.2.1 (bl.test (127.0.0.2)) "Blocked - see http://bl.test/?%IP%" @rbl:1'],
  ],
  [
    'listed, with -b',
    { rbl: '-b -r bl.test' },
    ['RBL_REJECT hit 192.0.2.1 (bl.test (127.0.0.2)) "Blocked - see http://bl.test/?%IP%" @rbl:1'],
  ],
  [
    'not listed',
    { ip: '192.0.2.9', rbl: '-b -r bl.test\n-B -r bl2.test' },
    ['RBL_REJECT pass bl.test (not listed) @rbl:1', 'RBL_DEFER pass bl2.test (not listed) @rbl:2'],
  ],
  [
    'the first hit in order decides alone',
    { rbl: '-b -r bl2.test -B -r bl.test' },
    ['RBL_REJECT hit 192.0.2.1 (bl2.test (127.0.0.4)) "second" @rbl:1'],
  ],
  [
    'an anti-list first',
    { rbl: '-b -a white.test -r bl.test' },
    ['RBL_ALLOWED pass 192.0.2.1 (white.test lets the client in (127.0.0.1)) @rbl:1'],
  ],
  [
    'an anti-list too late',
    { rbl: '-b -r bl.test -a white.test' },
    ['RBL_REJECT hit 192.0.2.1 (bl.test (127.0.0.2)) "Blocked - see http://bl.test/?%IP%" @rbl:1'],
  ],
  [
    'an anti-list that does not know the client',
    { ip: '192.0.2.9', rbl: '-a white.test' },
    ['RBL_ALLOWED pass white.test (not listed) @rbl:1'],
  ],
  [
    'a list that only publishes A records',
    { rbl: '-r a-only.test' },
    [
      'RBL_DEFER pass a-only.test (the name exists without TXT text, which is no listing; codes= makes its A record decide) @rbl:1',
    ],
  ],
  [
    'codes and template',
    { rbl: '-b -r a-only.test codes=127.0.0.2-11 text="Listed: %IP%"' },
    ['RBL_REJECT hit 192.0.2.1 (a-only.test (127.0.0.2)) "Listed: 192.0.2.1" @rbl:1'],
  ],
  [
    'IPv6',
    { ip: '2001:db8::1', rbl: '-b -r bl.test' },
    ['RBL_REJECT hit 2001:db8::1 (bl.test) "six" @rbl:1'],
  ],

  [
    'a list error refuses nobody',
    { rbl: '-b -r sick.test' },
    [
      'RBL_ERROR error sick.test (sick.test: 127.255.255.254: the list reports an error of its own, "Error: open resolver") @rbl:1',
    ],
  ],
  [
    'SERVFAIL refuses nobody',
    { rbl: '-b -r down.test' },
    ['RBL_ERROR error down.test (down.test: TXT look-up: SERVFAIL) @rbl:1'],
  ],
  [
    'an undocumented code refuses nobody',
    { rbl: '-b -r codes.test codes=127.0.0.2-9' },
    ['RBL_ERROR error codes.test (codes.test: 127.0.0.10: not among the codes of this list) @rbl:1'],
  ],
  [
    'a failure before it softens a hit',
    { rbl: '-b -r refused.test\n-r bl2.test' },
    [
      'RBL_ERROR error refused.test (refused.test: TXT look-up: REFUSED) @rbl:1',
      'RBL_DEFER hit 192.0.2.1 (bl2.test (127.0.0.4); a list before it failed) "second" @rbl:2',
    ],
  ],
  [
    'failing closed',
    { rbl: '-b -c -r down.test -r bl2.test' },
    [
      'RBL_ERROR error down.test (down.test: TXT look-up: SERVFAIL) @rbl:1',
      'RBL_DEFER hit 192.0.2.1 (down.test could not be asked, and -c is in force) "temporary RBL lookup error" @rbl:1',
    ],
  ],
  [
    'an anti-list that fails lets everyone in',
    { rbl: '-a down.test -b -r bl.test' },
    [
      'RBL_ERROR error down.test (down.test: A look-up: SERVFAIL; the client is let in, since -c is not in force) @rbl:1',
    ],
  ],
  [
    'an anti-list that fails closed lets nobody in',
    { rbl: '-c -a down.test -b -r bl2.test' },
    [
      'RBL_ERROR error down.test (down.test: A look-up: SERVFAIL) @rbl:1',
      'RBL_DEFER hit 192.0.2.1 (bl2.test (127.0.0.4); a list before it failed) "second" @rbl:1',
    ],
  ],

  [
    'weights add up and refuse nobody',
    { rbl: '-b -r bl.test score=2.5 text=x -r bl2.test score=-1 text=y -r white.test score=4' },
    [
      'RBL_SCORE hit 192.0.2.1 (bl.test (127.0.0.2)) "x" +2.5 @rbl:1',
      'RBL_SCORE hit 192.0.2.1 (bl2.test (127.0.0.4)) "y" +-1 @rbl:1',
      'RBL_SCORE pass white.test (the name exists without TXT text, which is no listing; codes= makes its A record decide) @rbl:1',
    ],
  ],
  [
    'a weighing list that fails softens nothing',
    { rbl: '-b -c -r down.test score=2\n-r bl2.test' },
    [
      'RBL_ERROR error down.test (down.test: TXT look-up: SERVFAIL) @rbl:1',
      'RBL_REJECT hit 192.0.2.1 (bl2.test (127.0.0.4)) "second" @rbl:2',
    ],
  ],
  [
    'weights stand beside a refusal',
    { rbl: '-b -r bl2.test -r bl.test score=1 text=x' },
    [
      'RBL_REJECT hit 192.0.2.1 (bl2.test (127.0.0.4)) "second" @rbl:1',
      'RBL_SCORE hit 192.0.2.1 (bl.test (127.0.0.2)) "x" +1 @rbl:1',
    ],
  ],
  [
    'an anti-list silences weights after it',
    { rbl: '-a white.test -r bl.test score=1' },
    ['RBL_ALLOWED pass 192.0.2.1 (white.test lets the client in (127.0.0.1)) @rbl:1'],
  ],

  [
    'dnsbllist: defer',
    { dnsbllist: 'bl2.test' },
    ['RBL_DEFER hit 192.0.2.1 (bl2.test (127.0.0.4)) "second" @dnsbllist:1'],
  ],
  [
    'dnsbllist: reject',
    { dnsbllist: '-bl2.test' },
    ['RBL_REJECT hit 192.0.2.1 (bl2.test (127.0.0.4)) "second" @dnsbllist:1'],
  ],
  [
    'dnsbllist: a message makes A decide',
    { dnsbllist: 'a-only.test:-No: %IP%' },
    ['RBL_REJECT hit 192.0.2.1 (a-only.test (127.0.0.2)) "No: 192.0.2.1" @dnsbllist:1'],
  ],
  [
    'dnsbllist: only watched',
    { dnsbllist: '=bl.test\n-bl2.test' },
    [
      'RBL_OBSERVE hit 192.0.2.1 (bl.test (127.0.0.2)) "Blocked - see http://bl.test/?%IP%" @dnsbllist:1',
      'RBL_REJECT hit 192.0.2.1 (bl2.test (127.0.0.4)) "second" @dnsbllist:2',
    ],
  ],
  [
    'dnsbllist: white list',
    { dnsbllist: '+white.test\n-bl2.test' },
    ['RBL_ALLOWED pass 192.0.2.1 (white.test lets the client in (127.0.0.1)) @dnsbllist:1'],
  ],
  [
    'dnsbllist does not count when rbl refuses',
    { rbl: '-b -r bl2.test', dnsbllist: '-bl.test' },
    ['RBL_REJECT hit 192.0.2.1 (bl2.test (127.0.0.4)) "second" @rbl:1'],
  ],
  [
    'dnsbllist decides for itself about whom rbl lets in',
    { rbl: '-a white.test', dnsbllist: '-bl2.test' },
    [
      'RBL_ALLOWED pass 192.0.2.1 (white.test lets the client in (127.0.0.1)) @rbl:1',
      'RBL_REJECT hit 192.0.2.1 (bl2.test (127.0.0.4)) "second" @dnsbllist:1',
    ],
  ],

  [
    'RBLSMTPD empty',
    { rblsmtpd: '', rbl: '-b -r bl.test' },
    ['RBL_ALLOWED pass 192.0.2.1 (RBLSMTPD is empty: no list is asked) @/etc/tcp.smtp:7 (rblsmtpd)'],
  ],
  [
    'RBLSMTPD with a hyphen',
    { rblsmtpd: '-Go away %IP%', rbl: '-r bl.test' },
    ['RBLSMTPD_REJECT hit 192.0.2.1 "Go away %IP%" @/etc/tcp.smtp:7 (rblsmtpd)'],
  ],
  [
    'RBLSMTPD without, whatever -b says',
    { rblsmtpd: 'Later', rbl: '-b -r bl.test' },
    ['RBLSMTPD_DEFER hit 192.0.2.1 "Later" @/etc/tcp.smtp:7 (rblsmtpd)'],
  ],
  [
    'RBLSMTPD a lone hyphen',
    { rblsmtpd: '-' },
    ['RBLSMTPD_REJECT hit 192.0.2.1 "" @/etc/tcp.smtp:7 (rblsmtpd)'],
  ],
];

for (const [what, given, findings] of CASES) {
  test(what, async () => assert.deepEqual((await run(given)).map(shown), findings));
}

test('RBLSMTPD asks no list', async () => {
  const before = server.queries();
  await run({ ip: '198.51.100.1', rblsmtpd: '', rbl: '-r bl.test', dnsbllist: 'bl2.test' });
  await run({ ip: '198.51.100.1', rblsmtpd: '-x', rbl: '-r bl.test' });
  assert.equal(server.queries(), before);
});

test('lists are asked at once: a silent one does not hold up the question to the others', async () => {
  server.serve({ '2.100.51.198.silent.test': ['TIMEOUT'] });
  const quick = createResolver({ servers: [server.address], timeoutMs: 200, tries: 1 });
  const asked = run({
    ip: '198.51.100.2',
    rbl: '-r silent.test -r next.test',
    dnsbllist: 'last.test',
    dns: quick,
  });
  const early = await Promise.race([asked.then(() => 'answered'), untilAsked('2.100.51.198.last.test')]);
  assert.equal(early, 'asked');
  assert.deepEqual(
    (await asked).map(f => f.state),
    ['error', 'pass', 'pass'],
  );
  quick.close();
  server.serve(ZONE);
});

async function untilAsked(name: string): Promise<string> {
  while (server.queries(name) === 0) await new Promise(resolve => setImmediate(resolve));
  return 'asked';
}

test('a real rbldnsd: refused with its text; as a list in trouble it refuses nobody', async () => {
  const listed = (value: string) => ({ 'bl.test': { type: 'ip4set', data: `${value}\n192.0.2.0/24\n` } });
  for (const [value, expected] of [
    [
      ':127.0.0.2:Blocked, see http://bl.test/?$',
      'RBL_REJECT hit 192.0.2.1 (bl.test (127.0.0.2)) "Blocked, see http://bl.test/?192.0.2.1" @rbl:1',
    ],
    [
      ':127.255.255.254:Over quota',
      'RBL_ERROR error bl.test (bl.test: 127.255.255.254: the list reports an error of its own, "Over quota") @rbl:1',
    ],
  ] as const) {
    await using rbldnsd = await startRbldnsd(listed(value));
    const resolver = createResolver({ servers: [rbldnsd.server] });
    assert.deepEqual((await run({ rbl: '-b -r bl.test', dns: resolver })).map(shown), [expected]);
    resolver.close();
  }
});
