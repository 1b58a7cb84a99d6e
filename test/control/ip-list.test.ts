import assert from 'node:assert/strict';
import { Resolver } from 'node:dns/promises';
import { test } from 'node:test';
import fc from 'fast-check';
import { Complaints } from '../../src/control/complaints.ts';
import { parseIpList } from '../../src/control/ip-list.ts';
import type { IpList } from '../../src/control/ip-list.ts';
import { complaintText } from '../../src/model/origin.ts';
import { startRbldnsd } from '../support/peers.ts';

function read(text: string): { readonly list: IpList; readonly complaints: readonly string[] } {
  const complaints = new Complaints();
  const list = parseIpList(text, 'iplist', complaints);
  return { list, complaints: complaints.list.map(complaintText) };
}

/** `A text`, or `-` for an address that is not listed. */
function found(list: IpList, ip: string): string {
  const hit = list.find(ip);
  return hit === null ? '-' : `${hit.a} ${hit.txt}`;
}

function check(text: string, expected: Readonly<Record<string, string>>): void {
  const { list, complaints } = read(text);
  assert.deepEqual(
    complaints.filter(c => !c.includes('warning')),
    [],
  );
  for (const [ip, answer] of Object.entries(expected)) assert.equal(found(list, ip), answer, ip);
}

test('nothing listed', () => {
  const { list, complaints } = read('');
  assert.equal(list.size, 0);
  assert.equal(list.find('1.2.3.4'), null);
  assert.deepEqual(complaints, []);
});

test('what rbldns and rbldnsd read alike needs no format line', () => {
  check(
    '# list\n\n:127.0.0.3:Blocked, see http://bl.test/?$\n1.2.3.4\n10/8\n192.0.2.0/24\t \n198.51.100.128/25\n',
    {
      '1.2.3.4': '127.0.0.3 Blocked, see http://bl.test/?1.2.3.4',
      '::ffff:1.2.3.4': '127.0.0.3 Blocked, see http://bl.test/?::ffff:1.2.3.4',
      '1.2.3.5': '-',
      '10.255.0.1': '127.0.0.3 Blocked, see http://bl.test/?10.255.0.1',
      '192.0.2.255': '127.0.0.3 Blocked, see http://bl.test/?192.0.2.255',
      '192.0.3.0': '-',
      '198.51.100.127': '-',
      '198.51.100.128': '127.0.0.3 Blocked, see http://bl.test/?198.51.100.128',
      '::1': '-',
      'not-an-ip': '-',
      '': '-',
      '1.2.3': '-',
    },
  );
});

test('a hit names its line', () => {
  const { list } = read('# a\n1.2.3.4\n\n5.6.7.0/24\n');
  assert.equal(list.find('5.6.7.8')?.place, 'iplist:4');
  assert.equal(list.size, 2);
});

for (const [text, complaint] of [
  ['1.2.3\n', 'iplist:1: "1.2.3" is 1.2.3.0 to rbldns and 1.2.3/24 to rbldnsd'],
  [
    '1.2.3.4\n:127.0.0.3:late\n',
    'iplist:2: rbldns takes the first :A:TEXT for all entries, rbldnsd each for those after it',
  ],
  [
    ':127.0.0.3:$ is listed\n1.2.3.4\n',
    'iplist:1: rbldns puts the address in place of a final $ only, rbldnsd of each',
  ],
  ['4.0.0.0/6\n', 'iplist:1: "4.0.0.0/6" never matches in rbldns, which looks no further than /8'],
] as const) {
  test(`a line that the two read differently is an error: ${text.trim()}`, () => {
    assert.deepEqual(read(text).complaints, [
      `${complaint}: say which with a line '# format: rbldns' or '# format: rbldnsd'`,
    ]);
    assert.deepEqual(read(`# format: rbldnsd\n${text}`).complaints, []);
    // A line that rbldns could not load settles it as well.
    assert.deepEqual(read(`${text}!9.9.9.9\n`).complaints, []);
  });
}

test('as rbldns: one value for all, partial addresses are whole ones, a final $ is the address', () => {
  check('# format: rbldns\n1.2.3\n10\n:127.0.0.9:$ is $\n:127.0.0.8:too late\n', {
    '1.2.3.0': '127.0.0.9 $ is 1.2.3.0',
    '1.2.3.4': '-',
    '10.0.0.0': '127.0.0.9 $ is 10.0.0.0',
    '10.0.0.1': '-',
  });
});

