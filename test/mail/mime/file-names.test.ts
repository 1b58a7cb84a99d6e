import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fileNames } from '../../../src/mail/mime/file-names.ts';
import { judgedNames } from '../../../src/mail/mime/judged-names.ts';
import { nameAnomalies } from '../../../src/mail/mime/name-anomalies.ts';
import { parseParameterised } from '../../../src/mail/mime/parameters.ts';
import type { FileName } from '../../../src/model/mime.ts';

function names(disposition: string, type = ''): readonly FileName[] {
  return fileNames([parseParameterised(disposition)], [parseParameterised(type)], null, null);
}

const named = (text: string): readonly FileName[] => [{ text, raw: text, source: 'filename' }];

const NAMES: readonly [name: string, disposition: string, type: string, texts: readonly string[]][] = [
  ['no name', 'attachment', 'text/plain', []],
  ['filename', 'attachment; filename="e.exe"', '', ['e.exe']],
  ['name', 'attachment', 'text/plain; name=e.exe', ['e.exe']],
  ['one name in both', 'attachment; filename=e.exe', 'a/b; name="e.exe"', ['e.exe']],
  ['another in each', 'attachment; filename=a.txt', 'a/b; name=e.exe', ['a.txt', 'e.exe']],
  ['extended before plain', "attachment; filename=a.txt; filename*=utf-8''e.exe", '', ['e.exe', 'a.txt']],
  ['filename in Content-Type', '', 'a/b; filename=e.exe', ['e.exe']],
  ['name in Content-Disposition', 'attachment; name=e.exe', '', ['e.exe']],
  [
    'encoded words in quotes',
    'attachment; filename="=?utf-8?B?7ZWc?= =?utf-8?B?6riALnR4dA==?="',
    '',
    ['한글.txt'],
  ],
  ['a word in a continuation', 'attachment; filename*0="=?utf-8?Q?e=2E"; filename*1="exe?="', '', ['e.exe']],
  [
    'a word in an extended value',
    "attachment; filename*=utf-8''=?utf-8?Q?e=2Eexe?=",
    '',
    ['=?utf-8?Q?e=2Eexe?=', 'e.exe'],
  ],
  ['a word without its end', 'attachment; filename="=?utf-8?Q?e=2Eexe"', '', ['=?utf-8?Q?e=2Eexe', 'e.exe']],
  ['RFC 2231 in EUC-KR', "attachment; filename*=euc-kr''%C7%D1.txt", '', ['한.txt']],
  ['RFC 2231 in an unknown charset', "attachment; filename*=x-foo''%65.exe", '', ['e.exe']],
  ['RFC 2231 in UTF-8, called ASCII', "attachment; filename*=us-ascii''%ED%95%9C.txt", '', ['한.txt']],
  [
    'RFC 2231 in EUC-KR, called UTF-8',
    "attachment; filename*=utf-8''%C7%D1.txt",
    '',
    ['\ufffd\ufffd.txt', 'ÇÑ.txt'],
  ],
  ['raw UTF-8', 'attachment; filename="\xed\x95\x9c.txt"', '', ['한.txt']],
  [
    'raw bytes in the charset of the part',
    'attachment; filename="\xc7\xd1.txt"',
    'text/plain; charset=euc-kr',
    ['한.txt', 'ÇÑ.txt'],
  ],
  ['percent signs without a star', 'attachment; filename="e%2Eexe"', '', ['e%2Eexe', 'e.exe']],
  ['RFC 2231 without a star', "attachment; filename=utf-8''e%2Eexe", '', ["utf-8''e%2Eexe", 'e.exe']],
  ['percent signs that are none', 'attachment; filename="100% off.txt"', '', ['100% off.txt']],
  ['UTF-7', 'attachment; filename="=?utf-7?Q?e+AC4-exe?="', '', ['e.exe']],
  ['no text', 'attachment; filename=""', '', []],
  ['a stray quote', 'attachment; filename=a.txt"e.exe', '', ['a.txt"e.exe', 'a.txte.exe', 'a.txt']],
];

for (const [name, disposition, type, texts] of NAMES) {
  test(name, () => {
    assert.deepEqual(
      names(disposition, type).map(it => it.text),
      texts,
    );
  });
}

const WEAK: readonly [description: string | null, location: string | null, texts: readonly string[]][] = [
  ['report.doc', null, ['report.doc']],
  ['=?utf-8?Q?e=2Eexe?=', null, ['e.exe']],
  ['My holiday pictures.', null, []],
  ['Mail from example.com', null, []],
  ['see www.example.com', null, []],
  ['e.com', null, ['e.com']],
  [null, 'http://example.com/a/e%2Eexe?x=y#z', ['e.exe']],
  [null, 'http://example.com', []],
  [null, 'file:///C:/x/image001.png', ['image001.png']],
  [null, 'cid:part1.exe', []],
  [null, 'C:\\x\\e.exe', ['e.exe']],
  [null, 'http://example.com/folder/', []],
];

