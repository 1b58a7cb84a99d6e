import { deflateRawSync } from 'node:zlib';
import type { AnomalyName } from '../../../../src/model/mime.ts';

/** A message that hides `e.exe` from careless readers. */
export interface Evasion {
  readonly name: string;
  /** A byte string. */
  readonly message: string;
  /** What must be noted, at least; null where nothing is odd. */
  readonly anomaly: AnomalyName | null;
}

const EXE = 'TVqQAAMAAAAEAAAA//8AALgAAAAAAAAAQAAAAAAAAAA=';
const HEAD = 'From: a@client.example\r\nTo: b@sink.example\r\nSubject: x\r\nMIME-Version: 1.0\r\n';

const lines = (...all: readonly string[]) => all.map(line => `${line}\r\n`).join('');

const exePart = lines(
  'Content-Type: application/octet-stream; name="e.exe"',
  'Content-Transfer-Encoding: base64',
  'Content-Disposition: attachment; filename="e.exe"',
  '',
  EXE,
);
const textPart = lines('Content-Type: text/plain', '', 'Hello.');

/** Text, then `e.exe`, with boundary B. */
const parts = (boundary = 'B', middle = `--${boundary}`) =>
  `--${boundary}\r\n${textPart}${middle}\r\n${exePart}--${boundary}--\r\n`;

const mixed = (contentType: string, body = parts()) => `${HEAD}Content-Type: ${contentType}\r\n\r\n${body}`;
const b64 = (text: string) =>
  Buffer.from(text, 'latin1')
    .toString('base64')
    .replaceAll(/.{1,76}/g, '$&\r\n');
const quoted = (text: string) => text.replaceAll('=', '=3D');

const inner = mixed('multipart/mixed; boundary=B');
const attachedMessage = (fields: string, body: string, type = 'message/rfc822') =>
  mixed('multipart/mixed; boundary=O', `--O\r\nContent-Type: ${type}\r\n${fields}\r\n${body}\r\n--O--\r\n`);

/** A part with these fields and body between text parts. */
const single = (fields: readonly string[], body: string) =>
  mixed(
    'multipart/mixed; boundary=B',
    `--B\r\n${textPart}--B\r\n${lines(...fields)}\r\n${body}\r\n--B--\r\n`,
  );

/** A zip that holds one empty file of that name. */
export function zipOf(name: string, content: Buffer = Buffer.alloc(0)): Buffer {
  const packed = deflateRawSync(content);
  const fixed = Buffer.alloc(26);
  fixed.writeUInt16LE(20, 0);
  fixed.writeUInt16LE(8, 4);
  fixed.writeUInt32LE(crc32(content), 10);
  fixed.writeUInt32LE(packed.length, 14);
  fixed.writeUInt32LE(content.length, 18);
  fixed.writeUInt16LE(name.length, 22);
  const local = Buffer.concat([Buffer.from('PK\x03\x04'), fixed, Buffer.from(name), packed]);
  const entry = Buffer.concat([
    Buffer.from('PK\x01\x02\x14\0', 'latin1'),
    fixed,
    Buffer.alloc(14),
    Buffer.from(name),
  ]);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  end.writeUInt16LE(1, 8);
  end.writeUInt16LE(1, 10);
  end.writeUInt32LE(entry.length, 12);
  end.writeUInt32LE(local.length, 16);
  return Buffer.concat([local, entry, end]);
}

function crc32(bytes: Buffer): number {
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xed_b8_83_20 : 0);
  }
  return ~crc >>> 0;
}

/** winmail.dat with one attachment of that name (MS-OXTNEF 2.1.3). */
function tnefOf(name: string, content: Buffer = Buffer.from('MZ')): Buffer {
  const attribute = (id: number, data: Buffer) => {
    const head = Buffer.alloc(9);
    head[0] = 2;
    head.writeUInt32LE(id, 1);
    head.writeUInt32LE(data.length, 5);
    const sum = Buffer.alloc(2);
    sum.writeUInt16LE(data.reduce((total, byte) => (total + byte) & 0xff_ff, 0));
    return Buffer.concat([head, data, sum]);
  };
  return Buffer.concat([
    Buffer.from([0x78, 0x9f, 0x3e, 0x22, 1, 0]),
    attribute(0x0006_9002, Buffer.alloc(14)),
    attribute(0x0001_8010, Buffer.from(`${name}\0`)),
    attribute(0x0006_800f, content),
  ]);
}

const uuencoded = lines('begin 644 e.exe', '#3&5A', '`', 'end');
const tnef = tnefOf('e.exe').toString('latin1');
const zip = zipOf('e.exe').toString('latin1');

