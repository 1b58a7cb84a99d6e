import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseParameterised } from '../../../src/mail/mime/parameters.ts';

/** `name=value` of every reading; `(…)` when it stands in a comment, `'charset'` in front of extended values. */
function shown(field: string): readonly string[] {
  return parseParameterised(field).parameters.map(it => {
    const text = `${it.name}=${it.extended ? `'${it.charset ?? ''}'` : ''}${it.value}`;
    return it.inComment ? `(${text})` : text;
  });
}

const CASES: readonly [name: string, field: string, value: string, parameters: readonly string[]][] = [
  ['a type alone', 'text/plain', 'text/plain', []],
  ['nothing', '', '', []],
  ['upper case', 'Text/HTML; Charset=UTF-8', 'text/html', ['charset=UTF-8']],
  ['blanks round the slash', 'Multipart / Mixed; boundary=b', 'multipart/mixed', ['boundary=b']],
  ['blanks round the equals sign', 'a/b; name = "x" ; n\t=\ty', 'a/b', ['name=x', 'n=y']],
  ['a comment before the type', '(c) text/plain; a=b', 'text/plain', ['a=b']],
  ['quoted', 'attachment; filename="e.exe"', 'attachment', ['filename=e.exe']],
  ['a semicolon in quotes', 'attachment; filename="a;b.exe"; x=y', 'attachment', ['filename=a;b.exe', 'x=y']],
  ['nothing in quotes', 'a/b; boundary=""', 'a/b', ['boundary=']],
  ['no value', 'a/b; boundary=; x=y', 'a/b', ['boundary=', 'x=y']],
  [
    'backslashes, read and literal',
    'attachment; filename="a\\\\b"',
    'attachment',
    ['filename=a\\b', 'filename=a\\\\b'],
  ],
  [
    'a Windows path, unescaped',
    'attachment; filename="C:\\temp\\a.exe"',
    'attachment',
    ['filename=C:tempa.exe', 'filename=C:\\temp\\a.exe'],
  ],
  [
    'an escaped quote, read, literal and as the end',
    'attachment; filename="a\\".exe"',
    'attachment',
    ['filename=a".exe', 'filename=a\\".exe', 'filename=a\\'],
  ],
  [
    'unquoted with blanks: whole, or up to the blank',
    'text/plain; name=This is a test.txt',
    'text/plain',
    ['name=This is a test.txt', 'name=This'],
  ],
  ['no semicolon before', 'attachment filename=e.exe', 'attachment', ['filename=e.exe']],
  [
    'no semicolon between',
    'attachment; filename=a.txt size=3',
    'attachment',
    ['filename=a.txt', 'filename=a.txt size=3', 'size=3'],
  ],
  [
    'no semicolon after quotes',
    'attachment; filename="a.txt" size=3',
    'attachment',
    ['filename=a.txt', 'size=3'],
  ],
  [
    'commas in place of semicolons',
    'attachment, filename=e.exe, size=3',
    'attachment',
    ['filename=e.exe', 'filename=e.exe, size=3', 'size=3'],
  ],
  ['no value before the parameters', 'filename=e.exe', '', ['filename=e.exe']],
  ['semicolons in a row', 'a/b;; ;x=y;', 'a/b', ['x=y']],
  ['words that are no parameters', 'attachment; foo; bar baz filename=x', 'attachment', ['filename=x']],
  [
    'a quote within',
    'attachment; filename=a.txt"e.exe',
    'attachment',
    ['filename=a.txt"e.exe', 'filename=a.txte.exe', 'filename=a.txt'],
  ],
  [
    'something behind the quotes',
    'attachment; filename="a.txt".exe; x=y',
    'attachment',
    ['filename=a.txt', 'filename=a.txt.exe', 'x=y'],
  ],
  ['doubled quotes', 'attachment; filename=""e.exe""', 'attachment', ['filename=', 'filename=e.exe']],
  [
    'a quote that is never closed',
    'attachment; filename="e.exe; size=4',
    'attachment',
    ['filename=e.exe', 'filename=e.exe; size=4', 'size=4'],
  ],
  ['single quotes', "attachment; filename='e.exe'", 'attachment', ["filename='e.exe'", 'filename=e.exe']],
  [
    'a comment that hides a parameter',
    'multipart/mixed; (boundary=a) boundary=b',
    'multipart/mixed',
    ['(boundary=a)', 'boundary=b'],
  ],
  [
    'a comment behind a value',
    'multipart/mixed; boundary=a (x; boundary=b)',
    'multipart/mixed',
    ['(boundary=b)', 'boundary=a (x; boundary=b)', 'boundary=a'],
  ],
  ['a comment behind quotes', 'text/plain; charset="x" (a (b) c); y=z', 'text/plain', ['charset=x', 'y=z']],
  ['comments round the equals sign', 'a/b; boundary (x)= (y) "z"', 'a/b', ['boundary=z']],
  [
    'brackets in a name',
    'attachment; filename=a(1).exe',
    'attachment',
    ['filename=a(1).exe', 'filename=a', 'filename=a.exe'],
  ],
  ['a bracket that is never closed', 'a/b; (x; boundary=b', 'a/b', ['boundary=b']],
  ['one parameter twice', 'attachment; filename=a; filename=b', 'attachment', ['filename=a', 'filename=b']],
  [
    'unquoted encoded words',
    'attachment; filename==?utf-8?Q?a?= =?utf-8?Q?b?=',
    'attachment',
    ['filename==?utf-8?Q?a?= =?utf-8?Q?b?=', 'filename==?utf-8?Q?a?='],
  ],
  ['extended', "attachment; filename*=UTF-8''a%20b.exe", 'attachment', ["filename='UTF-8'a b.exe"]],
  [
    'extended with a language',
    "attachment; filename*=utf-8'en'e.exe",
    'attachment',
    ["filename='utf-8'e.exe"],
  ],
  ['extended, quoted', 'attachment; filename*="utf-8\'\'e.exe"', 'attachment', ["filename='utf-8'e.exe"]],
  ['extended without charset', 'attachment; filename*=e%2Eexe', 'attachment', ["filename=''e.exe"]],
  [
    'extended with one apostrophe',
    "attachment; filename*=utf-8'e.exe",
    'attachment',
    ["filename=''utf-8'e.exe", "filename='utf-8'e.exe"],
  ],
  ['blanks before the star', "attachment; filename *=utf-8''e.exe", 'attachment', ["filename='utf-8'e.exe"]],
  ['continued', 'attachment; filename*0="e."; filename*1=exe', 'attachment', ['filename=e.exe']],
  [
    'continued, extended in part',
    'attachment; filename*0*=utf-8\'\'%65; filename*1="%2E"; filename*2*=%65xe',
    'attachment',
    ["filename='utf-8'e%2Eexe"],
  ],
  [
    'continued out of order',
    'attachment; filename*1=.exe; filename*0=e',
    'attachment',
    ['filename=e.exe', 'filename=.exee'],
  ],
  [
    'continued with a gap',
    'attachment; filename*0=a.txt; filename*2=.exe',
    'attachment',
    ['filename=a.txt', 'filename=a.txt.exe'],
  ],
  ['continued from 1', 'attachment; filename*1=e; filename*2=.exe', 'attachment', ['filename=e.exe']],
  [
    'continued with a number twice',
    'attachment; filename*0=a; filename*1=.txt; filename*1=.exe',
    'attachment',
    ['filename=a.txt', 'filename=a.exe', 'filename=a.txt.exe'],
  ],
  ['a continued boundary', 'multipart/mixed; boundary*0=a; boundary*1=b', 'multipart/mixed', ['boundary=ab']],
  ['NUL and 8-bit stay', 'attachment; filename="a\0\xe9.exe"', 'attachment', ['filename=a\0\xe9.exe']],
];

