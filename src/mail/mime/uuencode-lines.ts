/** A `begin` line of uuencode. */
export interface Begin {
  /** As it stands, a byte string. */
  readonly name: string;
  readonly base64: boolean;
}

/** Whether a line can be data of a file: well formed, of the right length but with odd bytes, or not at all. */
export type LineState = 'clean' | 'damaged' | 'none';

const MAX_NAME = 1024;

const SPACE = 0x20;
const LETTER_B = 0x62;

/**
 * `begin 644 name`, `begin-base64 644 name`, `begin-base64-encoded 644 bmFtZQ==` (GNU sharutils 4.15); null for what is
 * not one. The mode has to be octal: prose has lines that begin with `begin`.
 */
export function parseBegin(line: string): Begin | null {
  const match = /^begin(-base64(-encoded)?)?[ \t]+[0-7]{3,6}[ \t]+(\S.*)$/s.exec(line);
  if (match === null) return null;
  const [, base64, encoded, written = ''] = match;
  const bare = written.trimEnd().slice(0, MAX_NAME);
  const name = encoded === undefined ? bare : Buffer.from(bare, 'base64').toString('latin1');
  return name === '' ? null : { name, base64: base64 !== undefined };
}

/** Uuencoded text begins so, whatever the type says; the first 64 bytes are looked at. */
export function looksUuencoded(leading: Buffer): boolean {
  const first = leading[0] ?? 0;
  if (first !== LETTER_B && first > SPACE) return false;
  return /^\s*begin(?:-base64(?:-encoded)?)?[ \t]+[0-7]{3,6}[ \t]/.test(leading.toString('latin1', 0, 64));
}

/**
 * Judges a line of a file; `end` and the last line of no bytes are clean. Blanks at the end of a line get lost on the
 * way, and some programs add a check sum of one or two characters.
 */
export function isUuLine(line: string, base64: boolean): LineState {
  if (base64) {
    if (/^={4}\s*$/.test(line)) return 'clean';
    if (/^[A-Za-z0-9+/]+={0,2}\s*$/.test(line)) return 'clean';
    return /^[A-Za-z0-9+/=_\s-]+$/.test(line) && !/[a-z] [a-z]/i.test(line) ? 'damaged' : 'none';
  }
  if (/^end\s*$/i.test(line)) return 'clean';
  const count = byteCount(line);
  if (count === 0) return /^[ `]\s*.?$/.test(line) ? 'clean' : 'none';
  const given = line.trimEnd().length - 1;
  const wanted = Math.ceil(count / 3) * 4;
  if (line.length - 1 > wanted + 2) return 'none';
  if (/^[ -`\t]*$/.test(line)) {
    if (given >= minimalLength(count)) return 'clean';
    // Shorter: its blanks are lost, or it is a short line in capitals.
    return /^[ -`]*$/.test(line) && given * 2 >= wanted ? 'clean' : 'none';
  }
  return Math.abs(line.length - 1 - wanted) <= 2 ? 'damaged' : 'none';
}

function byteCount(line: string): number {
  return ((line.charCodeAt(0) || 0x20) - 0x20) & 0x3f;
}

/** Characters that `count` bytes need, without those that only fill the last four up. */
function minimalLength(count: number): number {
  return Math.ceil((count * 4) / 3);
}

/** Bytes of one data line: as many as its first character says; lost blanks are zero bits. */
export function decodeUuLine(line: string): Buffer {
  const count = byteCount(line);
  const bytes = Buffer.alloc(Math.ceil(count / 3) * 3);
  for (let i = 0, at = 1; i < count; i += 3, at += 4) {
    const bits =
      (six(line, at) << 18) | (six(line, at + 1) << 12) | (six(line, at + 2) << 6) | six(line, at + 3);
    bytes.writeUIntBE(bits, i, 3);
  }
  return bytes.subarray(0, count);
}

function six(line: string, at: number): number {
  const code = line.charCodeAt(at);
  return Number.isNaN(code) ? 0 : (code - 0x20) & 0x3f;
}

/** Bytes of one line of `begin-base64`. Lines hold whole groups of four. */
export function decodeBase64Line(line: string): Buffer {
  return Buffer.from(line, 'base64');
}

/**
 * The fast way for lines that are exactly as they should be: decodes `bytes` from `start` to `end` into `out` at `to`,
 * where 63 bytes have to be free. Gives the number of bytes, or -1 for any other line, of which nothing is decoded.
 */
export function decodeExactLine(bytes: Buffer, start: number, end: number, out: Buffer, to: number): number {
  const count = ((bytes[start] ?? 0) - 0x20) & 0x3f;
  if (count === 0 || end - start - 1 !== Math.ceil(count / 3) * 4) return -1;
  let odd = ((bytes[start] ?? 0) - 0x20) >>> 0 > 0x40;
  let put = to;
  for (let at = start + 1; at < end; at += 4) {
    const a = (bytes[at] ?? 0) - 0x20;
    const b = (bytes[at + 1] ?? 0) - 0x20;
    const c = (bytes[at + 2] ?? 0) - 0x20;
    const d = (bytes[at + 3] ?? 0) - 0x20;
    odd ||= a > 0x40 || b > 0x40 || c > 0x40 || d > 0x40 || (a | b | c | d) < 0;
    const bits = ((a & 63) << 18) | ((b & 63) << 12) | ((c & 63) << 6) | (d & 63);
    out[put++] = bits >> 16;
    out[put++] = (bits >> 8) & 255;
    out[put++] = bits & 255;
  }
  return odd ? -1 : count;
}
