import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { RE2JS } from 're2js';
import { foldCase, translateEre } from '../../src/control/ere.ts';
import { EreError } from '../../src/control/ere-nodes.ts';

function matches(pattern: string, subject: string): boolean {
  return RE2JS.compile(translateEre(pattern).source, RE2JS.DOTALL).test(foldCase(subject));
}

test('matches as regcomp(3) of glibc does', () => {
  const table: readonly [pattern: string, yes: readonly string[], no: readonly string[]][] = [
    ['spam', ['SPAM', 'xspamy'], ['spa m']],
    ['@spam.com', ['x@spam.community', 'x@spamxcom'], ['@spamcom']],
    ['^a$', ['a', 'A'], ['ab', 'a\n', '\na']],
    ['a.b', ['a\nb', 'a\xffb'], ['ab']],
    ['a||b', ['x', ''], []],
    ['(|a)b', ['b'], ['a']],
    ['()', [''], []],
    ['^a**$', ['', 'aaa'], ['b']],
    ['^(a+)?$', ['', 'aa'], ['b']],
    ['^a{2}$', ['aa'], ['a', 'aaa']],
    ['^a{,2}$', ['', 'aa'], ['aaa']],
    ['^a{2,}$', ['aa', 'aaaa'], ['a']],
    ['^a{2}{2}$', ['aaaa'], ['aa']],
    ['a{0}b', ['b'], ['a']],
    ['a)', ['a)'], ['a']],
    ['a]}', ['a]}'], ['a']],
    ['[]a]', [']', 'A'], ['b']],
    ['^[^]a]$', ['b', '\n', '\xe9'], [']', 'a', 'A']],
    ['[a\\]', ['\\', 'a'], [']']],
    ['[a\\]]', ['\\]', 'a]'], ['a', ']']],
    ['^[a-]$', ['-', 'a'], ['b']],
    ['^[%--]$', ['-', '%', '+'], ['.']],
    ['^[[:alpha:]_]+$', ['aZ_'], ['a1', '\xe9']],
    ['^[[:upper:]]+$', ['aZ'], ['1']],
    ['[^[:lower:]]', ['1'], ['A', 'a']],
    ['[[:digit:][:space:]]', ['4', '\t'], ['x']],
    ['^[[=a=][.-.]]$', ['a', '-'], ['=', '.']],
    ['^[[.a.]-c]$', ['b'], ['d']],
    ['[A-_]', ['b', '^'], ['1']],
    ['\\.', ['.'], ['x']],
    ['\\{\\|\\(', ['{|('], ['x']],
    ['\\<spam\\>', ['a spam b', 'x@spam.example'], ['spammer', 'xspam']],
    ['\\<(foo|ba[rz])\\>', ['a.foo', 'bar'], ['foox']],
    ['\\bx\\B', ['xy'], ['x', 'yx']],
    ['^\\w+\\W\\s$', ['ab. '], ['ab  c']],
    ["\\`a\\'", ['a'], ['ab']],
    ['(^)*a', ['ba'], []],
    ['a$b', [], ['a$b', 'ab']],
    ['a^b', [], ['a^b', 'ab']],
    ['\xe9', ['\xe9'], ['\xc9']],
    ['[\xe0-\xef]', ['\xe9'], ['\xc9']],
    ['\xb5', ['\xb5'], ['\xff', 'u']],
    ['k', ['K'], ['\xe2']],
    ['x*?', [''], []],
  ];
  for (const [pattern, yes, no] of table) {
    for (const subject of yes)
      assert.ok(matches(pattern, subject), `${pattern} should match ${JSON.stringify(subject)}`);
    for (const subject of no)
      assert.ok(!matches(pattern, subject), `${pattern} should not match ${JSON.stringify(subject)}`);
  }
});

