import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { PerlPattern } from '../../src/control/perl-pattern.ts';
import { perlPattern } from '../../src/control/perl-pattern.ts';

function pattern(source: string, whole = true): PerlPattern {
  const made = perlPattern(source, whole);
  if (typeof made === 'string') assert.fail(`${source}: ${made}`);
  return made;
}

test('whole: anchored at both ends, case-sensitive, a dot is any character', () => {
  const table: readonly [source: string, subject: string, matches: boolean][] = [
    ['viagra', 'viagra', true],
    ['viagra', 'buy viagra', false],
    ['viagra', 'viagra now', false],
    ['.*viagra.*', 'buy viagra now', true],
    ['.*viagra.*', 'buy VIAGRA now', false],
    ['(?i).*viagra.*', 'buy VIAGRA now', true],
    ['127.0.0.5', '127.0.0.5', true],
    ['127.0.0.5', '127a0b0c5', true],
    ['127\\.0\\.0\\.5', '127a0b0c5', false],
    ['127.0.0.5', '127.0.0.55', false],
    ['.*duma.gov.ru', 'x@duma.gov.ru', true],
    ['.*duma.gov.ru', 'x@duma.gov.ru.example', false],
    ['a|b', 'b', true],
    ['a|b', 'ab', false],
    ['.*', '', true],
    ['.*', 'a\rb\nc\0', true],
    ['.', '', false],
    ['[Vv]iagra\\d{2}', 'Viagra10', true],
    ['\\w+\\s\\S', 'ab c', true],
    ['a\\@b\\-c\\/d', 'a@b-c/d', true],
    ['^anchored$', 'anchored', true],
    ['', '', true],
    ['', 'a', false],
  ];
  for (const [source, subject, matches] of table)
    assert.equal(pattern(source).matches(subject), matches, source);
});

test('not whole: anywhere in the subject', () => {
  assert.equal(pattern('iag', false).matches('viagra'), true);
  assert.equal(pattern('^iag', false).matches('viagra'), false);
  assert.equal(pattern('ra$', false).matches('viagra'), true);
});

test('what RE2 cannot do is named', () => {
  const table: readonly [string, RegExp][] = [
    ['a(?=b)', /look-around/],
    ['a(?!b)', /look-around/],
    ['(?<=a)b', /look-around/],
    ['(?<!a)b', /look-around/],
    ['(a)\\1', /backreference/],
    ['(?<n>a)\\k<n>', /backreference/],
    ['(?>a)', /atomic group/],
    ['a++b', /possessive/],
    ['a(?R)?b', /recursion/],
    ['(?(1)a|b)', /condition/],
    ['(?{print})', /code/],
    ['(?#x)a', /comment/],
    ['(?x)a b', /flag x/],
    ['a\\Z', /\\Z/],
    ['\\Ka', /\\K/],
    ['[a', /missing closing \]/],
    ['(a', /missing closing \)/],
    ['a{1001}', /repeat count/],
    ['*.exe', /missing argument to repetition operator/],
    ['a'.repeat(5000), /longer than 4096 bytes/],
  ];
  for (const [source, wanted] of table) {
    const made = perlPattern(source, true);
    assert.ok(typeof made === 'string', source);
    assert.match(made, wanted);
  }
});

test('an expression that would take a backtracking engine years takes no time', () => {
  assert.equal(pattern('(a+)+b').matches('a'.repeat(8192)), false);
});

test('property: simple expressions need no look by RE2, and mean what they mean there', () => {
  const piece = fc.constantFrom('a', 'b', '.', '.*', '\\.', '\\-', '@', ' ', '\xe9', '{', '[a]', '(', 'a|b');
  const source = fc.array(piece, { maxLength: 6 }).map(pieces => pieces.join(''));
  const subject = fc.array(fc.constantFrom('a', 'b', '.', '-', '@', ' ', '\xe9'), { maxLength: 8 });
  fc.assert(
    fc.property(source, subject, (text, letters) => {
      const made = perlPattern(text, true);
      if (typeof made === 'string') return;
      const native = new RegExp(`^(?:${text.replaceAll('\\-', '-')})$`, 's');
      assert.equal(made.matches(letters.join('')), native.test(letters.join('')), text);
    }),
    { numRuns: 500 },
  );
});
