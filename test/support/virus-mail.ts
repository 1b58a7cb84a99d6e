import { EICAR } from './clamd.ts';
import { tnef } from './tnef-writer.ts';
import { zip } from './zip-writer.ts';

/** A mail with one attachment. */
export function mail(
  attachment: Buffer,
  type = 'application/octet-stream; name=x.bin',
  text = 'see there',
): Buffer {
  const base64 = attachment.toString('base64').replace(/.{1,76}/g, line => `${line}\r\n`);
  return Buffer.from(
    [
      'From: <a@example.com>',
      'To: <b@example.net>',
      'Subject: test',
      'MIME-Version: 1.0',
      'Content-Type: multipart/mixed; boundary="=_b"',
      '',
      '--=_b',
      'Content-Type: text/plain',
      '',
      text,
      '--=_b',
      `Content-Type: ${type}`,
      'Content-Transfer-Encoding: base64',
      'Content-Disposition: attachment',
      '',
      `${base64}--=_b--`,
      '',
    ].join('\r\n'),
  );
}

/** `message` in a mail, as `message/rfc822`. */
export function forwarded(message: Buffer): Buffer {
  const head = [
    'From: <c@example.com>',
    'MIME-Version: 1.0',
    'Content-Type: multipart/mixed; boundary="=_outer"',
    '',
    '--=_outer',
    'Content-Type: message/rfc822',
    '',
    '',
  ].join('\r\n');
  return Buffer.concat([Buffer.from(head), message, Buffer.from('\r\n--=_outer--\r\n')]);
}

/** A mail without MIME. */
export function plainMail(text: string | Buffer): Buffer {
  return Buffer.concat([Buffer.from('From: <a@example.com>\r\nSubject: x\r\n\r\n'), Buffer.from(text)]);
}

const zipped = zip([{ name: 'eicar.com', data: EICAR, method: 'deflated' }]);
const twice = zip([{ name: 'inner.zip', data: zipped }]);
const winmail = tnef([{ title: 'eicar.com', data: EICAR }]);
const long = 'a line of text that says nothing at all\r\n'.repeat(130_000);

/** What a virus scanner that reads mail has to tell apart. */
export const VIRUS_MAILS: readonly {
  readonly name: string;
  readonly message: Buffer;
  readonly infected: boolean;
}[] = [
  { name: 'clean mail', message: plainMail('hello\r\n'), infected: false },
  { name: 'empty message', message: Buffer.alloc(0), infected: false },
  { name: 'header only', message: Buffer.from('From: <a@example.com>\r\n'), infected: false },
  { name: 'EICAR in the text', message: plainMail(EICAR), infected: true },
  { name: 'EICAR in base64', message: mail(EICAR), infected: true },
  { name: 'EICAR in zip', message: mail(zipped, 'application/zip; name=e.zip'), infected: true },
  { name: 'EICAR in zip in zip', message: mail(twice, 'application/zip; name=e.zip'), infected: true },
  { name: 'EICAR in message/rfc822', message: forwarded(mail(EICAR)), infected: true },
  { name: 'EICAR in zip in zip in message/rfc822', message: forwarded(mail(twice)), infected: true },
  { name: 'EICAR in TNEF', message: mail(winmail, 'application/ms-tnef; name=winmail.dat'), infected: true },
  { name: 'a clean zip', message: mail(zip([{ name: 'a.txt', data: 'hello' }])), infected: false },
  { name: '5 MB, clean', message: mail(Buffer.from('hello'), undefined, long), infected: false },
  { name: '5 MB, EICAR behind them', message: mail(EICAR, undefined, long), infected: true },
];