for (const [name, field, value, parameters] of CASES) {
  test(name, () => {
    assert.equal(parseParameterised(field).value, value);
    assert.deepEqual(shown(field), parameters);
  });
}

const VALID: readonly [field: string, valid: boolean][] = [
  ['text/plain', true],
  ['attachment', true],
  ['text/plain; charset=utf-8; name="a b.txt"', true],
  ['multipart/mixed;\tboundary="a"', true],
  ['text/plain; charset=us-ascii (Plain text)', false],
  ["attachment; filename*0*=utf-8''a; filename*1=b", true],
  ['text/plain; name=a b', false],
  ['text/plain charset=utf-8', false],
  ['text/plain; name="a', false],
  ['text/plain; name="a"b', false],
  ['text/plain; (a', false],
  ['text/plain; charset', false],
  ['"text/plain"', false],
  ['', false],
  ['text/plain; boundary=', false],
  ['text/plain; name=a/b', false],
];

for (const [field, valid] of VALID) {
  test(`${valid ? 'well' : 'not well'} formed: ${field}`, () => {
    assert.equal(parseParameterised(field).valid, valid);
  });
}

const TOKEN = fc.stringMatching(/^[a-z][a-z0-9-]{0,10}$/);

test('what is written by the rules is read as it was meant', () => {
  const value = fc.string({ unit: 'grapheme-ascii', maxLength: 20 });
  fc.assert(
    fc.property(fc.array(fc.tuple(TOKEN, value), { maxLength: 8 }), pairs => {
      const field = pairs.map(([name, text]) => `; ${name}="${text.replace(/["\\]/g, '\\$&')}"`).join('');
      const parsed = parseParameterised(`a/b${field}`);
      assert.ok(parsed.valid);
      const names = parsed.parameters.map(it => `${it.name}=${it.value}`);
      for (const [name, text] of pairs)
        assert.ok(names.includes(`${name}=${text}`), `${name}=${text} in ${names.join()}`);
    }),
  );
});

const PIECE = fc.constantFrom(
  'a',
  'name',
  'filename',
  '*',
  '*0',
  '*1',
  '=',
  '"',
  '\\',
  '(',
  ')',
  ';',
  ' ',
  ',',
  "'",
  '%41',
  '\0',
  '\xe9',
  '/',
  '=?',
  '?=',
);

test('any field: never throws, parameters stay few', () => {
  fc.assert(
    fc.property(fc.array(PIECE, { maxLength: 60 }), pieces => {
      assert.ok(parseParameterised(`x/y;${pieces.join('')}`).parameters.length <= 600);
    }),
    { numRuns: 3000 },
  );
});

/** 64 KiB each; in the square of that, the run would take minutes. */
for (const unit of [
  'a=b ',
  'a="',
  '(',
  'a=(',
  ' (',
  'a=b;',
  'a=b(',
  '"',
  'a*0=b;',
  '=',
  'a=b ( ',
  '(a=(b;',
  '\\',
  'a=b()',
  ' a',
]) {
  test(`64 KiB of ${unit}`, () => {
    const { parameters } = parseParameterised(`x/y; ${unit.repeat(65_536 / unit.length)}`);
    assert.ok(parameters.length <= 1000);
  });
}

test('what is too long is cut, and said', () => {
  const { valid, parameters } = parseParameterised(`x/y; name="${'a'.repeat(70_000)}"; boundary=b`);
  assert.equal(valid, false);
  assert.equal(parameters[0]?.value.length, 65_536 - 'x/y; name="'.length);
});