test('as rbldns: its defaults, /33 is /32, no network wider than /8, none with host bits', () => {
  check('# format: rbldns\n1.2.3.4/33\n0/0\n64/7\n5.6.7.8/24\n', {
    '1.2.3.4': '127.0.0.2 Listed 1.2.3.4',
    '64.1.1.1': '-',
    '5.6.7.8': '-',
    '5.6.7.0': '-',
  });
  assert.deepEqual(read('# format: rbldns\n0/0\n5.6.7.8/24\n').complaints, [
    'iplist:2: warning: 0/0 never matches: rbldns looks no further than /8',
    'iplist:3: warning: 5.6.7.8/24 never matches: bits are set beyond the prefix',
  ]);
});

test('as rbldns: what rbldns-data refuses', () => {
  const lines = [
    '!1.2.3.4',
    '1.2.3.4 text',
    '1.2.3.4-5',
    '2001:db8::1',
    ':2:short',
    ':127.0.0.2',
    `:127.0.0.2:${'x'.repeat(91)}`,
    '1.2.3.256',
    'x',
    ';',
  ];
  const { complaints } = read(`# format: rbldns\n${lines.join('\n')}\n`);
  assert.deepEqual(
    complaints.map(c => Number(/^iplist:([0-9]+): (?!warning)/.exec(c)?.[1])),
    lines.map((_, i) => i + 2),
  );
});

test('errors say what was found', () => {
  for (const [line, complaint] of [
    ['x', '"x" does not begin with an address, a network or a range'],
    ['1.2.3.256', '"1.2.3.256" is no address, network or range'],
    ['1.2.3.4.5', '"1.2.3.4.5" is no address, network or range'],
    ['1.2.3.', '"1.2.3." is no address, network or range'],
    ['10', '"10" is no network: write 10/8, or 10.0.0.0 for that address alone'],
    ['1.2.3.4/33', '"1.2.3.4/33" is no address, network or range'],
    ['0/0', '"0/0" is no address, network or range'],
    ['1.2.3.9-1.2.3.4', '"1.2.3.9-1.2.3.4" is no address, network or range'],
    ['1.2.3.4text', '"1.2.3.4text" does not begin with an address, a network or a range'],
    ['1.2.3.4 :300:x', '":300:x" is neither :A:TEXT nor a text'],
    [':x:y', '":x:y" does not begin with :A: (an address, or its last octet)'],
    ['2001:db8::1::2', '"2001:db8::1::2" is no IPv6 network'],
    ['2001:db8::/129', '"2001:db8::/129" is no IPv6 network'],
    ['$DATASET ip4set:x @', 'combined data sets are not read: give each set a file of its own'],
    ['$MAXRANGE4 x', '$MAXRANGE4 "x" is neither a number of addresses nor /bits'],
    ['# format: other', 'format "other" is neither rbldns nor rbldnsd'],
  ]) {
    assert.deepEqual(read(`${line}\n`).complaints, [`iplist:1: ${complaint}`]);
  }
  assert.deepEqual(read('1.2.3.4\n# format: rbldns\n').complaints, [
    'iplist:2: the format must be said before the first entry',
  ]);
});

/** Files that a real rbldnsd reads too, and addresses to ask both for. */
const IP4SET = `# exercise of every form of ip4set
$SOA 0 ns.test admin.test 0 1h 1h 1h 1h
$1 See http://bl.test
$1 never used
#$2 two
:127.0.0.9:dflt $ $1 $$ $2 $4 $3. $$$$ $$1 $a 50%$
$3 defined late
1.2.3.4
1.2.3.5 :5
1.2.3.6 :6:
1.2.3.7 own text # not a comment
1.2.3.8 # comment
1.2.3.9;comment
1.2.3.10 :127.0.0.8:x:y
1.2.3.11 :127.0.0.7
1.2.3.12 =no base $
1.2.3.13   spaced   text
!1.2.3.14
! 1.2.3.15
1.2.3.16 first
1.2.3/24 net24
1.2/16 net16
!1.2.16/20
1.2.17.0/24 excluded all the same
1.2.17.9 back in
11.1-12 range of prefixes
12.1-12.3
13.0.0.5-9
14.4
!14.4.4
14.4.4.4 back
15.0.0.0-15.0.0.255
16.0.0.0/5
016.1.1.1 leading zero
17.0.0.3-17.0.2.9 odd range
:6
20.1.1.1
20.1.1.2 text
:7:
20.1.1.3
$MAXRANGE4 /16
21.0/15
22.0/16
23.1.2.3/24 host bits
`;

