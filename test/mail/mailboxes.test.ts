import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { mailboxes } from '../../src/mail/mailboxes.ts';

const BANK = 'a@bank.example';
const EVIL = 'b@evil.example';
const POTUS = Buffer.from('potus@whitehouse.example').toString('base64');

const CASES: readonly (readonly [value: string, found: readonly string[]])[] = [
  // As the standard has it.
  ['a@bank.example', [BANK]],
  ['<a@bank.example>', [BANK]],
  ['A. Banker <a@bank.example>', [BANK]],
  ['"Banker, A." <a@bank.example>', [BANK]],
  ['a@bank.example (A. Banker)', [BANK]],
  ['(a) a (b) @ (c) bank (d) . (e) example (f)', ['a@bank', BANK]],
  ['a@bank.example, Other <b@evil.example>', [BANK, EVIL]],
  ['<a@bank.example>, <b@evil.example>', [BANK, EVIL]],
  ['Both: a@bank.example, "B" <b@evil.example>;', [BANK, EVIL]],
  ['undisclosed-recipients:;', []],
  ['', []],
  ['<>', []],
  [',,,', []],
  ['"a b"@bank.example', ['"a b"@bank.example']],
  ['"a@x"@bank.example', ['"a@x"@bank.example']],
  ['"a\\"b"@bank.example', ['"a\\"b"@bank.example']],
  ['a."b c".d@bank.example', ['a."b c".d@bank.example']],
  ['a@[192.0.2.1]', ['a@[192.0.2.1]']],
  ['<a@[IPv6:2001:db8::1]>', ['a@[IPv6:2001:db8::1]']],
  ['A\r\n\t<a@bank.example>\r\n', [BANK]],
  ['a . b@bank.example', ['a.b@bank.example']],
  ['a@bank.example.', ['a@bank.example.']],
  ['b@b\xc3\xbccher.example', ['b@b\xc3\xbccher.example']],
  ['<@one.example,@two.example:a@bank.example>', [BANK]],
  ['a@bank.example, a@bank.example', [BANK]],
  // Names that are no address for anybody.
  ['"a@bank.example" <b@evil.example>', [EVIL]],
  ['"<a@bank.example>" <b@evil.example>', [EVIL]],
  ['(a@bank.example) b@evil.example', [EVIL]],
  ['b@evil.example (a@bank.example)', [EVIL]],
  ['(one (a@bank.example) \\) two) b@evil.example', [EVIL]],
  ['=?utf-8?q?a=40bank.example?= <b@evil.example>', [EVIL]],
  ['=?utf-8?q?a@bank.example?= <b@evil.example>', [EVIL]],
  ['A @ Bank <b@evil.example>', [EVIL]],
  ['A @Bank <b@evil.example>', [EVIL]],
  // Readers disagree: all of them.
  ['a@bank.example <b@evil.example>', [BANK, EVIL]],
  ['<b@evil.example> a@bank.example', [EVIL, BANK]],
  ['<a@bank.example> <b@evil.example>', [BANK, EVIL]],
  ['<a@bank.example><b@evil.example>', [BANK, EVIL]],
  ['<a@bank.example <b@evil.example>', [BANK, EVIL]],
  ['<a@bank.example', [BANK]],
  ['a@bank.example>', [BANK]],
  ['<a@bank.example, b@evil.example>', [BANK, EVIL]],
  ['a@bank.example: b@evil.example;', [BANK, EVIL]],
  ['a@bank.example; b@evil.example', [BANK, EVIL]],
  ['a@bank.example b@evil.example', [BANK, EVIL]],
  ['a@bank.example@evil.example', [BANK, 'bank.example@evil.example']],
  ['a\\@bank.example@evil.example', ['a\\@bank.example', 'bank.example@evil.example']],
  ['"a@bank.example <b@evil.example>', [BANK, EVIL]],
  ['(a@bank.example <b@evil.example>', [BANK, EVIL]],
  ['(a (a@bank.example) b@evil.example', [BANK, EVIL]],
  ['a@bank.example .evil.example', [BANK, 'a@bank.example.evil.example']],
  ['a@bank.example(x).evil.example', [BANK, 'a@bank.example.evil.example']],
  ['a@bank.example\0.evil.example', [BANK, 'a@bank.example.evil.example']],
  ['a@bank.example\r\n .evil.example', [BANK, 'a@bank.example.evil.example']],
  ['a@bank.example evil.example', [BANK]],
  ['a@"bank.example"', [BANK]],
  ['=?utf-8?q?Bank_<a@bank.example>?= <b@evil.example>', [BANK, EVIL]],
  // An address that only some readers dig out, where there is no other.
  ['"a@bank.example"', [BANK]],
  ['<"a@bank.example">', [BANK]],
  ['"a@bank.example", <b@evil.example>', [EVIL, BANK]],
  ['=?utf-8?q?a=40bank.example?=', [BANK]],
  ['=?utf-8?q?a@bank.example?=', [BANK]],
  ['"=?utf-8?q?a=40bank.example?="', [BANK]],
  ['=?utf-8?q?A_<a=40bank.example>?=', [BANK]],
  [
    `=?utf-8?b?${POTUS}?==?utf-8?q?=00?=@evil.example`,
    [
      `=?utf-8?b?${POTUS}?==?utf-8?q?=00?=@evil.example`,
      'potus@whitehouse.example',
      'whitehouse.example@evil.example',
    ],
  ],
  // Half an address.
  ['@bank.example', ['@bank.example']],
  ['<@bank.example>', ['@bank.example']],
  ['a@', []],
  ['a@, b@evil.example', [EVIL]],
  ['@', []],
  ['bank', []],
  ['mailto:a@bank.example', [BANK]],
];

