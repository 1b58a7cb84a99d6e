import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RE2JS, RE2JSException } from 're2js';
import { requiredTexts } from '../../src/control/required-text.ts';

test('texts that a match cannot do without', () => {
  const table: readonly (readonly [source: string, texts: readonly string[]])[] = [
    ['.*viagra.*', ['viagra']],
    ['.*a.bcd.*', ['bcd', 'a']],
    ['you.*have.*won', ['have', 'you', 'won']],
    ['x\\.example', ['x.example']],
    ['.*', []],
    ['', []],
    ['via[gG]ra', ['via', 'ra']],
    ['lottery-[0-9]+', ['lottery-']],
    ['a|b', []],
    ['x(a|b)y', ['x', 'y']],
    ['ab?c', ['a', 'c']],
    ['ab*', ['a']],
    ['ab+c', ['ab', 'c']],
    ['ab{0,3}c', ['a', 'c']],
    ['^abc$', ['abc']],
    ['a\\d+bc', ['bc', 'a']],
    ['[]a]x', ['x']],
    ['[^]|]x', ['x']],
    ['[[:alpha:]|]x', ['x']],
    ['([)]|\\))yy', ['yy']],
    ['(?:a)(?P<n>b)(?<m>c)dd', ['dd']],
    ['abc.*abc', ['abc']],
    ['(?i)abc', []],
    ['a(?i:b)c', []],
    ['\\x41bc', []],
    ['\\Qa.b\\E', []],
    ['\\pLbc', []],
    ['a{', []],
  ];
  for (const [source, texts] of table) assert.deepEqual(requiredTexts(source), texts, source);
});

test('property: what RE2 matches has every one of them', () => {
  const pieces = [
    'a',
    'b',
    'ab',
    '.',
    '.*',
    'a?',
    'b+',
    '(a|b)',
    '(?:ab)*',
    '[ab]',
    '[^a]',
    '[]b]',
    '\\.',
    '\\d',
    '\\x61',
  ].concat([
    '{2}',
    '{0,1}',
    '^',
    '$',
    '|',
    '(?i)',
    '(',
    ')',
    '[',
    ']',
    '?',
    '*?',
    '\\Q',
    '\\E',
    '\\b',
    '[[:alpha:]]',
  ]);
  const source = fc.array(fc.constantFrom(...pieces), { maxLength: 6 }).map(parts => parts.join(''));
  const subject = fc
    .array(fc.constantFrom('a', 'b', '.', '1', 'A'), { maxLength: 8 })
    .map(parts => parts.join(''));
  let matched = 0;
  fc.assert(
    fc.property(source, fc.array(subject, { minLength: 5, maxLength: 5 }), (expression, subjects) => {
      const texts = requiredTexts(expression);
      let compiled: RE2JS;
      try {
        compiled = RE2JS.compile(expression, RE2JS.DOTALL);
      } catch (error) {
        assert.ok(error instanceof RE2JSException);
        return;
      }
      for (const one of subjects) {
        if (!compiled.test(one)) continue;
        matched++;
        for (const text of texts) assert.ok(one.includes(text), `${expression} matches ${one}`);
      }
    }),
    { numRuns: 3000 },
  );
  assert.ok(matched > 1000, `${matched}`);
});
