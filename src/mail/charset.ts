import { isAscii, isUtf8 } from 'node:buffer';
import encodingJapanese from 'encoding-japanese';
import iconv from 'iconv-lite';

const ESC = 0x1b;
const SHIFT_OUT = 0x0e;
const SHIFT_IN = 0x0f;
const QUESTION = 0x3f;
const TILDE = 0x7e;
const REPLACEMENT = '\ufffd';

/**
 * Labels of mail, with everything but letters and digits removed, that iconv-lite does not know or reads in another
 * sense than mail programs do: those take the ISO and KS names for the Windows pages that contain them (WHATWG
 * Encoding, 4.2).
 */
const ALIASES: Readonly<Record<string, string>> = {
  iso88591: 'windows-1252',
  latin1: 'windows-1252',
  l1: 'windows-1252',
  cp819: 'windows-1252',
  ibm819: 'windows-1252',
  csisolatin1: 'windows-1252',
  xansi: 'windows-1252',
  ansi: 'windows-1252',
  iso88599: 'windows-1254',
  iso885911: 'windows-874',
  iso88598i: 'iso-8859-8',
  iso88598e: 'iso-8859-8',
  logical: 'iso-8859-8',
  visual: 'iso-8859-8',
  iso88596i: 'iso-8859-6',
  iso88596e: 'iso-8859-6',
  usascii: 'ascii',
  '646': 'ascii',
  iso646us: 'ascii',
  ksc56011987: 'cp949',
  ksc56011989: 'cp949',
  ksc5601: 'cp949',
  ksc5636: 'cp949',
  euckr: 'cp949',
  xeuckr: 'cp949',
  uhc: 'cp949',
  xuhc: 'cp949',
  xwindows949: 'cp949',
  korean: 'cp949',
  gb2312: 'gb18030',
  xgbk: 'gb18030',
  xcp936: 'gb18030',
  euccn: 'gb18030',
  xeuccn: 'gb18030',
  gb231280: 'gb18030',
  cngb: 'gb18030',
  chinese: 'gb18030',
  gbk: 'gb18030',
  cp936: 'gb18030',
  xxbig5: 'big5-hkscs',
  xbig5: 'big5-hkscs',
  cnbig5: 'big5-hkscs',
  big5eten: 'big5-hkscs',
  big5: 'big5-hkscs',
  xsjis: 'cp932',
  sjis: 'cp932',
  shiftjis: 'cp932',
  xmssjis: 'cp932',
  mskanji: 'cp932',
  xmscp932: 'cp932',
  xeucjp: 'euc-jp',
  ujis: 'euc-jp',
  xmacroman: 'macintosh',
  xmaccyrillic: 'maccyrillic',
  xmacce: 'maccenteuro',
  xiso10646ucs2: 'utf-16be',
  iso10646ucs2: 'utf-16be',
  unicode: 'utf-16',
  xutf8: 'utf-8',
  xunicode20utf8: 'utf-8',
  unicode11utf8: 'utf-8',
  xutf7: 'utf-7',
  unicode11utf7: 'utf-7',
  unicode20utf7: 'utf-7',
  csunicode11utf7: 'utf-7',
};

/** iconv-lite takes these for encodings too; no mail program does. */
const NO_CHARSETS = new Set(['base64', 'hex', 'binary', 'internal', 'utf7imap']);

/** With state in escape sequences or shifts: iconv-lite has none of these. */
const STATEFUL: Readonly<Record<string, (bytes: Buffer) => string>> = {
  iso2022jp: decodeIso2022Jp,
  csiso2022jp: decodeIso2022Jp,
  iso2022jp1: decodeIso2022Jp,
  iso2022jp2: decodeIso2022Jp,
  iso2022jp3: decodeIso2022Jp,
  iso2022jp2004: decodeIso2022Jp,
  iso2022jpms: decodeIso2022Jp,
  cp50220: decodeIso2022Jp,
  cp50221: decodeIso2022Jp,
  cp50222: decodeIso2022Jp,
  jis: decodeIso2022Jp,
  iso2022kr: decodeIso2022Kr,
  csiso2022kr: decodeIso2022Kr,
  cp50225: decodeIso2022Kr,
  hzgb2312: decodeHz,
  hz: decodeHz,
};

/**
 * Text of `bytes` in a charset as mail names it (any case, quotes, odd aliases; RFC 2231 language suffix ignored).
 * What is not valid in it becomes U+FFFD. Null for a charset that nobody here knows: the caller decides. Never throws;
 * the answer has at most as many UTF-16 units as there are bytes.
 */
export function decodeCharset(bytes: Buffer, charset: string): string | null {
  const label = labelOf(charset);
  if (label === '' || label.length > 40 || NO_CHARSETS.has(label)) return null;
  const stateful = Object.hasOwn(STATEFUL, label) ? STATEFUL[label] : undefined;
  if (stateful !== undefined) return stateful(bytes);
  const name = Object.hasOwn(ALIASES, label) ? ALIASES[label] : iconvName(label);
  if (name === undefined || name === null) return null;
  // Mail that calls itself US-ASCII and has 8-bit bytes is mail without a declared charset.
  if (name === 'ascii') return decodeUndeclared(bytes);
  return iconv.decode(bytes, name);
}

