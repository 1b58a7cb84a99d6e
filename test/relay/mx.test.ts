import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mailHosts } from '../../src/relay/mx.ts';
import { dnsOf } from './zone.ts';
import type { Zone } from './zone.ts';

const OWN = '192.0.2.99';

const CASES: readonly [name: string, zone: Zone, domain: string, expected: string][] = [
  [
    'by preference, IPv4 before IPv6',
    {
      mx: {
        'd.example': [
          { preference: 20, host: 'b' },
          { preference: 10, host: 'a' },
        ],
      },
      a: { a: ['192.0.2.1', '192.0.2.2'], b: ['192.0.2.3'] },
      aaaa: { a: ['2001:db8::1'] },
    },
    'd.example',
    'a[192.0.2.1] a[192.0.2.2] a[2001:db8::1] b[192.0.2.3]',
  ],
  ['null MX', { mx: { 'd.example': [{ preference: 0, host: '' }] } }, 'd.example', 'refused 556 5.1.10'],
  [
    'null MX as a dot',
    { mx: { 'd.example': [{ preference: 0, host: '.' }] } },
    'd.example',
    'refused 556 5.1.10',
  ],
  ['no MX: the domain itself', { a: { 'd.example': ['192.0.2.1'] } }, 'd.example', 'd.example[192.0.2.1]'],
  ['no MX, IPv6 only', { aaaa: { 'd.example': ['2001:db8::1'] } }, 'd.example', 'd.example[2001:db8::1]'],
  ['no MX and no address', {}, 'd.example', 'refused 550 5.4.4'],
  ['no such domain', { mx: { 'd.example': 'nxdomain' } }, 'd.example', 'refused 550 5.1.2'],
  ['MX could not be looked up', { mx: { 'd.example': 'error' } }, 'd.example', 'failed 451 4.4.3'],
  ['address could not be looked up', { a: { 'd.example': 'error' } }, 'd.example', 'failed 451 4.4.3'],
  [
    'one address could not be looked up, another is there',
    {
      mx: {
        'd.example': [
          { preference: 1, host: 'a' },
          { preference: 2, host: 'b' },
        ],
      },
      a: { a: 'error', b: ['192.0.2.1'] },
    },
    'd.example',
    'b[192.0.2.1]',
  ],
  [
    'MX hosts without address',
    { mx: { 'd.example': [{ preference: 1, host: 'a' }] } },
    'd.example',
    'refused 550 5.4.4',
  ],
  [
    'we are the second: only better hosts count',
    {
      mx: {
        'd.example': [
          { preference: 1, host: 'a' },
          { preference: 2, host: 'us' },
          { preference: 2, host: 'b' },
          { preference: 3, host: 'c' },
        ],
      },
      a: { a: ['192.0.2.1'], us: [OWN], b: ['192.0.2.2'], c: ['192.0.2.3'] },
    },
    'd.example',
    'a[192.0.2.1]',
  ],
  [
    'we are the best: a loop',
    {
      mx: {
        'd.example': [
          { preference: 1, host: 'us' },
          { preference: 2, host: 'b' },
        ],
      },
      a: { us: [OWN], b: ['192.0.2.2'] },
    },
    'd.example',
    'failed 451 4.4.6',
  ],
  ['we are the domain: a loop', { a: { 'd.example': [OWN] } }, 'd.example', 'failed 451 4.4.6'],
  ['address literal', {}, '[192.0.2.1]', '192.0.2.1[192.0.2.1]'],
  ['IPv6 literal', {}, '[ipv6:2001:db8::1]', '2001:db8::1[2001:db8::1]'],
  ['our own address as a literal', {}, `[${OWN}]`, 'failed 451 4.4.6'],
];

for (const [name, zone, domain, expected] of CASES) {
  test(`mx: ${name}`, async () => {
    const found = await mailHosts(domain, dnsOf(zone), ip => ip === OWN);
    const shown =
      found.kind === 'found'
        ? found.hosts.map(h => `${h.host}[${h.address}]`).join(' ')
        : `${found.kind} ${found.reply.code} ${found.reply.enhanced}`;
    assert.equal(shown, expected);
  });
}

test('mx: at most ten hosts are looked up', async () => {
  const hosts = Array.from({ length: 50 }, (_, i) => ({ preference: i, host: `h${i}` }));
  const a = Object.fromEntries(hosts.map((h, i) => [h.host, [`192.0.2.${i}`]]));
  const found = await mailHosts('d.example', dnsOf({ mx: { 'd.example': hosts }, a }), () => false);
  assert.deepEqual(
    found.kind === 'found' && found.hosts.map(h => h.host),
    hosts.slice(0, 10).map(h => h.host),
  );
});