for (const [description, location, texts] of WEAK) {
  test(`description ${description}, location ${location}`, () => {
    assert.deepEqual(
      fileNames([], [], description, location).map(it => it.text),
      texts,
    );
  });
}

test('a description is the last of the names and never another one', () => {
  const all = fileNames([parseParameterised('attachment; filename=a.txt')], [], 'b.doc', 'c.png');
  assert.deepEqual(
    all.map(it => it.source),
    ['filename', 'content-description', 'content-location'],
  );
  assert.deepEqual(nameAnomalies(all), []);
});

const ANOMALIES: readonly [name: string, text: string, rules: readonly string[]][] = [
  ['ordinary', 'report.pdf', []],
  ['two dots', 'archive.tar.gz', []],
  ['a version', 'setup-1.2.3.exe', []],
  ['a date', 'report 21.11.2026.doc', []],
  ['Korean', '한글 문서.hwp', []],
  ['an emoji with a selector and a joiner', '❤️ 👨‍👩‍👧.jpg', []],
  ['Persian with its joiner', 'می‌خواهم.pdf', []],
  ['right to left override', 'a\u202efdp.exe', ['MIME_NAME_BIDI']],
  ['right to left isolate', 'a\u2067fdp.exe', ['MIME_NAME_BIDI']],
  ['right to left mark', 'a\u200f.exe', ['MIME_NAME_BIDI']],
  ['zero width space', 'e.e\u200bxe', ['MIME_NAME_INVISIBLE']],
  ['a joiner between letters', 'e.e\u200dxe', ['MIME_NAME_INVISIBLE']],
  ['soft hyphen', 'e.\u00adexe', ['MIME_NAME_INVISIBLE']],
  ['byte order mark', '\ufeffe.exe', ['MIME_NAME_INVISIBLE']],
  ['Hangul filler', 'a.pdf\u3164\u3164\u3164.exe', ['MIME_NAME_INVISIBLE', 'MIME_NAME_DOUBLE_EXTENSION']],
  ['a tag character', 'e.\u{e0061}exe', ['MIME_NAME_INVISIBLE']],
  ['NUL', 'e.exe\0.txt', ['MIME_NAME_INVISIBLE']],
  ['a control character', 'a\x1b.txt', ['MIME_NAME_INVISIBLE']],
  ['a dot at the end', 'e.exe.', ['MIME_NAME_TRAILING']],
  ['blanks at the end', 'e.exe  ', ['MIME_NAME_TRAILING']],
  ['ideographic space at the end', 'e.exe\u3000', ['MIME_NAME_TRAILING']],
  ['double', 'invoice.pdf.exe', ['MIME_NAME_DOUBLE_EXTENSION']],
  ['double, upper case', 'INVOICE.PDF.EXE', ['MIME_NAME_DOUBLE_EXTENSION']],
  ['double with blanks', `invoice.pdf${' '.repeat(60)}.exe`, ['MIME_NAME_DOUBLE_EXTENSION']],
  ['double with lines', 'invoice.pdf______________.scr', ['MIME_NAME_DOUBLE_EXTENSION']],
  ['double with another name between', `invoice.pdf${' '.repeat(60)}x.exe`, ['MIME_NAME_DOUBLE_EXTENSION']],
  ['double in full-width letters', 'invoice.pdf．ｅｘｅ', ['MIME_NAME_DOUBLE_EXTENSION']],
  ['double in an archive name', 'photos.zip.js', ['MIME_NAME_DOUBLE_EXTENSION']],
  ['double and a dot', 'a.txt.exe.', ['MIME_NAME_TRAILING', 'MIME_NAME_DOUBLE_EXTENSION']],
  ['a script of the web', 'jquery.min.js', []],
  ['a domain', 'www.example.com', []],
  ['CLSID', 'a.txt.{00020420-0000-0000-C000-000000000046}', ['MIME_NAME_CLSID']],
  ['CLSID and a dot', 'a.{00020420-0000-0000-C000-000000000046}.', ['MIME_NAME_TRAILING', 'MIME_NAME_CLSID']],
  ['braces', 'a.{draft}', []],
  ['255 characters', `${'a'.repeat(251)}.txt`, []],
  ['256 characters', `${'a'.repeat(252)}.txt`, ['MIME_NAME_LONG']],
  ['a folder', '../../e.txt', ['MIME_NAME_PATH']],
  ['a Windows folder', 'C:\\x\\e.txt', ['MIME_NAME_PATH']],
  ['a drive', 'C:e.txt', ['MIME_NAME_PATH']],
];

for (const [name, text, rules] of ANOMALIES) {
  test(`anomalies: ${name}`, () => {
    assert.deepEqual(
      nameAnomalies(named(text)).map(it => it.rule),
      rules,
    );
  });
}