const IP4_ADDRESSES = `
  1.2.3.3 1.2.3.4 1.2.3.5 1.2.3.6 1.2.3.7 1.2.3.8 1.2.3.9 1.2.3.10 1.2.3.11 1.2.3.12 1.2.3.13
  1.2.3.14 1.2.3.15 1.2.3.16
  1.2.9.9 1.2.16.1 1.2.17.1 1.2.17.9 1.2.32.1 1.3.0.0 11.1.0.0 11.12.255.255 11.13.0.0
  11.0.255.255 12.3.255.255 12.4.0.0 13.0.0.4 13.0.0.5 13.0.0.9 13.0.0.10 14.4.1.1 14.4.4.1
  14.4.4.4 15.0.0.9 15.0.1.0 16.1.1.1 16.1.1.2 23.255.255.255 24.0.0.0 17.0.0.2 17.0.0.3
  17.0.1.77 17.0.2.9 17.0.2.10 20.1.1.1 20.1.1.2 20.1.1.3 21.0.0.1 22.0.0.1 23.1.2.3
`
  .trim()
  .split(/\s+/);

const BASE = `:2:second $
$= base $= ($)
1.1.1.1
1.1.1.2 mine
1.1.1.3 =esc $
1.1.1.4 :4:
1.1.1.5 :5
`;

const IP6TRIE = `:127.0.1.2: Listed, see http://bl.test/?$
2001:21ab:c000/36
2001:21ab:def7:4242 :127.0.1.3: This one smells funny
2605:6001:42::/52
::1                   # localhost
!2605:6001:42::bead   # exclusion
2001:db8::1:2
2001:db8:1::/48
!2001:db8:1:8000::/49
2001:DB8:1:9000::/64 in
2002:: x
2003:1/32
2005:1/16
`;

const IP6_ADDRESSES = `
  2001:21ab:cfff::1 2001:21ab:d000::1 2001:21ab:def7:4242::9 2001:21ab:def7:4243::9
  2605:6001:42::1 2605:6001:42:fff::1 2605:6001:42:1000::1 ::1 ::2 2605:6001:42::bead
  2001:db8::1:2 2001:db8::1:3 2001:db8:1:7000::1 2001:db8:1:8000::1 2001:db8:1:9000::1
  2002:: 2002::1 2003:1::5 2003:2::5 2005:1::1 2005::1
`
  .trim()
  .split(/\s+/);

test('as rbldnsd: the same answers as the real one', async () => {
  await using server = await startRbldnsd({
    'four.test': { type: 'ip4set', data: IP4SET },
    'base.test': { type: 'ip4set', data: BASE },
    'six.test': { type: 'ip6trie', data: IP6TRIE },
  });
  const resolver = new Resolver({ timeout: 3000, tries: 3 });
  resolver.setServers([server.server]);
  const real = async (name: string): Promise<string> => {
    const [a] = await resolver.resolve4(name).catch(() => []);
    const [txt] = await resolver.resolveTxt(name).catch(() => []);
    return a === undefined ? '-' : `${a} ${txt?.join('') ?? null}`;
  };
  const compare = async (
    text: string,
    zone: string,
    ips: readonly string[],
    reverse: (ip: string) => string,
  ) => {
    const { list } = read(`# format: rbldnsd\n${text}`);
    for (const ip of ips) assert.equal(found(list, ip), await real(`${reverse(ip)}.${zone}`), ip);
  };
  const dotted = (ip: string) => ip.split('.').toReversed().join('.');
  await compare(IP4SET, 'four.test', IP4_ADDRESSES, dotted);
  await compare(
    BASE,
    'base.test',
    ['1.1.1.1', '1.1.1.2', '1.1.1.3', '1.1.1.4', '1.1.1.5', '1.1.1.6'],
    dotted,
  );
  await compare(IP6TRIE, 'six.test', IP6_ADDRESSES, nibbles);
});

