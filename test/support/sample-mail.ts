import type { Scanned } from '../../src/scanners/spam-engine.ts';

/** The test line that every spam filter knows (GTUBE), in two halves so that no filter stops this file. */
export const GTUBE = ['XJS*C4JDBQADN1.NSBN3*2IDNEN*', 'GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X'].join('');

/** A message as a client of a scanner gets it; `pieces`: in how many chunks. */
export function scanned(bytes: Buffer, pieces = 1): Scanned {
  const step = Math.max(1, Math.ceil(bytes.length / pieces));
  return {
    size: bytes.length,
    *chunks() {
      for (let at = 0; at < bytes.length; at += step) yield bytes.subarray(at, at + step);
    },
  };
}

export interface SampleMail {
  readonly from?: string;
  readonly subject?: string;
  readonly headers?: readonly string[];
  /** Lines end in LF. */
  readonly body?: string;
}

/** A mail with CRLF line ends, as it comes in by SMTP. */
export function sampleMail(mail: SampleMail = {}): Buffer {
  const lines = [
    'Received: from mail.example.org by mx.example.com with ESMTP; Sat, 21 Nov 2026 19:59:58 +0000',
    `From: ${mail.from ?? 'Ann Example <ann@example.org>'}`,
    'To: bob@example.com',
    `Subject: ${mail.subject ?? 'The minutes of our meeting'}`,
    'Date: Sat, 21 Nov 2026 19:59:57 +0000',
    'Message-ID: <20261121195957.4711@mail.example.org>',
    'MIME-Version: 1.0',
    ...(mail.headers ?? ['Content-Type: text/plain; charset=us-ascii']),
    '',
    mail.body ?? 'Dear Bob,\n\nhere are the minutes. Please tell me if anything is missing.\n\nAnn\n',
  ];
  return Buffer.from(lines.join('\n').replaceAll('\n', '\r\n'), 'latin1');
}

/** `count` mails of many kinds: subjects, bodies, markup, charsets, line ends, damage. Always the same ones. */
export function variedMails(count: number): readonly Buffer[] {
  const subjects = [
    'Minutes',
    'BUY NOW!!!',
    '=?utf-8?B?7JWI64WV?=',
    'Re: offer of $1,000,000',
    'caf\xe9',
    '',
  ];
  const bodies: readonly SampleMail[] = [
    {},
    { body: `Look:\n${GTUBE}\n` },
    {
      headers: ['Content-Type: text/html'],
      body: '<html><font color=white>VIAGRA cheap</font><img src="http://192.0.2.9/x.gif"></html>\n',
    },
    {
      headers: ['Content-Type: text/html', 'Content-Transfer-Encoding: base64'],
      body: `${Buffer.from('<b>click here to remove</b> http://192.0.2.1/%20%20').toString('base64')}\n`,
    },
    {
      headers: ['Content-Type: multipart/mixed; boundary=b'],
      body: '--b\nContent-Type: text/plain\n\nhello\n--b\nContent-Type: application/octet-stream; name=x.exe\n\nMZ\0\x90\xff\n--b--\n',
    },
    {
      body: 'no line end at the end, 8-bit \xe4\xf6\xfc, a lone dot\n.\nand a long line ' + 'x'.repeat(2000),
    },
    {
      headers: ['X-Spam-Flag: YES', 'X-Mailer: The Bat!', 'Precedence: bulk'],
      body: 'Lose weight while you sleep. Guaranteed income, no credit check! Call 1-800-555-0100\n',
    },
  ];
  return Array.from({ length: count }, (_, n) => {
    const from = n % 4 === 3 ? 'friend@public.example' : undefined;
    const mail = sampleMail({
      ...bodies[n % bodies.length],
      subject: `${subjects[n % subjects.length] ?? ''} ${n}`,
      ...(from === undefined ? {} : { from }),
    });
    // As qmail keeps them; and cut ones.
    if (n % 5 === 4) return Buffer.from(mail.toString('latin1').replaceAll('\r\n', '\n'), 'latin1');
    return n % 11 === 10 ? mail.subarray(0, mail.length - 10) : mail;
  });
}
