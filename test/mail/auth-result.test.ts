import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { authResult } from '../../src/mail/auth-result.ts';

const VALUES: readonly (readonly [value: string, written: string])[] = [
  ['example.com', 'example.com'],
  ['@example.com', '@example.com'],
  ['jane+x@mail.example.com', 'jane+x@mail.example.com'],
  ['rsa-sha256', 'rsa-sha256'],
  ["!#$%&'*+-_`{|}~.", "!#$%&'*+-_`{|}~."],
  ['QUJD/w==', '"QUJD/w=="'],
  ['QUJDREVG', 'QUJDREVG'],
  ['QUJD+EVG', 'QUJD+EVG'],
  ['a b', '"a b"'],
  ['a;b', '"a;b"'],
  ['a"b', '"a\\"b"'],
  ['a\\', '"a\\\\"'],
  ['a=b', '"a=b"'],
  ['a(b)', '"a(b)"'],
  ['<a@b>', '"<a@b>"'],
  ['a@b@c', '"a@b@c"'],
  ['@', '"@"'],
  ['a@', '"a@"'],
  ['192.0.2.1', '192.0.2.1'],
  ['2001:db8::1', '"2001:db8::1"'],
  ['a\r\nX-Spam: no', '"a??X-Spam: no"'],
  ['a\0', '"a?"'],
  ['\xe4.example', '"?.example"'],
  [' ', '" "'],
];

for (const [value, written] of VALUES) {
  test(`the value ${JSON.stringify(value)}`, () => {
    assert.equal(authResult('dkim', 'pass', [['header.d', value]]), `dkim=pass header.d=${written}`);
  });
}

test('properties without a value are left out, and the comment stands first', () => {
  const properties = [
    ['header.d', 'example.com'],
    ['header.i', ''],
    ['header.s', 's'],
  ] as const;
  assert.equal(
    authResult('dkim', 'fail', properties, 'the body was changed'),
    'dkim=fail (the body was changed) header.d=example.com header.s=s',
  );
  assert.equal(authResult('arc', 'none', []), 'arc=none');
});

const COMMENTS: readonly (readonly [comment: string, written: string])[] = [
  ['a (b) \\c', 'a ?b? ?c'],
  ['v=a\r\n\tb is not 1', 'v=a???b is not 1'],
  ['\xe4\0', '??'],
  ['a; dkim=pass header.d="x"', 'a? dkim=pass header.d=?x?'],
  ['x'.repeat(500), 'x'.repeat(120)],
];

for (const [comment, written] of COMMENTS) {
  test(`the comment ${JSON.stringify(comment.slice(0, 40))}`, () => {
    assert.equal(authResult('dkim', 'fail', [], comment), `dkim=fail (${written})`);
  });
}

test('a value has 255 characters at most', () => {
  assert.equal(authResult('a', 'b', [['c', 'x'.repeat(1000)]]), `a=b c=${'x'.repeat(255)}`);
});

/** The names of the properties, by the grammar of RFC 8601 2.2; null when the text is no result. */
function propertiesOf(text: string): string[] | null {
  const value = /"(?:[^"\\]|\\["\\])*"|[A-Za-z0-9!#$%&'*+\-^_`{|}~.@]+/.source;
  const comment = /\([\x20-\x27\x2a-\x5b\x5d-\x7e]*\)/.source;
  if (!new RegExp(`^dkim=fail(?: ${comment})?(?: [a-z.]+=(?:${value}))*$`).test(text)) return null;
  const bare = text.replace(/"(?:[^"\\]|\\.)*"/g, 'x').replace(/\([^)]*\)/, '');
  return [...bare.matchAll(/ ([a-z.]+)=/g)].map(([, name = '']) => name);
}

test('whatever stands in a value or a comment stays there', () => {
  const unit = fc.oneof(
    fc.constantFrom(...'";()\\<>@=, \r\n\t\0\xff/:.a'.split('')),
    fc.integer({ min: 0, max: 255 }).map(n => String.fromCharCode(n)),
  );
  const text = fc.string({ unit, maxLength: 40 });
  const property = fc.property(text, text, text, (d, s, comment) => {
    const properties = [
      ['header.d', d],
      ['header.s', s],
    ] as const;
    const result = authResult('dkim', 'fail', properties, comment);
    const expected = properties.filter(([, value]) => value !== '').map(([name]) => name);
    assert.deepEqual(propertiesOf(result), expected, result);
    assert.match(result, /^[\x20-\x7e]*$/);
  });
  fc.assert(property, { numRuns: 2000 });
});
