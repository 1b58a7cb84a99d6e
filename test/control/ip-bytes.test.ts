import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import ipaddr from 'ipaddr.js';
import { ipBytes, ipText } from '../../src/control/ip-bytes.ts';

test('addresses in any form come out in one', () => {
  const table: readonly [string, string | null][] = [
    ['1.2.3.4', '1.2.3.4'],
    ['::ffff:1.2.3.4', '1.2.3.4'],
    ['::FFFF:102:304', '1.2.3.4'],
    ['0:0:0:0:0:0:0:1', '::1'],
    ['::', '::'],
    ['2001:0DB8:0000:0000:0001:0000:0000:0001', '2001:db8::1:0:0:1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['fe80::1%eth0', 'fe80::1'],
    ['1::', '1::'],
    ['64:ff9b::192.0.2.1', '64:ff9b::c000:201'],
    ['1.2.3', null],
    ['01.2.3.4', null],
    ['300.2.3.4', null],
    ['1:2', null],
    ['', null],
  ];
  for (const [ip, text] of table) {
    const bytes = ipBytes(ip);
    assert.equal(bytes === null ? null : ipText(bytes), text, ip);
  }
});

test('property: agrees with ipaddr.js on every IPv6 address', () => {
  const group = fc.oneof(fc.constant(0), fc.nat({ max: 0xffff }));
  fc.assert(
    fc.property(fc.tuple(group, group, group, group, group, group, group, group), groups => {
      const address = new ipaddr.IPv6(groups);
      if (address.isIPv4MappedAddress()) return;
      for (const form of [
        address.toString(),
        address.toNormalizedString(),
        address.toString().toUpperCase(),
      ]) {
        const bytes = ipBytes(form);
        assert.deepEqual(bytes, address.toByteArray());
        assert.equal(ipText(bytes), address.toRFC5952String());
      }
    }),
  );
});