const DIFFERS: readonly [name: string, disposition: string, type: string, differs: boolean][] = [
  ['one name', 'attachment; filename=a.txt', 'a/b; name=a.txt', false],
  ['another extension', 'attachment; filename=a.txt', 'a/b; name=a.exe', true],
  ['another name', 'attachment; filename=a.txt', 'a/b; name=b.txt', true],
  ['upper case', 'attachment; filename=A.TXT', 'a/b; name=a.txt', false],
  ['blanks as lines', 'attachment; filename=a_b.txt', 'a/b; name="a b.txt"', false],
  ['percent signs', "attachment; filename*=utf-8''a%20b.txt; filename=a%20b.txt", '', false],
  [
    'encoded and extended',
    "attachment; filename*=utf-8''%ED%95%9C.txt",
    'a/b; name="=?euc-kr?B?x9E=?=.txt"',
    false,
  ],
  ['an ASCII stand-in', 'attachment; filename*=utf-8\'\'%ED%95%9C.txt; filename="_.txt"', '', false],
  [
    'an ASCII stand-in with another extension',
    "attachment; filename*=utf-8''%ED%95%9C.txt; filename=e.exe",
    '',
    true,
  ],
  ['a stray quote', 'attachment; filename=a.txt"e.exe', '', true],
  ['a Windows path, unescaped', 'attachment; filename="C:\\temp\\a.exe"', '', false],
  ['raw bytes in two charsets', 'attachment; filename="\xc7\xd1.txt"', 'text/plain; charset=euc-kr', false],
  ['twice in one field', 'attachment; filename=a.txt; filename=e.exe', '', true],
];

for (const [name, disposition, type, differs] of DIFFERS) {
  test(`names that differ: ${name}`, () => {
    const rules = nameAnomalies(names(disposition, type)).map(it => it.rule);
    assert.equal(rules.includes('MIME_NAME_DIFFERS'), differs);
  });
}

/** Each of them has to be seen as `e.exe`. */
const DISGUISES: readonly string[] = [
  'e.exe',
  'E.EXE',
  'e.exe. . ',
  'e.exe\u3000',
  'c:\\x\\e.exe',
  '../e.exe',
  'x/e.exe.',
  'e.exe:stream',
  'e.exe::$DATA',
  'e.exe\0.txt',
  'e.e\u200bxe',
  '\u202ee.exe',
  'e.e\u00adxe',
  '\ufeffe.exe',
  'e.\u{e0061}exe',
  'ｅ．ＥＸＥ',
  'e\u2024exe',
  'e.exe\t',
  ' e.exe',
  'e.\x01exe',
];

for (const text of DISGUISES) {
  test(`judged as e.exe: ${JSON.stringify(text)}`, () => {
    assert.ok(judgedNames(named(text)).includes('e.exe'), judgedNames(named(text)).join(' | '));
  });
}

test('an ordinary name is judged as it is, once', () => {
  assert.deepEqual(judgedNames([...named('Report 1.PDF'), ...named('report 1.pdf')]), ['report 1.pdf']);
  assert.deepEqual(judgedNames(named('  . ')), ['  . ']);
  assert.deepEqual(judgedNames([]), []);
});

test('details are byte strings of at most 200 bytes', () => {
  for (const { detail } of nameAnomalies(named(`${'한글'.repeat(400)}/\u202e\u200b.pdf.exe. `))) {
    assert.ok(detail.length <= 200 && !/[^\0-\xff]/.test(detail));
  }
});

test('any names: never throws, forms stay few and short', () => {
  const unit = fc.constantFrom(
    'a',
    '.',
    'exe',
    'pdf',
    ' ',
    '\0',
    '\u202e',
    '\u200b',
    '/',
    '\\',
    ':',
    '\ufdfa',
    '한',
    '%41',
    '=?',
    '\ud800',
  );
  fc.assert(
    fc.property(fc.array(unit, { maxLength: 30 }), pieces => {
      const all = named(pieces.join(''));
      nameAnomalies(all);
      const forms = judgedNames(all);
      assert.ok(forms.length <= 30);
      for (const form of forms) assert.ok(form !== '' && form.length <= 4096);
    }),
    { numRuns: 2000 },
  );
});

test('any fields: never throws, texts are distinct and not empty', () => {
  const piece = fc.constantFrom(
    'filename',
    'name',
    '*',
    '*0',
    '*1*',
    '=',
    '"',
    "utf-8''",
    '%41',
    '%C7',
    '=?utf-8?B?',
    'YQ==',
    '?=',
    ';',
    ' ',
    '.exe',
    '\xc7',
    "'",
  );
  const field = fc.array(piece, { maxLength: 30 }).map(pieces => `a;${pieces.join('')}`);
  fc.assert(
    fc.property(field, field, fc.string(), fc.string(), (disposition, type, description, location) => {
      const all = fileNames(
        [parseParameterised(disposition)],
        [parseParameterised(type)],
        description,
        location,
      );
      const texts = all.map(it => it.text);
      assert.ok(texts.length <= 32 && !texts.includes(''));
      assert.equal(new Set(texts).size, texts.length);
    }),
    { numRuns: 2000 },
  );
});
