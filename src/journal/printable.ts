/** Everything that does not show itself, or changes how its neighbours show: controls, formats, odd blanks. */
const INVISIBLE = /[\p{C}\p{Z}\p{Default_Ignorable_Code_Point}]/u;

const PLAIN = /^[ -[\]-~]*$/;

/** Refuses overlong forms, surrogates and what is beyond Unicode (RFC 3629). */
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * A byte string from outside as one line that is safe to print: valid UTF-8 shows as itself, any other byte as `\xNN`,
 * characters that are invisible or steer the terminal or the reading direction as `\n`, `\t`, `\x1b`, `\u{202e}`, and
 * `\` as `\\`, so that nothing can be mistaken for anything else. Chars above U+00FF, which a byte string has none of,
 * show by the same rules.
 */
export function printable(bytes: string): string {
  if (PLAIN.test(bytes)) return bytes;
  let text = '';
  for (let i = 0; i < bytes.length; ) {
    const length = sequenceLength(bytes, i);
    const decoded = length > 1 ? decode(bytes.slice(i, i + length)) : null;
    if (decoded !== null) {
      text += shown(decoded);
      i += length;
    } else {
      const char = String.fromCodePoint(bytes.codePointAt(i) ?? 0);
      text += char > '\x7f' && char <= '\xff' ? byteEscape(char.charCodeAt(0)) : shown(char);
      i += char.length;
    }
  }
  return text;
}

/**
 * Takes the escapes of `printable` back, so that what was printed can be given as an argument again. Returns a byte
 * string; `text` is what a user typed.
 */
export function unprintable(text: string): string {
  return text.replace(
    /\\(?:x([0-9a-f]{2})|u\{([0-9a-f]{1,6})\}|([nrt\\]))|[^\\]+/gi,
    (whole, byte?: string, point?: string, letter?: string) => {
      if (byte !== undefined) return String.fromCharCode(Number.parseInt(byte, 16));
      if (point !== undefined) return Number.parseInt(point, 16) > 0x10ffff ? whole : utf8(pointText(point));
      if (letter !== undefined) return { n: '\n', r: '\r', t: '\t' }[letter.toLowerCase()] ?? '\\';
      return utf8(whole);
    },
  );
}

/** The UTF-8 bytes of `text` as a byte string. */
export function utf8(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

function pointText(hex: string): string {
  return String.fromCodePoint(Number.parseInt(hex, 16));
}

/** How many bytes the first byte of a UTF-8 sequence promises; 1 for all that begins none. */
function sequenceLength(bytes: string, at: number): number {
  const first = bytes.charCodeAt(at);
  if (first >= 0xc2 && first <= 0xdf) return 2;
  if (first >= 0xe0 && first <= 0xef) return 3;
  if (first >= 0xf0 && first <= 0xf4) return 4;
  return 1;
}

function decode(sequence: string): string | null {
  for (let i = 0; i < sequence.length; i++) if (sequence.charCodeAt(i) > 0xff) return null;
  try {
    return UTF8.decode(Buffer.from(sequence, 'latin1'));
  } catch {
    return null;
  }
}

/** One character, or its escape. */
function shown(char: string): string {
  if (char === ' ') return char;
  if (char === '\\') return '\\\\';
  if (!INVISIBLE.test(char)) return char;
  const code = char.codePointAt(0) ?? 0;
  switch (char) {
    case '\n':
      return '\\n';
    case '\r':
      return '\\r';
    case '\t':
      return '\\t';
    default:
      return code < 0x80 ? byteEscape(code) : `\\u{${code.toString(16)}}`;
  }
}

function byteEscape(code: number): string {
  return `\\x${code.toString(16).padStart(2, '0')}`;
}