test('what does not compile, and why', () => {
  const table: readonly [string, RegExp][] = [
    ['*a', /nothing in front of \*/],
    ['a|*b', /nothing in front of \*/],
    ['(+a)', /nothing in front of \+/],
    ['^*', /nothing in front of \*/],
    ['{1}', /nothing in front of \{/],
    ['(?i)a', /nothing in front of \?/],
    ['a{', /begins no count/],
    ['a{x}', /begins no count/],
    ['a{1', /begins no count/],
    ['a{}', /begins no count/],
    ['a{2,1}', /a*\{2,1\}: the second count is smaller/],
    ['a{1001}', /counts above 1000/],
    ['(a', /a \( without its \)/],
    ['[a', /a \[ without its \]/],
    ['[]', /a \[ without its \]/],
    ['[[:alpha:', /a \[ without its \]/],
    ['[[:foo:]]', /\[:foo:\] is no character class/],
    ['[[:ALPHA:]]', /\[:ALPHA:\] is no character class/],
    ['[[.space.]]', /no single character/],
    ['[b-a]', /range b-a in \[…\] runs backwards/],
    ['[_-a]', /runs backwards \(letters count as capitals here\)/],
    ['[a-c-e]', /belongs to no range/],
    ['[a-[:digit:]]', /ends in a class/],
    ['a\\', /a \\ at the end/],
    ['(a)\\1', /back-references \(\\1\) are not available/],
    ['\\d+', /\\d means nothing in a POSIX expression; wanted \[0-9\]/],
    ['\\n', /\\n means nothing/],
    ['\\<@', /\\< is available only directly before/],
    ['a*\\>', /\\> is available only directly after/],
    ['(\\<|x)a', /\\< is available only/],
    [`${'('.repeat(200)}${')'.repeat(200)}`, /nested more than 100 deep/],
    [`a${'*'.repeat(50)}`, /more than 20 repetitions/],
  ];
  for (const [pattern, why] of table)
    assert.throws(() => translateEre(pattern), { name: 'EreError', message: why }, pattern);
});

test('plain text is recognised, with its anchors', () => {
  const table: readonly [string, ReturnType<typeof translateEre>['literal']][] = [
    ['^user@host\\.example$', { text: 'USER@HOST.EXAMPLE', start: true, end: true }],
    ['@host\\.example$', { text: '@HOST.EXAMPLE', start: false, end: true }],
    ['^a', { text: 'A', start: true, end: false }],
    ['a-b', { text: 'A-B', start: false, end: false }],
    ['a]}\xe9', { text: 'A]}\xe9', start: false, end: false }],
    ['', { text: '', start: false, end: false }],
    ['host.example', null],
    ['a$b', null],
    ['\\<a', null],
  ];
  for (const [pattern, literal] of table) assert.deepEqual(translateEre(pattern).literal, literal, pattern);
});

const piece = fc.constantFrom(
  'a',
  'b',
  'A',
  '_',
  '-',
  '.',
  '@',
  '[ab]',
  '[^a]',
  '[]a]',
  '[[:alpha:]]',
  '[a\\]',
  '\\.',
  '\\w',
  '\\b',
  '\\<',
  '\\>',
  '^',
  '$',
  '(',
  ')',
  '|',
  '*',
  '+',
  '?',
  '{2}',
  '{0,1}',
  '{,2}',
  '{',
  '}',
  ']',
  '[',
  '\\',
  '\xe9',
  '\n',
);
const pattern = fc.array(piece, { maxLength: 10 }).map(pieces => pieces.join(''));
const subject = fc.string({
  unit: fc.constantFrom('a', 'b', 'A', '_', '-', '.', '@', '\xe9', '\n', ' '),
  maxLength: 12,
});

test('property: every expression compiles in RE2 or is an EreError; literal and required text tell the truth', () => {
  fc.assert(
    fc.property(pattern, subject, (text, who) => {
      const ere = translated(text);
      if (ere === null) return;
      const folded = foldCase(who);
      const hit = RE2JS.compile(ere.source, RE2JS.DOTALL).test(folded);
      if (hit) assert.ok(folded.includes(ere.required));
      if (ere.literal === null) return;
      const { text: literal, start, end } = ere.literal;
      const wanted =
        start && end
          ? folded === literal
          : start
            ? folded.startsWith(literal)
            : end
              ? folded.endsWith(literal)
              : folded.includes(literal);
      assert.equal(hit, wanted);
    }),
    { numRuns: 2000 },
  );
});

test('property: escaped text matches itself', () => {
  fc.assert(
    fc.property(subject, who => {
      const escaped = who.replace(/[\\^$.*+?()[{|]/g, '\\$&');
      assert.ok(matches(`^${escaped}$`, who));
      assert.ok(matches(`^(${escaped})$`, who));
    }),
  );
});

function translated(text: string) {
  try {
    return translateEre(text);
  } catch (error) {
    assert.ok(error instanceof EreError, String(error));
    return null;
  }
}