/** Text of bytes whose charset nobody has declared: UTF-8 when it is valid (RFC 6532), else windows-1252. */
export function decodeUndeclared(bytes: Buffer): string {
  if (isUtf8(bytes)) return bytes.toString('utf8');
  return iconv.decode(bytes, 'windows-1252');
}

function labelOf(charset: string): string {
  const star = charset.indexOf('*');
  const bare = star < 0 ? charset : charset.slice(0, star);
  // A year as in `ISO_8859-1:1987` names the standard, not another charset.
  return bare
    .toLowerCase()
    .replace(/:\d{4}\W*$/, '')
    .replace(/[^0-9a-z]/g, '');
}

/** What iconv-lite said of labels that were asked for: its "no" is an exception, which is slow. */
const asked = new Map<string, string | null>();
const MAX_ASKED = 1000;

/** `cp850`, `xcp1251`, `windows31j`: as iconv-lite knows them, or without the `x` in front. */
function iconvName(label: string): string | null {
  let name = asked.get(label);
  if (name === undefined) {
    const candidates = label.startsWith('x') ? [label, label.slice(1)] : [label];
    name = candidates.find(it => !NO_CHARSETS.has(it) && iconv.encodingExists(it)) ?? null;
    if (asked.size >= MAX_ASKED) asked.clear();
    asked.set(label, name);
  }
  return name;
}

/**
 * RFC 1468, with half-width katakana (ESC ( I) and JIS X 0212 as Japanese mail has them. The charset has no 8-bit bytes:
 * mail with these, and without escapes, is UTF-8 or Shift_JIS under a wrong name.
 */
function decodeIso2022Jp(bytes: Buffer): string {
  let eightBit = 0;
  if (!isAscii(bytes)) {
    if (isUtf8(bytes)) return bytes.toString('utf8');
    for (const byte of bytes) if (byte >= 0x80) eightBit++;
    // A single one is damage, and no Japanese.
    if (!bytes.includes(ESC))
      return eightBit > 1
        ? iconv.decode(bytes, 'cp932')
        : bytes.toString('latin1').replace(/[\x80-\xff]/, REPLACEMENT);
  }
  const clean = eightBit === 0 ? bytes : bytes.map(b => (b < 0x80 ? b : QUESTION));
  return encodingJapanese.convert(clean, { to: 'UNICODE', from: 'JIS', type: 'string' });
}

/**
 * RFC 1557: KS C 5601 between SO and SI, ASCII else; every line begins in ASCII. The designator ESC $ ) C is dropped
 * wherever it stands and not asked for: encoded words often lack it.
 */
function decodeIso2022Kr(bytes: Buffer): string {
  // KS C 5601 in the left half of EUC-KR's code table becomes EUC-KR by its high bits.
  const euc = Buffer.allocUnsafe(bytes.length);
  let length = 0;
  let shifted = false;
  for (let i = 0; i < bytes.length; i++) {
    const b = bytes[i] ?? 0;
    if (b === ESC && bytes.toString('latin1', i + 1, i + 4) === '$)C') i += 3;
    else if (b === SHIFT_OUT) shifted = true;
    else if (b === SHIFT_IN) shifted = false;
    else {
      if (b === 10 || b === 13) shifted = false;
      euc[length++] = shifted && b > 0x20 && b < 0x7f ? b | 0x80 : b;
    }
  }
  return iconv.decode(euc.subarray(0, length), 'cp949');
}

/** RFC 1843: GB 2312 between ~{ and ~}, `~~` is a tilde, `~` before a line end joins lines. */
function decodeHz(bytes: Buffer): string {
  const euc = Buffer.allocUnsafe(bytes.length);
  let length = 0;
  let shifted = false;
  for (let i = 0; i < bytes.length; i++) {
    const b = bytes[i] ?? 0;
    const next = bytes[i + 1];
    if (shifted && b === TILDE && next === 0x7d) {
      shifted = false;
      i++;
    } else if (shifted && b > 0x20 && b < 0x7f && next !== undefined && next > 0x20 && next < 0x7f) {
      // The second byte of a character may be a tilde.
      euc[length++] = b | 0x80;
      euc[length++] = next | 0x80;
      i++;
    } else if (!shifted && b === TILDE && (next === 0x7b || next === TILDE || next === 10)) {
      shifted = next === 0x7b;
      if (next === TILDE) euc[length++] = b;
      i++;
    } else {
      if (b === 10) shifted = false;
      euc[length++] = b;
    }
  }
  return iconv.decode(euc.subarray(0, length), 'gb18030');
}

/**
 * Text of raw bytes in a header, where no charset can be declared: UTF-8 or windows-1252, or what the escape sequences
 * of ISO-2022-JP and -KR say.
 */
export function decodeRawHeader(bytes: Buffer): string {
  if (bytes.includes(ESC) && isAscii(bytes)) {
    if (bytes.includes('\x1b$)C')) return decodeIso2022Kr(bytes);
    if (bytes.includes('\x1b$B') || bytes.includes('\x1b$@') || bytes.includes('\x1b(I'))
      return decodeIso2022Jp(bytes);
  }
  return decodeUndeclared(bytes);
}

/** True when the text has characters that its bytes did not give: the charset was not the right one. */
export function hasReplacement(text: string): boolean {
  return text.includes(REPLACEMENT);
}
