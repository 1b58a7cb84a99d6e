import { EICAR } from './clamd.ts';
import { tnef } from './tnef-writer.ts';
import { uuencode } from './uuencode-writer.ts';
import { zip } from './zip-writer.ts';

const HEAD = 'From: <a@example.com>\r\nSubject: test\r\nMIME-Version: 1.0\r\n';
const NAMED = 'Content-Type: application/octet-stream; name=e.zip\r\nContent-Transfer-Encoding: ';
const TEXT = 'Content-Type: text/plain\r\n\r\nsee there\r\n';

/** EICAR in a zip: no scanner finds it before the encoding around it is undone. Byte strings here and below. */
const ZIPPED = zip([{ name: 'eicar.com', data: EICAR, method: 'deflated' }]).toString('latin1');

function base64(text: string): string {
  return Buffer.from(text, 'latin1')
    .toString('base64')
    .replaceAll(/.{1,76}/g, '$&\r\n');
}

/** In base64 whose first piece ends with padding. */
function inTwo(text: string): string {
  return base64(text.slice(0, 100)) + base64(text.slice(100));
}

/** Every byte as `=XX`, with these ends of lines. */
function quoted(text: string, softBreak: string): string {
  const hex = Buffer.from(text, 'latin1').toString('hex').toUpperCase();
  return hex.replaceAll(/../g, '=$&').replaceAll(/.{72}/g, `$&${softBreak}`);
}

function uu(text: string, name = 'e.zip'): string {
  return uuencode(Buffer.from(text, 'latin1'), name).replaceAll('\n', '\r\n');
}

/** The same, as clamd does not read it: the mode has four digits. */
function uuFour(text: string, name?: string): string {
  return uu(text, name).replace('begin 644', 'begin 0644');
}

function tnefOf(text: string, title: string): string {
  return tnef([{ title, data: Buffer.from(text, 'latin1') }]).toString('latin1');
}

function multipart(type: string, boundary: string, ...parts: readonly string[]): string {
  const cut = parts.map(part => `--${boundary}\r\n${part}\r\n`).join('');
  return `Content-Type: multipart/${type}; boundary=${boundary}\r\n\r\n${cut}--${boundary}--\r\n`;
}

const file = `${NAMED}base64\r\n\r\n${base64(ZIPPED)}`;
const mixed = multipart('mixed', 'b', TEXT, file);
const part = (fields: string, body: string) =>
  `${HEAD}${multipart('mixed', 'o', TEXT, `${fields}\r\n\r\n${body}`)}`;
const plain = (body: string) => `From: <a@example.com>\r\nSubject: test\r\n\r\n${body}`;

const times = <T>(count: number, start: T, step: (value: T, at: number) => T): T => {
  let value = start;
  for (let at = 0; at < count; at++) value = step(value, at);
  return value;
};

type Hidden = readonly [name: string, message: string];

