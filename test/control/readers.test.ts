import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { Complaints } from '../../src/control/complaints.ts';
import { environmentInt, firstLine, leadingInt, listEntries } from '../../src/control/readers.ts';

function read<T>(parse: (text: string, file: string, complaints: Complaints) => T, text: string) {
  const complaints = new Complaints();
  return {
    value: parse(text, 'f', complaints),
    said: complaints.list.map(c => `${c.line} ${c.severity} ${c.text}`),
  };
}

test('firstLine: the first line without trailing blanks', () => {
  const table: readonly [string, string, RegExp | null][] = [
    ['mx.example.com\n', 'mx.example.com', null],
    ['mx.example.com', 'mx.example.com', null],
    ['one \t \ntwo\n', 'one', null],
    ['', '', null],
    ['\nsecond\n', '', null],
    ['two words\n', 'two words', null],
    [' led\n', ' led', /begins with a blank/],
    ['# note\n', '# note', /begins with #/],
    ['crlf\r\n', 'crlf\r', /carriage return/],
  ];
  for (const [text, value, warning] of table) {
    const result = read(firstLine, text);
    assert.equal(result.value, value, JSON.stringify(text));
    if (warning === null) assert.deepEqual(result.said, []);
    else assert.match(result.said.join(), warning);
  }
});

test('leadingInt: leading digits, or the file is ignored', () => {
  const table: readonly [string, number | null, RegExp | null][] = [
    ['5000\n', 5000, null],
    ['5000 \n', 5000, null],
    ['007', 7, null],
    ['5000 bytes\n', 5000, /"5000 bytes" counts as 5000/],
    ['5000\r\n', 5000, /counts as 5000/],
    ['-1\n', null, /ignored/],
    ['abc\n', null, /ignored/],
    [' 5\n', null, /ignored/],
    ['# five\n5\n', null, /ignored/],
    ['', null, /ignored/],
    ['99999999999999999999999', Number.MAX_SAFE_INTEGER, null],
  ];
  for (const [text, value, warning] of table) {
    const result = read(leadingInt, text);
    assert.equal(result.value, value, JSON.stringify(text));
    if (warning === null) assert.deepEqual(result.said, []);
    else assert.match(result.said.join(), warning);
  }
});

test('environmentInt: what does not begin with a digit is 0', () => {
  const table: readonly [string, number][] = [
    ['10', 10],
    ['', 0],
    ['abc', 0],
    ['-1', 0],
    ['12ab', 12],
    [' 5', 0],
  ];
  for (const [text, value] of table) assert.equal(environmentInt(text), value, text);
});

test('listEntries: comments, blanks and line numbers', () => {
  const { value, said } = read(listEntries, '# note\na.example \t\n\n \t\nb#c\n lead\nlast');
  assert.deepEqual(value, [
    { text: 'a.example', line: 2 },
    { text: 'b#c', line: 5 },
    { text: ' lead', line: 6 },
    { text: 'last', line: 7 },
  ]);
  assert.deepEqual(said, [
    '6 warning the line begins with a blank, which is part of the entry, so that it never matches',
  ]);
});

test('listEntries: a CRLF file is warned of once, and its CRs stay', () => {
  const { value, said } = read(listEntries, '# note\r\na\r\nb\r\n');
  assert.deepEqual(
    value.map(entry => entry.text),
    ['a\r', 'b\r'],
  );
  assert.equal(said.length, 1);
  assert.match(said[0] ?? '', /^2 warning .*carriage return.*1 more/);
});

test('property: readers never throw, and entries are the lines they name', () => {
  const text = fc.string({
    unit: fc.constantFrom('a', '#', ' ', '\t', '\r', '\n', '\0', '\xe9', '1'),
    maxLength: 60,
  });
  fc.assert(
    fc.property(text, content => {
      read(firstLine, content);
      read(leadingInt, content);
      const all = content.split('\n');
      for (const entry of read(listEntries, content).value) {
        assert.equal(entry.text, all[entry.line - 1]?.replace(/[ \t]+$/, ''));
      }
    }),
  );
});

test('100,000 lines', () => {
  const text = Array.from({ length: 100_000 }, (_, i) => `host${i}.example\n`).join('');
  const { value } = read(listEntries, text);
  assert.equal(value.length, 100_000);
  assert.deepEqual(value.at(-1), { text: 'host99999.example', line: 100_000 });
});
