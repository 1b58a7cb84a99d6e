/**
 * Messages that scanners must recognise. The two test strings are put together when they are needed: a scanner that looks
 * at our files must find nothing.
 */
export function eicar(): string {
  return ['X5O!P%@AP[4\\PZX54(P^)7CC)7}$', 'EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*'].join('');
}

/** The string that every SpamAssassin calls spam (GTUBE); Rspamd knows it, too. */
export function gtube(): string {
  return ['XJS*C4JDBQADN1.NSBN3*2IDNEN*', 'GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X'].join('');
}

/** A message with `text` as its body, CRLF lines. */
export function plainMessage(subject: string, text: string): Buffer {
  return Buffer.from(
    [...header(subject), 'Content-Type: text/plain; charset=us-ascii', '', text, ''].join('\r\n'),
    'latin1',
  );
}

/** A message with a file in base64. */
export function messageWithFile(subject: string, name: string, file: Buffer): Buffer {
  const base64 = file.toString('base64').replace(/.{76}(?=.)/g, '$&\r\n');
  const lines = [
    ...header(subject),
    'Content-Type: multipart/mixed; boundary="postern"',
    '',
    '--postern',
    'Content-Type: text/plain; charset=us-ascii',
    '',
    'See the file.',
    '--postern',
    `Content-Type: application/octet-stream; name="${name}"`,
    'Content-Transfer-Encoding: base64',
    `Content-Disposition: attachment; filename="${name}"`,
    '',
    base64,
    '--postern--',
    '',
  ];
  return Buffer.from(lines.join('\r\n'), 'latin1');
}

function header(subject: string): string[] {
  const date = new Date().toUTCString().replace('GMT', '+0000');
  return [
    'From: Postern <postern@localhost.invalid>',
    'To: <postmaster@localhost.invalid>',
    `Subject: ${subject}`,
    `Date: ${date}`,
    `Message-ID: <${Date.now().toString(36)}@localhost.invalid>`,
    'MIME-Version: 1.0',
  ];
}
