import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { address, lowerAscii, unquotedLocal } from '../../src/model/address.ts';

test('split at the last @, domain in lower case', () => {
  for (const [text, local, domain] of [
    ['a@Example.COM', 'a', 'example.com'],
    ['a', 'a', ''],
    ['a@b@c', 'a@b', 'c'],
    ['"a@b"@c', '"a@b"', 'c'],
    ['a@', 'a', ''],
    ['@c', '', 'c'],
    ['', '', ''],
  ] as const) {
    assert.deepEqual(address(text), { text, local, domain });
  }
});

test('only A to Z become lower case', () => {
  assert.equal(lowerAscii('AbZ[\xc4'), 'abz[\xc4');
  fc.assert(
    fc.property(fc.string({ unit: 'binary-ascii' }), text => {
      assert.equal(lowerAscii(text), text.toLowerCase());
    }),
  );
});

test('SMTP quotes come off', () => {
  for (const [local, plain] of [
    ['a', 'a'],
    ['"a b"', 'a b'],
    ['"a\\"b\\\\"', 'a"b\\'],
    ['"', '"'],
    ['""', ''],
    ['a"b"', 'a"b"'],
    ['"a\\\n"', 'a\n'],
  ] as const) {
    assert.equal(unquotedLocal(local), plain);
  }
});
