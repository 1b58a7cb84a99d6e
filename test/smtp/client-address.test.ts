import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AddressSet, countingKey, normalAddress } from '../../src/smtp/client-address.ts';

test('one way to write an address', () => {
  for (const [text, normal] of [
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::ffff:c000:201', '192.0.2.1'],
    ['2001:DB8:0:0:0:0:0:1', '2001:db8::1'],
    ['fe80::1%eth0', 'fe80::1'],
    ['::1', '::1'],
    ['', ''],
  ] as const) {
    assert.equal(normalAddress(text), normal);
  }
});

test('counted by IPv4 address and by IPv6 /64', () => {
  assert.equal(countingKey('192.0.2.1'), '192.0.2.1');
  assert.equal(countingKey('2001:db8:1:2:3::4'), countingKey('2001:db8:1:2::ffff'));
  assert.notEqual(countingKey('2001:db8:1:2::1'), countingKey('2001:db8:1:3::1'));
});

test('addresses and networks', () => {
  const set = new AddressSet(['192.0.2.1', '198.51.100.0/24', '2001:db8::/32', '::1']);
  for (const ip of ['192.0.2.1', '198.51.100.255', '2001:db8:ffff::1', '::1', '::ffff:192.0.2.1']) {
    assert.equal(set.has(ip), true, ip);
  }
  for (const ip of ['192.0.2.2', '198.51.101.0', '2001:db9::1', '', 'x', '::2']) {
    assert.equal(set.has(ip), false, ip);
  }
  assert.equal(new AddressSet([]).has('192.0.2.1'), false);
  assert.throws(() => new AddressSet(['192.0.2.0/33']), /192\.0\.2\.0\/33/);
});