function nibbles(ip: string): string {
  const [head = '', tail = ''] = ip.split('::');
  const front = head === '' ? [] : head.split(':');
  const back = tail === '' ? [] : tail.split(':');
  const words = [...front, ...Array<string>(8 - front.length - back.length).fill('0'), ...back];
  return words
    .map(word => word.padStart(4, '0'))
    .join('')
    .split('')
    .toReversed()
    .join('.');
}

test('100,000 lines are read, and found again', () => {
  const lines = Array.from(
    { length: 100_000 },
    (_, i) => `${1 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}.0/${24 + (i % 9)}`,
  );
  const { list, complaints } = read(`:127.0.0.2:Listed $\n${lines.join('\n')}\n`);
  assert.deepEqual(complaints, []);
  assert.equal(list.size, 100_000);
  for (let i = 0; i < 100_000; i += 997) {
    const ip = `${1 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}.0`;
    assert.equal(list.find(ip)?.place, `iplist:${i + 2}`);
  }
  assert.equal(list.find('200.1.1.1'), null);
});

test('many wrong lines are not all repeated', () => {
  const complaints = new Complaints();
  parseIpList('nonsense\n'.repeat(10_000), 'iplist', complaints);
  assert.equal(complaints.errors, 10_000);
  assert.ok(complaints.list.length < 1000);
});

const octet = fc.integer({ min: 0, max: 3 });
const network = fc
  .tuple(octet, octet, octet, octet, fc.integer({ min: 8, max: 32 }))
  .map(([a, b, c, d, prefix]) => {
    const size = 2 ** (32 - prefix);
    const ip = ((a * 256 + b) * 256 + c) * 256 + d;
    return { first: ip - (ip % size), size, prefix };
  });
const dotted = (ip: number) => [ip >>> 24, (ip >>> 16) & 255, (ip >>> 8) & 255, ip & 255].join('.');

test('any networks: an address is found in the narrowest one that holds it', () => {
  fc.assert(
    fc.property(
      fc.array(network, { maxLength: 20 }),
      fc.array(fc.tuple(octet, octet, octet, octet), { minLength: 20, maxLength: 20 }),
      (networks, ips) => {
        const { list } = read(networks.map(n => `${dotted(n.first)}/${n.prefix}`).join('\n'));
        for (const [a, b, c, d] of ips) {
          const ip = ((a * 256 + b) * 256 + c) * 256 + d;
          const holding = networks.filter(n => ip >= n.first && ip < n.first + n.size);
          const narrowest = Math.max(0, ...holding.map(n => n.prefix));
          const line = networks.findIndex(n => holding.includes(n) && n.prefix === narrowest) + 1;
          assert.equal(list.find(dotted(ip))?.place ?? null, line === 0 ? null : `iplist:${line}`);
        }
      },
    ),
  );
});

test('any range: its two ends are listed, their neighbours are not', () => {
  const address = fc.integer({ min: 1, max: 2 ** 32 - 2 });
  fc.assert(
    fc.property(address, address, (a, b) => {
      const [first, last] = a < b ? [a, b] : [b, a];
      const { list } = read(`${dotted(first)}-${dotted(last)}\n`);
      const listed = [first - 1, first, last, last + 1].map(ip => list.find(dotted(ip)) !== null);
      assert.deepEqual(listed, [false, true, true, false]);
    }),
  );
});

test('no text makes the parser throw', () => {
  const bits = fc.constantFrom(
    '1.2.3.4',
    '10',
    '/8',
    '-',
    '!',
    ':',
    '127.0.0.2',
    '$',
    '$1 ',
    '$=',
    '#',
    ';',
    '\n',
    '\n',
    ' ',
    '2001:db8',
    '::',
    'format: rbldns',
    '\xff',
    '\0',
  );
  fc.assert(
    fc.property(fc.array(bits, { maxLength: 40 }), parts => {
      const { list } = read(parts.join(''));
      for (const ip of ['1.2.3.4', '10.0.0.1', '2001:db8::1']) list.find(ip);
    }),
  );
});