test('the addresses of a From', () => {
  for (const [value, found] of CASES) assert.deepEqual(mailboxes(value), found, value);
});

test('so many and no more', () => {
  const value = Array.from({ length: 1000 }, (_, i) => `a${i}@bank.example`).join(', ');
  assert.equal(mailboxes(value).length, 100);
  assert.equal(mailboxes(value, 3).length, 3);
  assert.equal(mailboxes(value, Infinity).length, 1000);
});

const PIECES = fc.constantFrom(
  // Marks.
  '<',
  '>',
  '@',
  ',',
  ';',
  ':',
  '(',
  ')',
  '"',
  '\\',
  '.',
  ' ',
  '\r\n ',
  '\0',
  '[',
  ']',
  '=?',
  '?=',
  // Words.
  'a',
  'bank.example',
  '=?utf-8?q?a=40b?=',
  '\xfc',
  'a@bank.example',
  '"x"',
);
const VALUE = fc.array(PIECES, { maxLength: 40 }).map(pieces => pieces.join(''));

test('any value gives distinct addresses with a domain, and never an exception', () => {
  fc.assert(
    fc.property(fc.oneof(VALUE, fc.string({ unit: 'binary' })), value => {
      const found = mailboxes(value);
      assert.equal(new Set(found).size, found.length);
      for (const one of found) assert.match(one, /@[^@]+$/);
    }),
  );
});

test('an address in angle brackets is found, whatever stands before it in quotes, comments or words', () => {
  const name = fc
    .string({
      unit: fc.constantFrom('a', 'b', ' ', '@', '<', '>', ',', ';', ':', '.', '\xfc'),
      maxLength: 20,
    })
    .map(text => [`"${text}"`, `(${text})`, text.replaceAll(/[@<>,;:]/g, '')]);
  fc.assert(
    fc.property(name, names => {
      for (const one of names) assert.deepEqual(mailboxes(`${one} <a@bank.example>`), [BANK]);
    }),
  );
});

test('the last address is found behind any beginning that opens no quote, comment or word', () => {
  const open = /["(\\=]/;
  fc.assert(
    fc.property(
      VALUE.filter(value => !open.test(value)),
      before => {
        assert.ok(mailboxes(`${before}, <a@bank.example>`, Infinity).includes(BANK), before);
      },
    ),
  );
});

// One step a byte; a quadratic one would take minutes.
test('a value of 256 KiB that is made to be slow is read all the same', () => {
  for (const piece of [
    '(',
    '"',
    '"\\',
    '=?',
    '=?a?q?',
    '@',
    'a@',
    '<',
    '.',
    ' .',
    ' a',
    ',',
    '(")',
    '[',
    '=?a?q?x?=@',
  ])
    mailboxes(piece.repeat(Math.ceil(262_144 / piece.length)), Infinity);
});
