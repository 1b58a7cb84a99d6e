import type { AnomalyName } from '../../../src/model/mime.ts';

/** As spool files give them. */
const CHUNK = 256 * 1024;

const HEAD = 'From: a@client.example\r\nMIME-Version: 1.0\r\n';
const MIXED = `${HEAD}Content-Type: multipart/mixed; boundary=B\r\n\r\n`;
const FILE = 'Content-Disposition: attachment; filename=e.exe\r\n\r\nx\r\n';

/** A message in pieces, as a spool file would give it. */
export function inChunks(text: string): readonly Buffer[] {
  const bytes = Buffer.from(text, 'latin1');
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += CHUNK) pieces.push(bytes.subarray(at, at + CHUNK));
  return pieces;
}

/** What `work` comes to, and the longest work in which nobody else had a turn: CPU time, since tests share their machine. */
export async function watched<T>(work: () => T | Promise<T>): Promise<{ result: T; longest: number }> {
  let done = false;
  let longest = 0;
  let last = worked();
  const tick = () => {
    const now = worked();
    longest = Math.max(longest, now - last);
    last = now;
    if (!done) setImmediate(tick);
  };
  setImmediate(tick);
  try {
    const result = await work();
    return { result, longest: Math.max(longest, worked() - last) };
  } finally {
    done = true;
  }
}

/** CPU time of this thread, milliseconds. */
function worked(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

/** Mail that is made to cost its reader more than it may. */
export interface Hostile {
  readonly name: string;
  readonly text: () => string;
  readonly rules: readonly AnomalyName[];
  /** `e.exe` is still found. */
  readonly found: boolean;
}

const nested = (depth: number, fields: (level: number) => string) => {
  let text = HEAD;
  for (let level = 0; level < depth; level++) text += fields(level);
  return text;
};

export const HOSTILE: readonly Hostile[] = [
  {
    name: '100,000 parts',
    text: () =>
      `${MIXED}--B\r\n${FILE}${'--B\r\nContent-Type: text/plain\r\n\r\nx\r\n'.repeat(100_000)}--B--\r\n`,
    rules: ['MIME_PARTS'],
    found: true,
  },
  {
    name: '20,000 nested multiparts',
    text: () =>
      nested(20_000, level => `Content-Type: multipart/mixed; boundary=B${level}\r\n\r\n--B${level}\r\n`) +
      FILE,
    rules: ['MIME_DEPTH'],
    found: false,
  },
  {
    name: '20,000 nested multiparts with one boundary',
    text: () => nested(20_000, () => 'Content-Type: multipart/mixed; boundary=B\r\n\r\n--B\r\n') + FILE,
    rules: ['MIME_BOUNDARY_REUSED'],
    found: false,
  },
  {
    name: '20,000 nested messages',
    text: () => nested(20_000, () => 'Content-Type: message/rfc822; name=a.eml\r\n\r\n') + FILE,
    rules: ['MIME_DEPTH'],
    found: false,
  },
  {
    name: '2,000 nested messages with doubtful headers and two types',
    text: () =>
      nested(2000, () => 'Content-Type: text/plain\r\nContent-Type: message/rfc822\r\nno field\r\n\r\n') +
      FILE,
    rules: ['MIME_DEPTH', 'MIME_TYPE_MANY', 'MIME_HEADER_NO_COLON'],
    found: false,
  },
  {
    name: '50,000 header fields',
    text: () =>
      `${HEAD}${'X: y\r\n'.repeat(50_000)}Content-Type: multipart/mixed; boundary=B\r\n\r\n--B\r\n${FILE}`,
    rules: ['MIME_HEADER_LONG'],
    found: false,
  },
  {
    name: '50,000 Content-Type fields',
    text: () => `${HEAD}${'Content-Type: multipart/mixed; boundary=B\r\n'.repeat(50_000)}\r\n--B\r\n${FILE}`,
    rules: ['MIME_HEADER_LONG', 'MIME_TYPE_MANY'],
    found: true,
  },
  {
    name: 'a header of 5 MB',
    text: () => `${MIXED}--B\r\nX: ${'y'.repeat(5_000_000)}\r\n${FILE}--B--\r\n--B\r\n${FILE}`,
    rules: ['MIME_HEADER_LONG', 'MIME_LINE_LONG'],
    found: true,
  },
  {
    name: 'a field of 5 MB in folded lines',
    text: () =>
      `${MIXED}--B\r\nContent-Type: text/plain;${'\r\n x=y;'.repeat(800_000)}\r\n\r\n--B\r\n${FILE}`,
    rules: ['MIME_HEADER_LONG'],
    found: true,
  },
  {
    name: '500,000 nested tags',
    text: () =>
      `${MIXED}--B\r\nContent-Type: text/html\r\n\r\n${'<div>\r\n'.repeat(500_000)}\r\n--B\r\n${FILE}`,
    rules: [],
    found: true,
  },
  {
    name: 'a line of 50 MB',
    text: () => `${MIXED}--B\r\n\r\n${'x'.repeat(50_000_000)}\r\n--B\r\n${FILE}`,
    rules: ['MIME_LINE_LONG'],
    found: true,
  },
  {
    name: '1 MB of dashes',
    text: () => `${MIXED}--B\r\n\r\n${'-'.repeat(1_000_000)}\r\n--B\r\n${FILE}`,
    rules: ['MIME_LINE_LONG'],
    found: true,
  },
  {
    name: 'a million lines like delimiters',
    text: () => `${MIXED}--B\r\n\r\n${'--A\r\n'.repeat(1_000_000)}--B\r\n${FILE}`,
    rules: [],
    found: true,
  },
  {
    name: 'a million lines that begin with the boundary',
    text: () => `${MIXED}--B\r\n\r\n${'--Bx\r\n'.repeat(1_000_000)}--B\r\n${FILE}`,
    rules: ['MIME_BOUNDARY_PADDED'],
    found: true,
  },
  {
    name: 'a million empty lines',
    text: () => `${MIXED}${'\r\n'.repeat(1_000_000)}--B\r\n${FILE}`,
    rules: [],
    found: true,
  },
  {
    name: '5 MB of base64 that is none',
    text: () =>
      `${MIXED}--B\r\nContent-Transfer-Encoding: base64\r\n\r\n${'A=-\t\x80'.repeat(1_000_000)}\r\n--B\r\n${FILE}`,
    rules: ['MIME_BASE64_INVALID', 'MIME_BASE64_AFTER_PADDING'],
    found: true,
  },
  {
    name: '5 MB of quoted-printable that is none',
    text: () =>
      `${MIXED}--B\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n${'= \t=x'.repeat(1_000_000)}\r\n--B\r\n${FILE}`,
    rules: ['MIME_QP_INVALID'],
    found: true,
  },
  {
    name: '5 MB of blanks in quoted-printable',
    text: () =>
      `${MIXED}--B\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=${' '.repeat(5_000_000)}\r\n--B\r\n${FILE}`,
    rules: ['MIME_QP_INVALID'],
    found: true,
  },
  {
    name: '300,000 begin lines',
    text: () => `${HEAD}\r\n${'begin 644 e.exe\r\n#3&5A\r\n'.repeat(300_000)}`,
    rules: ['MIME_UUENCODE_UNREADABLE'],
    found: true,
  },
];
