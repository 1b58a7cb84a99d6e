import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeWords } from '../../src/mail/words.ts';

const CASES: readonly [name: string, raw: string, text: string][] = [
  ['plain text', 'e.exe', 'e.exe'],
  ['Q', '=?utf-8?Q?e=2Eexe?=', 'e.exe'],
  ['B', '=?utf-8?B?ZS5leGU=?=', 'e.exe'],
  ['lower-case letters', '=?UTF-8?b?ZS5leGU=?= =?UTF-8?q?=c3=a9?=', 'e.exeé'],
  ['an underscore is a blank', '=?iso-8859-1?Q?a_b?=', 'a b'],
  ['a real underscore', '=?iso-8859-1?Q?a=5Fb?=', 'a_b'],
  ['blanks between words vanish', '=?utf-8?Q?a?= \t =?utf-8?Q?b?=', 'ab'],
  ['a fold between words vanishes', '=?utf-8?Q?a?=\r\n =?utf-8?Q?b?=', 'ab'],
  ['no blank between words', '=?utf-8?Q?a?==?utf-8?Q?b?=', 'ab'],
  ['blanks beside text stay', 'x =?utf-8?Q?a?= y', 'x a y'],
  ['words of several charsets', '=?euc-kr?B?x9E=?= =?utf-8?B?6riA?=', '한글'],
  ['a character cut between words', '=?utf-8?B?7ZU=?= =?utf-8?B?nA==?=', '한'],
  ['a character cut between B and Q', '=?utf-8?B?7ZU=?= =?utf-8?Q?=9C?=', '한'],
  [
    'ISO-2022-KR without a second designator',
    '=?iso-2022-kr?B?GyQpQw4+SA8=?= =?iso-2022-kr?B?Dj5IDw==?=',
    '안안',
  ],
  ['ISO-2022-JP', '=?ISO-2022-JP?B?GyRCRnxLXBsoQg==?=', '日本'],
  ['language (RFC 2231 5)', '=?utf-8*en?Q?e.exe?=', 'e.exe'],
  ['blanks in Q', '=?utf-8?Q?a b.exe?=', 'a b.exe'],
  ['a question mark in Q', '=?utf-8?Q?a?b.exe?=', 'a?b.exe'],
  ['Q that begins with an escape', '=?utf-8?Q?=65.exe?=', 'e.exe'],
  ['text that ends with an equals sign', '=?utf-8?Q?a=?=', 'a='],
  ['broken escapes stay', '=?utf-8?Q?a=zz=4?=', 'a=zz=4'],
  ['padding within', '=?utf-8?B?YQ==Yg==?=', 'ab'],
  ['no padding', '=?utf-8?B?YQ?=', 'a'],
  ['no text', '=?utf-8?Q??=', ''],
  ['an unknown charset', '=?x-foo?Q?e.exe?=', 'e.exe'],
  ['no charset', '=??Q?a?=', '=??Q?a?='],
  ['an unknown encoding', '=?utf-8?X?a?=', '=?utf-8?X?a?='],
  ['no end', '=?utf-8?Q?e.exe', '=?utf-8?Q?e.exe'],
  ['a word that lost its end before another', '=?utf-8?Q?a =?utf-8?Q?b?=', '=?utf-8?Q?a b'],
  ['raw UTF-8', 'caf\xc3\xa9', 'café'],
  ['raw windows-1252', 'caf\xe9', 'café'],
  ['raw bytes beside a word', '\xed\x95\x9c=?euc-kr?B?sdvA?=', '한글\ufffd'],
  ['raw ISO-2022-JP', '\x1b$BF|K\\\x1b(B', '日本'],
  ['UTF-7 hides a dot', '=?utf-7?Q?e+AC4-exe?=', 'e.exe'],
  ['UTF-16', '=?utf-16le?B?ZQAuAGUAeABlAA==?=', 'e.exe'],
  ['a charset that is too long', `=?${'a'.repeat(80)}?Q?a?=`, `=?${'a'.repeat(80)}?Q?a?=`],
];

for (const [name, raw, text] of CASES) {
  test(name, () => {
    assert.equal(decodeWords(raw), text);
  });
}

/** The subject of one mail as programs of several countries write it. */
const SUBJECTS: readonly [text: string, raw: readonly string[]][] = [
  [
    '안녕하세요',
    [
      '=?EUC-KR?B?vsiz58fPvLy/5A==?=',
      '=?ks_c_5601-1987?B?vsiz58fPvLy/5A==?=',
      '=?euc-kr?Q?=BE=C8=B3=E7=C7=CF=BC=BC=BF=E4?=',
      '=?ISO-2022-KR?B?GyQpQw4+SDNnR088PD9kDw==?=',
      '=?utf-8?B?7JWI64WV7ZWY7IS47JqU?=',
      '\xec\x95\x88\xeb\x85\x95\xed\x95\x98\xec\x84\xb8\xec\x9a\x94',
    ],
  ],
  [
    '日本語',
    [
      '=?iso-2022-jp?B?GyRCRnxLXDhsGyhC?=',
      '=?shift_jis?B?k/qWe4zq?=',
      '=?euc-jp?B?xvzL3Ljs?=',
      '=?utf-8?B?5pel5pys6Kqe?=',
    ],
  ],
  [
    '中文',
    [
      '=?gb2312?B?1tDOxA==?=',
      '=?gbk?B?1tDOxA==?=',
      '=?gb18030?B?1tDOxA==?=',
      '=?big5?B?pKSk5Q==?=',
      '=?hz-gb-2312?B?fntWUE5Efn0=?=',
    ],
  ],
];

for (const [text, raws] of SUBJECTS) {
  for (const raw of raws) {
    test(`${text} from ${raw}`, () => {
      assert.equal(decodeWords(raw), text);
    });
  }
}

test('what is encoded comes back', () => {
  const words = fc.array(
    fc.tuple(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }), fc.boolean()),
    {
      minLength: 1,
      maxLength: 5,
    },
  );
  fc.assert(
    fc.property(words, pieces => {
      const raw = pieces.map(([text, b]) => {
        const bytes = Buffer.from(text);
        if (b) return `=?utf-8?B?${bytes.toString('base64')}?=`;
        return `=?utf-8?Q?${bytes.toString('hex').replace(/../g, '=$&')}?=`;
      });
      assert.equal(decodeWords(raw.join('\r\n ')), pieces.map(it => it[0]).join(''));
    }),
  );
});

test('any byte string: an answer no longer than it', () => {
  const piece = fc.constantFrom(
    '=?',
    '?=',
    '?',
    '=',
    'utf-8',
    'Q',
    'B',
    'a',
    ' ',
    '\xed\x95',
    '\x9c',
    '\x1b$B',
    '=41',
    'iso-2022-jp',
    '\r\n ',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), pieces => {
      const raw = pieces.join('');
      assert.ok(decodeWords(raw).length <= raw.length);
    }),
    { numRuns: 2000 },
  );
});

test('a megabyte of beginnings', () => {
  const raw = `${'=?a?q?'.repeat(180_000)}b?=`;
  assert.equal(decodeWords(raw), `${'=?a?q?'.repeat(179_999)}b`);
});