/** Mail with EICAR in it that clamd 1.4 calls clean, when it is shown the whole message. */
export const MISSED: readonly Hidden[] = [
  ['behind a delimiter with text', `${HEAD}${mixed}`.replace(`--b\r\n${NAMED}`, `--bx\r\n${NAMED}`)],
  ['base64 that goes on after padding', part(`${NAMED}base64`, base64('x') + base64(ZIPPED))],
  [
    'base64 text that goes on after padding',
    part('Content-Type: text/html\r\nContent-Transfer-Encoding: base64', base64('x') + base64(ZIPPED)),
  ],
  ['quoted-printable with blanks behind =', part(`${NAMED}quoted-printable`, quoted(ZIPPED, '= \t\r\n'))],
  [
    'a multipart in base64',
    part(
      'Content-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: base64',
      base64(mixed.slice(mixed.indexOf('--b'))),
    ),
  ],
  ['message/partial', `${HEAD}Content-Type: message/partial; id=a; number=1\r\n\r\n${HEAD}${mixed}`],
  ['message/external-body', `${HEAD}Content-Type: message/external-body\r\n\r\n${HEAD}${mixed}`],
  ['message/global', `${HEAD}Content-Type: message/global\r\n\r\n${HEAD}${mixed}`],
  ['beside the text of multipart/signed', `${HEAD}${multipart('signed', 's', TEXT, file)}`],
  [
    'deep beside the text of multipart/signed',
    `${HEAD}${multipart('signed', 's', TEXT, `Content-Type: message/rfc822\r\n\r\n${HEAD}${mixed}`)}`,
  ],
  ['beside the text of multipart/parallel', `${HEAD}${multipart('parallel', 's', file, TEXT)}`],
  ['in 20 multiparts', `${HEAD}${times(20, mixed, (inner, at) => multipart('mixed', `m${at}`, inner))}`],
  [
    'in 20 messages',
    times(20, `${HEAD}${mixed}`, inner => `${HEAD}Content-Type: message/rfc822\r\n\r\n${inner}`),
  ],
  ['uuencoded, with a mode of four digits', plain(uuFour(ZIPPED))],
  ['uuencoded, with an empty line before the data', plain(uu(ZIPPED).replace('\r\n', '\r\n\r\n'))],
  ['begin-base64', plain(`begin-base64 644 e.zip\r\n${base64(ZIPPED)}====\r\n`)],
  ['uuencode in uuencode', plain(uu(uuFour(ZIPPED), 'a.txt'))],
  ['uuencode in winmail.dat', part(`${NAMED}base64`, base64(tnefOf(uuFour(ZIPPED), 'a.txt')))],
  ['winmail.dat in uuencode', plain(uuFour(tnefOf(ZIPPED, 'e.zip'), 'winmail.dat'))],
  [
    'uuencode in winmail.dat in base64 with padding within, in a message in base64',
    part(
      'Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64',
      base64(part(`${NAMED}base64`, inTwo(tnefOf(uuFour(ZIPPED), 'a.txt')))),
    ),
  ],
];

/** The same kind of mail, in which clamd 1.4 finds it by itself. */
export const FOUND: readonly Hidden[] = [
  ['blanks behind delimiters', `${HEAD}${mixed}`.replaceAll('--b\r\n', '--b \t\r\n')],
  ['two boundaries', `${HEAD}${mixed}`.replace('boundary=b', 'boundary=x; boundary=b')],
  ['a boundary in a comment', `${HEAD}${mixed}`.replace('boundary=b', '(boundary=x) boundary=b')],
  ['two types', `${HEAD}Content-Type: text/plain\r\n${mixed}`],
  ['two encodings', part(`${NAMED}7bit\r\nContent-Transfer-Encoding: base64`, base64(ZIPPED))],
  ['an encoding that nobody knows', part(`${NAMED}"base64";`, base64(ZIPPED))],
  ['rubbish in base64', part(`${NAMED}base64`, base64(ZIPPED).replaceAll(/(.{10})/g, '$1-!_'))],
  [
    'a message in base64',
    part('Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64', base64(HEAD + mixed)),
  ],
  ['uuencode', plain(uu(ZIPPED))],
  ['winmail.dat', part(`${NAMED}base64`, base64(tnefOf(ZIPPED, 'e.zip')))],
];

const PDF = '%PDF-1.4\n1 0 obj\n<< >>\nendobj\n%%EOF\n';
const pdf = `Content-Type: application/pdf; name=a.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n${base64(PDF)}`;
const html =
  'Content-Type: text/html\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n<p>a =3D\r\nb</p>';
const signature = `Content-Type: application/pkcs7-signature; name=smime.p7s\r\nContent-Transfer-Encoding: base64\r\n\r\n${base64('signature')}`;

/** Mail as people send it. */
export const ORDINARY: readonly Hidden[] = [
  ['text', plain('hello\r\n')],
  ['a PDF', `${HEAD}${multipart('mixed', 'm', multipart('alternative', 'a', TEXT, html), pdf)}`],
  [
    'a forwarded mail with a PDF',
    `${HEAD}${multipart('mixed', 'm', TEXT, `Content-Type: message/rfc822\r\n\r\n${HEAD}${multipart('mixed', 'n', TEXT, pdf)}`)}`,
  ],
  [
    'a signed mail with a PDF, as S/MIME has it',
    `${HEAD}${multipart('signed', 's', multipart('mixed', 'm', TEXT, pdf), signature)}`,
  ],
  [
    'a bounce',
    `${HEAD}${multipart('report', 'r', TEXT, 'Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; a\r\n', `Content-Type: message/rfc822\r\n\r\n${HEAD}${TEXT}`)}`,
  ],
];

/** Ordinary mail of a size; nothing hides in it. */
export const SIGNED_TEXT = `${HEAD}${multipart('signed', 's', TEXT, signature)}`;
