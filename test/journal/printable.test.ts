import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { printable, unprintable, utf8 } from '../../src/journal/printable.ts';

const CASES: readonly [what: string, bytes: string, shown: string][] = [
  ['plain ASCII', 'bob+x@example.com (#5.7.1)', 'bob+x@example.com (#5.7.1)'],
  ['UTF-8 of two bytes', utf8('müller'), 'müller'],
  ['UTF-8 of three and four bytes', utf8('日本 👍'), '日本 👍'],
  ['Latin-1 is no UTF-8', 'm\xfcller', 'm\\xfcller'],
  ['half a sequence', 'a\xe6\x97', 'a\\xe6\\x97'],
  ['a sequence cut by ASCII', '\xe6\x97x', '\\xe6\\x97x'],
  ['an overlong slash', '\xc0\xaf', '\\xc0\\xaf'],
  ['a surrogate in UTF-8', '\xed\xa0\x80', '\\xed\\xa0\\x80'],
  ['beyond Unicode', '\xf4\x90\x80\x80', '\\xf4\\x90\\x80\\x80'],
  ['line ends and tab', 'a\r\nb\tc', 'a\\r\\nb\\tc'],
  ['NUL, ESC, DEL', '\0\x1b[2J\x7f', '\\x00\\x1b[2J\\x7f'],
  ['a C1 control as UTF-8', '\xc2\x9b', '\\u{9b}'],
  ['a C1 control as a byte', '\x9b', '\\x9b'],
  ['right-to-left override', utf8('a\u202eb'), 'a\\u{202e}b'],
  ['isolates', utf8('\u2066x\u2069'), '\\u{2066}x\\u{2069}'],
  ['zero width', utf8('pay\u200bpal\ufeff'), 'pay\\u{200b}pal\\u{feff}'],
  ['soft hyphen', utf8('pay\u00adpal'), 'pay\\u{ad}pal'],
  ['tags and variation selectors', utf8('x\u{e0041}\ufe0f'), 'x\\u{e0041}\\u{fe0f}'],
  ['odd blanks', utf8('a\u00a0b\u3000c\u2028d'), 'a\\u{a0}b\\u{3000}c\\u{2028}d'],
  ['private use and unassigned', utf8('\ue000\u{10ffff}'), '\\u{e000}\\u{10ffff}'],
  ['a backslash', '"a\\ b"@x', '"a\\\\ b"@x'],
  ['something that looks escaped', '\\x1b', '\\\\x1b'],
  ['chars that no byte string has', '日\u202e\ud800', '日\\u{202e}\\u{d800}'],
];

describe('printable', () => {
  for (const [what, bytes, shown] of CASES) {
    it(what, () => assert.equal(printable(bytes), shown));
  }

  it('shows any bytes on one line without anything invisible, and can be taken back (property)', () => {
    const bytes = fc.string({ unit: fc.integer({ min: 0, max: 255 }).map(c => String.fromCharCode(c)) });
    const mixed = fc
      .array(fc.oneof(bytes, fc.string({ unit: 'grapheme' }).map(utf8)))
      .map(parts => parts.join(''));
    fc.assert(
      fc.property(mixed, text => {
        const shown = printable(text);
        assert.doesNotMatch(shown.replaceAll(' ', ''), /[\p{C}\p{Z}\p{Default_Ignorable_Code_Point}]/u);
        assert.equal(unprintable(shown), text);
      }),
    );
  });
});

describe('unprintable', () => {
  it('leaves alone what is no escape, and never fails', () => {
    for (const text of ['\\', '\\x1', '\\u{}', '\\u{110000}', '\\q', 'C:\\dir']) {
      assert.equal(unprintable(text), text);
    }
    assert.equal(unprintable('ü\\xFC'), '\xc3\xbc\xfc');
  });
});
