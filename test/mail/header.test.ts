import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { countFields, fieldValue, firstField, headerFields } from '../../src/mail/header.ts';

const parse = (text: string, maxFields = 100) => headerFields(Buffer.from(text, 'latin1'), maxFields);

const shown = (text: string) => {
  const header = parse(text);
  return header.fields.map(field => [field.name, fieldValue(header, field)]);
};

const CASES: readonly [name: string, text: string, fields: readonly (readonly [string, string])[]][] = [
  [
    'ordinary fields',
    'From: a\r\nTo: b\r\n',
    [
      ['from', 'a'],
      ['to', 'b'],
    ],
  ],
  [
    'folded with blank and TAB',
    'Subject: a\r\n b\r\n\tc\r\nTo: d\r\n',
    [
      ['subject', 'a b\tc'],
      ['to', 'd'],
    ],
  ],
  ['no blank after the colon', 'From:a\r\n', [['from', 'a']]],
  [
    'an empty value',
    'Subject:\r\nTo: a\r\n',
    [
      ['subject', ''],
      ['to', 'a'],
    ],
  ],
  ['a value that begins on the next line', 'Subject:\r\n a\r\n', [['subject', 'a']]],
  ['blanks before the colon (RFC 5322 4.5)', 'From \t: a\r\n', [['from', 'a']]],
  [
    'a line without colon',
    'From: a\r\nno field\r\nTo: b\r\n',
    [
      ['from', 'a'],
      ['', 'no field'],
      ['to', 'b'],
    ],
  ],
  ['a colon only in the folded part', 'no field\r\n with: colon\r\n', [['', 'no field with: colon']]],
  ['a blank in the name', 'From me: a\r\n', [['', 'a']]],
  ['an mbox line', '>From a Mon: 1\r\n', [['', '1']]],
  [
    '8-bit and control characters in the name',
    'Fr\xf6m: a\r\nFr\x01m: b\r\n',
    [
      ['', 'a'],
      ['', 'b'],
    ],
  ],
  ['no name', ': a\r\n', [['', 'a']]],
  [
    'the first line is a continuation of nothing',
    ' a: b\r\nTo: c\r\n',
    [
      ['', 'b'],
      ['to', 'c'],
    ],
  ],
  ['a bare CR is part of the value', 'Subject: a\rTo: b\r\n', [['subject', 'a\rTo: b']]],
  ['a bare CR before the colon', 'Sub\rject: a\r\n', [['', 'Sub\rject: a']]],
  [
    'a bare LF ends a field, as the next reader may see it',
    'Subject: a\nTo: b\r\n',
    [
      ['subject', 'a'],
      ['to', 'b'],
    ],
  ],
  ['no final CRLF', 'From: a', [['from', 'a']]],
  ['no fields', '', []],
];

for (const [name, text, fields] of CASES) test(name, () => assert.deepEqual(shown(text), fields));

test('names are compared without case, values keep theirs', () => {
  const header = parse('FROM: A\r\nfrom: B\r\n');
  assert.equal(countFields(header, 'from'), 2);
  assert.equal(countFields(header, 'to'), 0);
  const first = firstField(header, 'from');
  assert.equal(first && fieldValue(header, first), 'A');
  assert.equal(firstField(header, 'to'), null);
});

test('no more fields than the limit, and it says so', () => {
  const text = 'A: 1\r\n'.repeat(10);
  assert.deepEqual([parse(text, 10).fields.length, parse(text, 10).cut], [10, false]);
  assert.deepEqual([parse(text, 9).fields.length, parse(text, 9).cut], [9, true]);
});

test('a value is cut at its limit', () => {
  const header = parse(`Subject: ${'x'.repeat(2000)}\r\n`);
  const [field] = header.fields;
  assert.ok(field);
  assert.equal(fieldValue(header, field).length, 997);
  assert.equal(fieldValue(header, field, 11), 'x'.repeat(10));
});

test('asked again for the same block, it looks only once', () => {
  const block = Buffer.from('From: a\r\n');
  assert.equal(headerFields(block, 10), headerFields(block, 10));
});

test('any bytes: never throws, and the fields follow each other without a gap', () => {
  const bytes = fc
    .array(fc.oneof(fc.constantFrom('\r\n', ' ', '\t', ':', 'From', '\n', '\r'), fc.string({ maxLength: 3 })))
    .map(parts => Buffer.from(parts.join(''), 'latin1'));
  fc.assert(
    fc.property(bytes, block => {
      let end = 0;
      for (const field of headerFields(block, 1000).fields) {
        assert.equal(field.start, end);
        assert.ok(field.valueStart >= field.start && field.valueStart <= field.end);
        assert.ok(field.end > field.start);
        ({ end } = field);
      }
      assert.equal(end, block.length);
    }),
  );
});
