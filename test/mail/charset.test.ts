import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeCharset, decodeRawHeader, decodeUndeclared } from '../../src/mail/charset.ts';

/** Encoded by Python 3.11's codecs. */
const CASES: readonly [charset: string, text: string, hex: string][] = [
  ['euc-kr', '안녕하세요 광고.hwp', 'bec8b3e7c7cfbcbcbfe420b1a4b0ed2e687770'],
  ['EUC_KR', '안녕하세요 광고.hwp', 'bec8b3e7c7cfbcbcbfe420b1a4b0ed2e687770'],
  ['ks_c_5601-1987', '안녕하세요 광고.hwp', 'bec8b3e7c7cfbcbcbfe420b1a4b0ed2e687770'],
  ['KS_C_5601-1987', '안녕하세요 광고.hwp', 'bec8b3e7c7cfbcbcbfe420b1a4b0ed2e687770'],
  ['ksc5601', '안녕하세요 광고.hwp', 'bec8b3e7c7cfbcbcbfe420b1a4b0ed2e687770'],
  ['cp949', '안녕하세요 광고.hwp', 'bec8b3e7c7cfbcbcbfe420b1a4b0ed2e687770'],
  ['x-windows-949', '안녕하세요 광고.hwp', 'bec8b3e7c7cfbcbcbfe420b1a4b0ed2e687770'],
  ['"euc-kr"', '안녕하세요 광고.hwp', 'bec8b3e7c7cfbcbcbfe420b1a4b0ed2e687770'],
  ['euc-kr', '똠방각하.hwp', '8c63b9e6b0a2c7cf2e687770'],
  ['ks_c_5601-1987', '똠방각하.hwp', '8c63b9e6b0a2c7cf2e687770'],
  ['uhc', '똠방각하.hwp', '8c63b9e6b0a2c7cf2e687770'],
  ['ms949', '똠방각하.hwp', '8c63b9e6b0a2c7cf2e687770'],
  ['iso-2022-kr', '안녕하세요 광고.hwp', '1b2429430e3e483367474f3c3c3f640f200e3124306d0f2e687770'],
  ['csISO2022KR', '안녕하세요 광고.hwp', '1b2429430e3e483367474f3c3c3f640f200e3124306d0f2e687770'],
  ['utf-8', '안녕하세요 광고.hwp', 'ec9588eb8595ed9598ec84b8ec9a9420eab491eab3a02e687770'],
  ['UTF8', '안녕하세요 광고.hwp', 'ec9588eb8595ed9598ec84b8ec9a9420eab491eab3a02e687770'],
  ['utf-8*ko', '안녕하세요 광고.hwp', 'ec9588eb8595ed9598ec84b8ec9a9420eab491eab3a02e687770'],
  ['utf-7', '안녕하세요 광고.hwp', '2b785569785664565977546a476c41202b7252477334412e687770'],
  ['unicode-1-1-utf-7', '안녕하세요 광고.hwp', '2b785569785664565977546a476c41202b7252477334412e687770'],
  ['utf-16be', '안녕하세요 광고.hwp', 'c548b155d558c138c6940020ad11ace0002e006800770070'],
  ['utf-16le', '안녕하세요 광고.hwp', '48c555b158d538c194c6200011ade0ac2e00680077007000'],
  ['utf-16', '안녕하세요 광고.hwp', 'fffe48c555b158d538c194c6200011ade0ac2e00680077007000'],
  ['iso-2022-jp', '日本語の請求書.xls', '1b2442467c4b5c386c244e404135613d711b28422e786c73'],
  ['ISO-2022-JP', '日本語の請求書.xls', '1b2442467c4b5c386c244e404135613d711b28422e786c73'],
  ['cp50221', '日本語の請求書.xls', '1b2442467c4b5c386c244e404135613d711b28422e786c73'],
  ['csISO2022JP', '日本語の請求書.xls', '1b2442467c4b5c386c244e404135613d711b28422e786c73'],
  ['shift_jis', '日本語の請求書.xls', '93fa967b8cea82cc90bf8b818f912e786c73'],
  ['x-sjis', '日本語の請求書.xls', '93fa967b8cea82cc90bf8b818f912e786c73'],
  ['cp932', '日本語の請求書.xls', '93fa967b8cea82cc90bf8b818f912e786c73'],
  ['windows-31j', '日本語の請求書.xls', '93fa967b8cea82cc90bf8b818f912e786c73'],
  ['Shift-JIS', '日本語の請求書.xls', '93fa967b8cea82cc90bf8b818f912e786c73'],
  ['euc-jp', '日本語の請求書.xls', 'c6fccbdcb8eca4cec0c1b5e1bdf12e786c73'],
  ['x-euc-jp', '日本語の請求書.xls', 'c6fccbdcb8eca4cec0c1b5e1bdf12e786c73'],
  ['shift_jis', '①髙㈱.txt', '8740eee0878a2e747874'],
  ['windows-31j', '①髙㈱.txt', '8740eee0878a2e747874'],
  ['gb2312', '中文附件.doc', 'd6d0cec4b8bdbcfe2e646f63'],
  ['GB_2312-80', '中文附件.doc', 'd6d0cec4b8bdbcfe2e646f63'],
  ['gbk', '中文附件.doc', 'd6d0cec4b8bdbcfe2e646f63'],
  ['x-gbk', '中文附件.doc', 'd6d0cec4b8bdbcfe2e646f63'],
  ['gb18030', '中文附件.doc', 'd6d0cec4b8bdbcfe2e646f63'],
  ['cp936', '中文附件.doc', 'd6d0cec4b8bdbcfe2e646f63'],
  ['gb18030', '镕基𠀀€.doc', 'e946bbf995328236a2e32e646f63'],
  ['gbk', '镕基𠀀€.doc', 'e946bbf995328236a2e32e646f63'],
  ['gb2312', '镕基𠀀€.doc', 'e946bbf995328236a2e32e646f63'],
  ['hz-gb-2312', '中文附件.doc', '7e7b56504e44383d3c7e7e7d2e646f63'],
  ['big5', '中文附件.doc', 'a4a4a4e5aafea5f32e646f63'],
  ['big5-hkscs', '中文附件.doc', 'a4a4a4e5aafea5f32e646f63'],
  ['x-x-big5', '中文附件.doc', 'a4a4a4e5aafea5f32e646f63'],
  ['cp950', '中文附件.doc', 'a4a4a4e5aafea5f32e646f63'],
  ['koi8-r', 'Смета.doc', 'f3cdc5d4c12e646f63'],
  ['KOI8-R', 'Смета.doc', 'f3cdc5d4c12e646f63'],
  ['windows-1251', 'Смета.doc', 'd1ece5f2e02e646f63'],
  ['cp1251', 'Смета.doc', 'd1ece5f2e02e646f63'],
  ['x-cp1251', 'Смета.doc', 'd1ece5f2e02e646f63'],
  ['win-1251', 'Смета.doc', 'd1ece5f2e02e646f63'],
  ['cp-1251', 'Смета.doc', 'd1ece5f2e02e646f63'],
  ['iso-8859-5', 'Смета.doc', 'c1dcd5e2d02e646f63'],
  ['iso8859-5', 'Смета.doc', 'c1dcd5e2d02e646f63'],
  ['iso_8859-5:1988', 'Смета.doc', 'c1dcd5e2d02e646f63'],
  ['cp866', 'Смета.doc', '91aca5e2a02e646f63'],
  ['ibm866', 'Смета.doc', '91aca5e2a02e646f63'],
  ['cp-866', 'Смета.doc', '91aca5e2a02e646f63'],
  ['koi8-u', 'Їжак.doc', 'b7d6c1cb2e646f63'],
  ['windows-1252', 'naïve €uro “q”.txt', '6e61ef7665208075726f209371942e747874'],
  ['cp1252', 'naïve €uro “q”.txt', '6e61ef7665208075726f209371942e747874'],
  ['iso-8859-1', 'naïve €uro “q”.txt', '6e61ef7665208075726f209371942e747874'],
  ['iso8859-1', 'naïve €uro “q”.txt', '6e61ef7665208075726f209371942e747874'],
  ['latin1', 'naïve €uro “q”.txt', '6e61ef7665208075726f209371942e747874'],
  ['us-ascii', 'naïve €uro “q”.txt', '6e61ef7665208075726f209371942e747874'],
  ['iso-8859-15', 'naïve €.txt', '6e61ef766520a42e747874'],
  ['latin9', 'naïve €.txt', '6e61ef766520a42e747874'],
  ['iso-8859-2', 'Łódź.txt', 'a3f364bc2e747874'],
  ['latin2', 'Łódź.txt', 'a3f364bc2e747874'],
  ['windows-1253', 'Ελλάδα.txt', 'c5ebebdce4e12e747874'],
  ['windows-1254', 'İş.txt', 'ddfe2e747874'],
  ['iso-8859-9', 'İş.txt', 'ddfe2e747874'],
  ['windows-1255', 'שלום.txt', 'f9ece5ed2e747874'],
  ['iso-8859-8', 'שלום.txt', 'f9ece5ed2e747874'],
  ['iso-8859-8-i', 'שלום.txt', 'f9ece5ed2e747874'],
  ['windows-1256', 'مرحبا.txt', 'e3d1cdc8c72e747874'],
  ['tis-620', 'ไทย.txt', 'e4b7c22e747874'],
  ['windows-874', 'ไทย.txt', 'e4b7c22e747874'],
  ['iso-8859-11', 'ไทย.txt', 'e4b7c22e747874'],
  ['macintosh', 'é.txt', '8e2e747874'],
  ['x-mac-roman', 'é.txt', '8e2e747874'],
  ['cp850', 'é.txt', '822e747874'],
  ['cp-850', 'é.txt', '822e747874'],
  ['ibm850', 'é.txt', '822e747874'],
  ['iso-2022-jp', 'ｱｲｳ.txt', '1b28493132331b28422e747874'],
  ['iso-2022-jp', '日本', '1b2442467c4b5c1b2842'],
  // Without its designator, as in the second of two encoded words, and with a line end that shifts back.
  ['iso-2022-kr', '안\r\nab', '0e3e480d0a6162'],
  ['iso-2022-kr', '안a', '1b2429430e3e480f61'],
  ['hz', 'a~b', '617e7e62'],
  ['us-ascii', 'é', 'c3a9'],
  ['utf-7', '<script>', '2b4144772d7363726970742b4144342d'],
];

