import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Complaints } from '../../src/control/complaints.ts';
import { addLinePatterns, parseLinePatternFile, parseLinePatterns } from '../../src/control/line-patterns.ts';

function value(text: string) {
  const parsed = parseLinePatterns(text);
  if (!('value' in parsed)) assert.fail(parsed.wanted);
  return parsed;
}

test('numbered from 0; one that cannot be used keeps its number', () => {
  const { value: list, warnings } = value('viagra:(?=x)a:^subject.*free');
  assert.deepEqual(
    list.map(one => [one.number, one.source, one.pattern?.matches('subject\\x3a free viagra') ?? null]),
    [
      [0, 'viagra', true],
      [1, '(?=x)a', null],
      [2, '^subject.*free', true],
    ],
  );
  assert.equal(warnings?.length, 1);
  assert.match(warnings[0] ?? '', /^the expression \(\?=x\)a matches nothing: look-around/);
});

test('one list behind the other', () => {
  const both = addLinePatterns(value('a:b').value, value('c').value);
  assert.deepEqual(
    both.map(one => [one.number, one.source]),
    [
      [0, 'a'],
      [1, 'b'],
      [2, 'c'],
    ],
  );
});

test('a file of its own, one a line', () => {
  const complaints = new Complaints();
  const list = parseLinePatternFile('# comment\nfree: money\n[a\n', 'regex', complaints);
  assert.deepEqual(
    list.map(one => one.source),
    ['free: money', '[a'],
  );
  assert.deepEqual(
    complaints.list.map(c => `${c.severity} ${c.line}: ${c.text}`),
    ['warning 3: the expression [a matches nothing: missing closing ]: `[a`'],
  );
});