export const EVASIONS: readonly Evasion[] = [
  { name: 'plain', message: inner, anomaly: null },
  { name: 'no MIME-Version', message: inner.replace('MIME-Version: 1.0\r\n', ''), anomaly: null },
  { name: 'LF line ends', message: inner.replaceAll('\r\n', '\n'), anomaly: 'MIME_BARE_LF' },
  {
    name: 'two Content-Type fields, text first',
    message: mixed('text/plain\r\nContent-Type: multipart/mixed; boundary=B'),
    anomaly: 'MIME_TYPE_MANY',
  },
  {
    name: 'two Content-Type fields, text last',
    message: mixed('multipart/mixed; boundary=B\r\nContent-Type: text/plain'),
    anomaly: 'MIME_TYPE_MANY',
  },
  {
    name: 'two Content-Type fields with boundaries of their own, first',
    message: mixed('multipart/mixed; boundary=B\r\nContent-Type: multipart/mixed; boundary=X'),
    anomaly: 'MIME_TYPE_MANY',
  },
  {
    name: 'two Content-Type fields with boundaries of their own, last',
    message: mixed('multipart/mixed; boundary=X\r\nContent-Type: multipart/mixed; boundary=B'),
    anomaly: 'MIME_TYPE_MANY',
  },
  {
    name: 'two boundaries, the first counts',
    message: mixed('multipart/mixed; boundary=B; boundary=X'),
    anomaly: 'MIME_BOUNDARY_MANY',
  },
  {
    name: 'two boundaries, the last counts',
    message: mixed('multipart/mixed; boundary=X; boundary=B'),
    anomaly: 'MIME_BOUNDARY_MANY',
  },
  {
    name: 'two boundaries, the decoy cuts the attachment',
    message: mixed(
      'multipart/mixed; boundary=X; boundary=B',
      parts().replace('Content-Transfer', '--X\r\n\r\nContent-Transfer'),
    ),
    anomaly: 'MIME_BOUNDARY_MANY',
  },
  {
    name: 'boundary in a comment',
    message: mixed('multipart/mixed; (; boundary=B;) boundary=X'),
    anomaly: 'MIME_BOUNDARY_COMMENT',
  },
  {
    name: 'boundary behind a comment that holds another',
    message: mixed('multipart/mixed; (boundary=X) boundary=B'),
    anomaly: 'MIME_BOUNDARY_COMMENT',
  },
  {
    name: 'boundary in RFC 2231 pieces',
    message: mixed('multipart/mixed; boundary*0="B"; boundary*1="C"', parts('BC')),
    anomaly: null,
  },
  {
    name: 'boundary with a charset',
    message: mixed("multipart/mixed; boundary*=us-ascii''B"),
    anomaly: null,
  },
  {
    name: 'boundary with blanks at its ends',
    message: mixed('multipart/mixed; boundary=" B "'),
    anomaly: 'MIME_BOUNDARY_PADDED',
  },
  {
    name: 'unquoted boundary with a blank in it',
    message: mixed('multipart/mixed; boundary=B C; x=y'),
    anomaly: 'MIME_BOUNDARY_MANY',
  },
  {
    name: 'boundary without its closing quote',
    message: mixed('multipart/mixed; boundary="B'),
    anomaly: 'MIME_TYPE_INVALID',
  },
  {
    name: 'boundary with a backslash',
    message: mixed('multipart/mixed; boundary="\\B"'),
    anomaly: 'MIME_BOUNDARY_MANY',
  },
  {
    name: 'boundary without a semicolon before it',
    message: mixed('multipart/mixed boundary=B'),
    anomaly: 'MIME_TYPE_INVALID',
  },
  {
    name: 'boundary with other characters',
    message: mixed('multipart/mixed; boundary="B{}"', parts('B{}')),
    anomaly: 'MIME_BOUNDARY_INVALID',
  },
  {
    name: 'boundary of 100 characters',
    message: mixed(`multipart/mixed; boundary="${'B'.repeat(100)}"`, parts('B'.repeat(100))),
    anomaly: 'MIME_BOUNDARY_INVALID',
  },
  {
    name: 'empty boundary',
    message: mixed('multipart/mixed; boundary=""', parts('')),
    anomaly: 'MIME_BOUNDARY_EMPTY',
  },
  { name: 'no boundary', message: mixed('multipart/mixed'), anomaly: 'MIME_BOUNDARY_MISSING' },
  { name: 'type without a subtype', message: mixed('multipart; boundary=B'), anomaly: 'MIME_TYPE_INVALID' },
  {
    name: 'type with too many slashes',
    message: mixed('multipart/mixed/x; boundary=B'),
    anomaly: 'MIME_TYPE_INVALID',
  },
  { name: 'type in quotes', message: mixed('"multipart/mixed"; boundary=B'), anomaly: 'MIME_TYPE_INVALID' },
  {
    name: 'type of letters only, with a boundary',
    message: mixed('mixed; boundary=B'),
    anomaly: 'MIME_TYPE_INVALID',
  },
  { name: 'type with a blank', message: mixed('multipart / mixed; boundary=B'), anomaly: null },
  {
    name: 'field name in other letters',
    message: inner.replace('Content-Type: multi', 'cONTENT-tYPE: multi'),
    anomaly: null,
  },
  {
    name: 'blank before the colon',
    message: inner.replaceAll('Content-Type:', 'Content-Type :'),
    anomaly: null,
  },
  { name: 'folded with a TAB', message: inner.replace('; boundary', ';\r\n\tboundary'), anomaly: null },
  {
    name: 'folded with a line of blanks',
    message: inner.replace('; boundary', ';\r\n \r\n boundary'),
    anomaly: null,
  },
  {
    name: 'NUL in the field name',
    message: inner.replace('Content-Type: multi', 'Content-\0Type: multi'),
    anomaly: 'MIME_NUL',
  },
  {
    name: 'NUL behind the boundary',
    message: inner.replace('boundary=B', 'boundary=B\0x'),
    anomaly: 'MIME_NUL',
  },
  {
    name: 'byte order mark before the header',
    message: inner.replace(/^[\s\S]*?(?=Content-Type)/, '\xef\xbb\xbf'),
    anomaly: 'MIME_HEADER_NO_COLON',
  },
  {
    name: 'blanks behind a delimiter',
    message: mixed('multipart/mixed; boundary=B', parts('B', '--B  \t')),
    anomaly: 'MIME_BOUNDARY_PADDED',
  },
  {
    name: 'text behind a delimiter',
    message: mixed('multipart/mixed; boundary=B', parts('B', '--Bxyz')),
    anomaly: 'MIME_BOUNDARY_PADDED',
  },
  {
    name: 'text behind a delimiter that looks closing',
    message: mixed('multipart/mixed; boundary=B', parts('B', '--B--x')),
    anomaly: 'MIME_BOUNDARY_PADDED',
  },
  {
    name: 'parts after the closing delimiter',
    message: mixed('multipart/mixed; boundary=B', parts('B', '--B--\r\n\r\n--B')),
    anomaly: 'MIME_AFTER_CLOSE',
  },
  {
    name: 'closing delimiter first',
    message: mixed('multipart/mixed; boundary=B', `--B--\r\n${parts()}`),
    anomaly: 'MIME_AFTER_CLOSE',
  },
  { name: 'no closing delimiter', message: inner.replace('--B--\r\n', ''), anomaly: 'MIME_UNCLOSED' },
  {
    name: 'cut in the header of the part',
    message: inner.slice(0, inner.indexOf('\r\nContent-Transfer')),
    anomaly: 'MIME_UNCLOSED',
  },
  {
    name: 'inner multipart with the boundary of the outer',
    message: mixed(
      'multipart/mixed; boundary=B',
      `--B\r\nContent-Type: multipart/mixed; boundary=B\r\n\r\n${parts()}`,
    ),
    anomaly: 'MIME_BOUNDARY_REUSED',
  },
  {
    name: 'inner boundary that begins with the outer one',
    message: mixed(
      'multipart/mixed; boundary=B',
      `--B\r\nContent-Type: multipart/mixed; boundary=BB\r\n\r\n${parts('BB')}\r\n--B--\r\n`,
    ),
    anomaly: null,
  },
  {
    name: 'outer boundary that begins with the inner one',
    message: mixed(
      'multipart/mixed; boundary=BB',
      `--BB\r\nContent-Type: multipart/mixed; boundary=B\r\n\r\n${parts()}\r\n--BB--\r\n`,
    ),
    anomaly: null,
  },
  {
    name: 'parts of an inner multipart that the outer one has left',
    message: mixed(
      'multipart/mixed; boundary=O',
      `--O\r\nContent-Type: multipart/mixed; boundary=B\r\n\r\n--B\r\n${textPart}--O\r\n\r\nx\r\n--B\r\n${exePart}--O--\r\n`,
    ),
    anomaly: 'MIME_BOUNDARY_PADDED',
  },
  {
    name: 'line without colon before Content-Type',
    message: inner.replace('Content-Type: multi', 'no field\r\nContent-Type: multi'),
    anomaly: 'MIME_HEADER_NO_COLON',
  },
  {
    name: 'line without colon in the header of the part',
    message: inner.replace('Content-Type: application', 'no field\r\nContent-Type: application'),
    anomaly: 'MIME_HEADER_NO_COLON',
  },
  {
    name: 'no empty line between header and body',
    message: inner.replace('boundary=B\r\n\r\n', 'boundary=B\r\n'),
    anomaly: 'MIME_HEADER_NO_COLON',
  },
  {
    name: 'a line of blanks ends the header',
    message: mixed(
      'multipart/mixed; boundary=B',
      `--B\r\nContent-Type: multipart/mixed; boundary=C\r\n \r\n--C\r\n${exePart}--C--\r\n--B--\r\n`,
    ),
    anomaly: null,
  },
  {
    name: 'base64 multipart',
    message: mixed('multipart/mixed; boundary=B\r\nContent-Transfer-Encoding: base64', b64(parts())),
    anomaly: 'MIME_ENCODED_MULTIPART',
  },
  {
    name: 'base64 multipart that is not encoded',
    message: mixed('multipart/mixed; boundary=B\r\nContent-Transfer-Encoding: base64'),
    anomaly: 'MIME_ENCODED_MULTIPART',
  },
  {
    name: 'quoted-printable multipart',
    message: mixed(
      'multipart/mixed; boundary="=B"\r\nContent-Transfer-Encoding: quoted-printable',
      quoted(parts('=B')),
    ),
    anomaly: 'MIME_ENCODED_MULTIPART',
  },
  { name: 'attached message', message: attachedMessage('', inner), anomaly: null },
  {
    name: 'attached message, another type',
    message: attachedMessage('', inner, 'message/global'),
    anomaly: null,
  },
  {
    name: 'attached message in base64',
    message: attachedMessage('Content-Transfer-Encoding: base64\r\n', b64(inner)),
    anomaly: 'MIME_ENCODED_MESSAGE',
  },
  {
    name: 'attached message that claims base64',
    message: attachedMessage('Content-Transfer-Encoding: base64\r\n', inner),
    anomaly: 'MIME_ENCODED_MESSAGE',
  },
  {
    name: 'attached message in quoted-printable',
    message: attachedMessage('Content-Transfer-Encoding: quoted-printable\r\n', quoted(inner)),
    anomaly: 'MIME_ENCODED_MESSAGE',
  },
  {
    name: 'message in a message, both in base64',
    message: attachedMessage(
      'Content-Transfer-Encoding: base64\r\n',
      b64(attachedMessage('Content-Transfer-Encoding: base64\r\n', b64(inner))),
    ),
    anomaly: 'MIME_ENCODED_MESSAGE',
  },
  {
    name: 'message of a digest without a type',
    message: mixed('multipart/digest; boundary=O', `--O\r\n\r\n${inner}\r\n--O--\r\n`),
    anomaly: null,
  },
  {
    name: 'message/partial',
    message: attachedMessage('', inner, 'message/partial; id=a; number=1'),
    anomaly: 'MIME_PARTIAL',
  },
  {
    name: 'message/external-body',
    message: attachedMessage('', exePart, 'message/external-body; access-type=x'),
    anomaly: 'MIME_EXTERNAL',
  },
  {
    name: 'attached message in base64 that goes on after padding',
    message: attachedMessage(
      'Content-Transfer-Encoding: base64\r\n',
      `${b64('Subject: xy\r\n')}${b64(inner)}`,
    ),
    anomaly: 'MIME_BASE64_AFTER_PADDING',
  },
  {
    name: 'zip in base64 that goes on after padding',
    message: single(
      ['Content-Type: application/zip', 'Content-Transfer-Encoding: base64'],
      `${b64(`${zip}${'\0'.repeat((4 - (zip.length % 3)) % 3)}`)}=\r\n${b64('rubbish')}`,
    ),
    anomaly: 'MIME_BASE64_AFTER_PADDING',
  },
  {
    name: 'zip in base64 with stray bytes',
    message: single(
      ['Content-Type: application/zip', 'Content-Transfer-Encoding: base64'],
      b64(zip).replaceAll(/(.{10})/g, '$1-!_'),
    ),
    anomaly: 'MIME_BASE64_INVALID',
  },
  {
    name: 'zip under two encodings, base64 first',
    message: single(
      [
        'Content-Type: application/zip',
        'Content-Transfer-Encoding: base64',
        'Content-Transfer-Encoding: 7bit',
      ],
      b64(zip),
    ),
    anomaly: 'MIME_ENCODING_MANY',
  },
  {
    name: 'zip under two encodings, base64 last',
    message: single(
      [
        'Content-Type: application/zip',
        'Content-Transfer-Encoding: 7bit',
        'Content-Transfer-Encoding: base64',
      ],
      b64(zip),
    ),
    anomaly: 'MIME_ENCODING_MANY',
  },
  ...['base64;', '"base64"', 'base 64', 'x-base64', 'base64 x', 'BASE64\t;charset=x'].map(encoding => ({
    name: `zip under the encoding ${encoding}`,
    message: single(['Content-Type: application/zip', `Content-Transfer-Encoding: ${encoding}`], b64(zip)),
    anomaly: 'MIME_ENCODING_UNKNOWN' as const,
  })),
  {
    name: 'zip under an encoding with a comment',
    message: single(['Content-Type: application/zip', 'Content-Transfer-Encoding: (x) base64 (y)'], b64(zip)),
    anomaly: null,
  },
  {
    name: 'zip in base64 under an encoding field with a blank before its colon',
    message: single(['Content-Type: application/zip', 'Content-Transfer-Encoding : base64'], b64(zip)),
    anomaly: null,
  },
  {
    name: 'zip with another type and name',
    message: single(['Content-Type: image/png; name=a.png', 'Content-Transfer-Encoding: base64'], b64(zip)),
    anomaly: null,
  },
  { name: 'uuencoded in text', message: single(['Content-Type: text/plain'], uuencoded), anomaly: null },
  { name: 'uuencoded in a message without MIME', message: `Subject: x\r\n\r\n${uuencoded}`, anomaly: null },
  {
    name: 'uuencoded in base64 text',
    message: single(['Content-Type: text/plain', 'Content-Transfer-Encoding: base64'], b64(uuencoded)),
    anomaly: null,
  },
  {
    name: 'uuencoded before the first part',
    message: mixed('multipart/mixed; boundary=B', `${uuencoded}--B\r\n${textPart}--B--\r\n`),
    anomaly: null,
  },
  {
    name: 'uuencoded after the last part',
    message: mixed('multipart/mixed; boundary=B', `--B\r\n${textPart}--B--\r\n${uuencoded}`),
    anomaly: null,
  },
  {
    name: 'uuencoded under x-uuencode',
    message: single(
      ['Content-Type: application/octet-stream', 'Content-Transfer-Encoding: x-uuencode'],
      uuencoded,
    ),
    anomaly: null,
  },
  {
    name: 'TNEF',
    message: single(['Content-Type: application/ms-tnef', 'Content-Transfer-Encoding: base64'], b64(tnef)),
    anomaly: null,
  },
  {
    name: 'TNEF under another type',
    message: single(
      ['Content-Type: application/octet-stream', 'Content-Transfer-Encoding: base64'],
      b64(tnef),
    ),
    anomaly: null,
  },
  {
    name: 'zip in TNEF',
    message: single(
      ['Content-Type: application/ms-tnef', 'Content-Transfer-Encoding: base64'],
      b64(tnefOf('a.zip', zipOf('e.exe')).toString('latin1')),
    ),
    anomaly: null,
  },
  {
    name: 'zip in a zip in an attached message in base64',
    message: attachedMessage(
      'Content-Transfer-Encoding: base64\r\n',
      b64(
        single(
          ['Content-Type: application/zip', 'Content-Transfer-Encoding: base64'],
          b64(zipOf('in.zip', zipOf('e.exe')).toString('latin1')),
        ),
      ),
    ),
    anomaly: 'MIME_ENCODED_MESSAGE',
  },
  ...(
    [
      [
        'two dispositions',
        'Content-Disposition: inline\r\nContent-Disposition: attachment; filename=e.exe',
        'MIME_DISPOSITION_MANY',
      ],
      [
        'two dispositions, the name in the first',
        'Content-Disposition: attachment; filename=e.exe\r\nContent-Disposition: attachment; filename=a.txt',
        'MIME_DISPOSITION_MANY',
      ],
      [
        'another name in Content-Type',
        'Content-Type: text/plain; name=a.txt\r\nContent-Disposition: attachment; filename=e.exe',
        'MIME_NAME_DIFFERS',
      ],
      [
        'another name in RFC 2231',
        "Content-Disposition: attachment; filename=a.txt; filename*=us-ascii''e%2Eexe",
        'MIME_NAME_DIFFERS',
      ],
      ['name in pieces', 'Content-Disposition: attachment; filename*0=e.; filename*1=exe', null],
      ['name in an encoded word', 'Content-Disposition: attachment; filename="=?utf-8?B?ZS5leGU=?="', null],
    ] as const
  ).map(([name, fields, anomaly]) => ({ name, message: single([fields], 'x'), anomaly })),
];