for (const [charset, text, hex] of CASES) {
  test(`${charset}: ${text}`, () => {
    assert.equal(decodeCharset(Buffer.from(hex.replaceAll(' ', ''), 'hex'), charset), text);
  });
}

for (const charset of [
  '',
  '?',
  'x-unknown',
  'unknown-8bit',
  'base64',
  'hex',
  'utf7imap',
  'constructor',
  '__proto__',
  'x',
  'a'.repeat(100),
]) {
  test(`no charset: ${charset.slice(0, 20)}`, () => {
    assert.equal(decodeCharset(Buffer.from('YWJj'), charset), null);
  });
}

test('undeclared bytes are UTF-8 when they can be, else windows-1252', () => {
  assert.equal(decodeUndeclared(Buffer.from('한글')), '한글');
  assert.equal(decodeUndeclared(Buffer.from('caf\xe9 \x80', 'latin1')), 'café €');
});

test('escape sequences in a raw header', () => {
  assert.equal(decodeRawHeader(Buffer.from('a \x1b$BF|K\\\x1b(B b', 'latin1')), 'a 日本 b');
  assert.equal(decodeRawHeader(Buffer.from('\x1b$)C\x0e>H\x0f!', 'latin1')), '안!');
  assert.equal(decodeRawHeader(Buffer.from('\x1b[31m', 'latin1')), '\x1b[31m');
});

test('any bytes in any charset: an answer no longer than they are', () => {
  const charset = fc.constantFrom(...new Set(CASES.map(it => it[0])));
  const special = fc.constantFrom(
    0x1b,
    0x24,
    0x28,
    0x29,
    0x42,
    0x43,
    0x49,
    0x0e,
    0x0f,
    0x7e,
    0x7b,
    0x2b,
    0x81,
  );
  const bytes = fc.array(fc.oneof(fc.integer({ min: 0, max: 255 }), special), { maxLength: 60 });
  fc.assert(
    fc.property(charset, bytes, (name, list) => {
      const text = decodeCharset(Buffer.from(list), name);
      assert.ok(text !== null && text.length <= list.length, `${text?.length} from ${list.length}`);
    }),
    { numRuns: 3000 },
  );
});
