import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { base64Bytes, tagList, trimmed, withoutSpace } from '../../src/auth/tag-list.ts';

const LISTS: readonly (readonly [text: string, tags: Readonly<Record<string, string>> | null])[] = [
  ['v=1', { v: '1' }],
  ['v=1;', { v: '1' }],
  ['v=1; \r\n', { v: '1' }],
  [' v = 1 ;\r\n\ta=rsa ;b= x y\t', { v: '1', a: 'rsa', b: 'x y' }],
  ['b=ab\r\n\tcd=', { b: 'ab\r\n\tcd=' }],
  ['n=', { n: '' }],
  ['n=a=b==', { n: 'a=b==' }],
  ['V=1; v=2', { V: '1', v: '2' }],
  ['x_1=y', { x_1: 'y' }],
  // "voilà" in UTF-8 ends with 0xA0, which JavaScript calls a blank.
  ['s=voil\xc3\xa0; d=\xa0x', { s: 'voil\xc3\xa0', d: '\xa0x' }],
  ['s=\x85', { s: '\x85' }],
  ['', null],
  [';', null],
  [' ', null],
  ['v', null],
  ['v=1;;', null],
  ['v=1;;a=2', null],
  [';v=1', null],
  ['v=1; v=1', null],
  ['=1', null],
  ['1v=1', null],
  ['_v=1', null],
  ['v-w=1', null],
  ['v w=1', null],
  ['\xa0v=1', null],
  ['v=a\0b', null],
  ['v=\x7f', null],
  ['v=a\x0bb', null],
  ['v=1\x0c', null],
  ['v=a\rb', null],
  ['v=a\r\nb', null],
  ['v=a\nb', null],
];

for (const [text, tags] of LISTS) {
  test(`the tag list ${JSON.stringify(text)}`, () => {
    const found = tagList(text);
    assert.deepEqual(found && Object.fromEntries(found), tags);
  });
}

test('a list has at most 100 tags', () => {
  const list = (n: number) => Array.from({ length: n }, (_, i) => `t${i}=${i}`).join(';');
  assert.equal(tagList(list(100))?.size, 100);
  assert.equal(tagList(`${list(100)};`)?.size, 100);
  assert.equal(tagList(list(101)), null);
  assert.equal(tagList(`${list(101)};`), null);
});

const BASE64: readonly (readonly [text: string, hex: string | null])[] = [
  ['QUJD', '414243'],
  ['QUI=', '4142'],
  ['QQ==', '41'],
  ['QQ', '41'],
  ['QUI', '4142'],
  ['Q U\r\n\tJ D', '414243'],
  ['', null],
  [' \r\n ', null],
  ['Q', null],
  ['QUJDQ', null],
  ['Q===', null],
  ['QQ==QQ==', null],
  ['QU-_', null],
  ['QU\xa0I', null],
  ['=', null],
];

for (const [text, hex] of BASE64) {
  test(`base64 ${JSON.stringify(text)}`, () => {
    assert.equal(base64Bytes(text)?.toString('hex') ?? null, hex);
  });
}

test('any bytes are a list or none, and what is a list is the same again', () => {
  const piece = fc.oneof(
    fc.constantFrom(';', '=', ' ', '\r\n ', '\r\n', 'v', 'b', 'bh', '1', '\0', '\xa0', '\t'),
    fc.string({ maxLength: 5, unit: fc.integer({ min: 0, max: 255 }).map(n => String.fromCharCode(n)) }),
  );
  const text = fc.array(piece, { maxLength: 30 }).map(pieces => pieces.join(''));
  const property = fc.property(text, list => {
    const tags = tagList(list);
    if (tags === null) return;
    const again = [...tags].map(([name, value]) => `${name}=${value}`).join(';');
    assert.deepEqual(tagList(again), tags);
    assert.deepEqual(tagList(` ${again.replaceAll(';', ' ;\r\n\t')} ; `), tags);
  });
  fc.assert(property, { numRuns: 2000 });
});

test('text without white space, and without that around it', () => {
  assert.equal(withoutSpace(' a b\t\r\n\tc '), 'abc');
  assert.equal(withoutSpace('\xa0a\x0b'), '\xa0a\x0b');
  assert.equal(trimmed('\r\n\t a b \xa0\r\n'), 'a b \xa0');
  assert.equal(trimmed(' \t'), '');
});

test('hostile lists are read in a moment', () => {
  const hostile = [
    ';'.repeat(100_000),
    'a=b;'.repeat(100_000),
    `a=${' '.repeat(300_000)}b`,
    `a=${'\r\n '.repeat(100_000)}`,
    `${' '.repeat(300_000)}=`,
    'a'.repeat(300_000),
    `p=${'='.repeat(300_000)}`,
    `p=${'A '.repeat(150_000)}!`,
  ];
  const before = process.cpuUsage();
  for (const text of hostile) {
    const tags = tagList(text);
    for (const value of tags?.values() ?? []) base64Bytes(value);
  }
  // What is quadratic takes minutes.
  assert.ok(process.cpuUsage(before).user < 3_000_000);
});
