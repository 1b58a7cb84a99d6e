import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import ipaddr from 'ipaddr.js';
import { reverseLookupName, reverseName } from '../../src/dns/reverse.ts';

const LOOPBACK = `1.${'0.'.repeat(31)}`.slice(0, -1);

const CASES: readonly (readonly [ip: string, name: string | null])[] = [
  ['61.183.0.8', '8.0.183.61'],
  ['0.0.0.0', '0.0.0.0'],
  ['::ffff:61.183.0.8', '8.0.183.61'],
  ['::FFFF:3db7:8', '8.0.183.61'],
  ['::1', LOOPBACK],
  ['2001:db8:1:2:3:4:5:67ab', 'b.a.7.6.5.0.0.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2'],
  ['', null],
  ['not-an-ip', null],
  ['1.2.3', null],
  ['1.2.3.256', null],
  ['01.2.3.4', null],
  ['fe80::1%eth0', null],
  ['1.2.3.4 ', null],
  [':::', null],
];

for (const [ip, name] of CASES) {
  test(`reverse name of "${ip}"`, () => assert.equal(reverseName(ip), name));
}

test('reverse look-up names', () => {
  assert.equal(reverseLookupName('61.183.0.8'), '8.0.183.61.in-addr.arpa');
  assert.equal(reverseLookupName('255.255.255.255'), '255.255.255.255.in-addr.arpa');
  assert.equal(reverseLookupName('::ffff:61.183.0.8'), '8.0.183.61.in-addr.arpa');
  assert.equal(reverseLookupName('::1'), `${LOOPBACK}.ip6.arpa`);
  assert.equal(reverseLookupName('x'), null);
});

test('any IPv6 address, short or long', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(0xffff), { minLength: 8, maxLength: 8 }), fc.nat(8), (words, zeros) => {
      const address = new ipaddr.IPv6([...Array<number>(zeros).fill(0), ...words.slice(zeros)]);
      // A mapped address is looked up as the IPv4 address that it is.
      fc.pre(!address.isIPv4MappedAddress());
      const nibbles = address.toByteArray().flatMap(byte => [byte >> 4, byte & 15]);
      const name = nibbles
        .toReversed()
        .map(n => n.toString(16))
        .join('.');
      for (const text of [address.toRFC5952String(), address.toNormalizedString(), address.toString()]) {
        assert.equal(reverseName(text), name);
      }
    }),
  );
});

test('any IPv4 address, plain or mapped', () => {
  fc.assert(
    fc.property(fc.ipV4(), ip => {
      assert.equal(reverseName(ip), ip.split('.').toReversed().join('.'));
      assert.equal(reverseName(`::ffff:${ip}`), reverseName(ip));
    }),
  );
});
