import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Bringer } from '../../src/qmail/received-by-qmail.ts';
import { bringer } from '../../src/qmail/received-by-qmail.ts';

const SMTPD = new Map([
  ['TCPREMOTEIP', '192.0.2.7'],
  ['TCPREMOTEHOST', 'Mail.Client.example'],
  ['TCPREMOTEPORT', '40123'],
  ['TCPLOCALIP', '192.0.2.1'],
  ['TCPLOCALPORT', '25'],
]);

const REST = '\r\n  by mx.example.com with SMTP; 14 May 2012 14:38:00 -0000\r\nSubject: x\r\n';

const FIELDS: readonly (readonly [what: string, header: string, helo: Bringer['helo']])[] = [
  [
    'the name differs from the reverse name',
    `Received: from Mail.Client.example (HELO client) (192.0.2.7)${REST}`,
    { verb: 'HELO', name: 'client' },
  ],
  [
    'the name is the reverse name',
    `Received: from Mail.Client.example (192.0.2.7)${REST}`,
    { verb: 'HELO', name: 'Mail.Client.example' },
  ],
  ['with ident', `Received: from unknown (HELO c) (joe@192.0.2.7)${REST}`, { verb: 'HELO', name: 'c' }],
  [
    'with a user that is an address',
    `Received: from unknown (HELO c) (joe@client.example@192.0.2.7)${REST}`,
    { verb: 'HELO', name: 'c' },
  ],
  [
    'ESMTP of a patched qmail-smtpd',
    `Received: from unknown (HELO c) (192.0.2.7)${REST.replace('SMTP', 'ESMTP')}`,
    { verb: 'EHLO', name: 'c' },
  ],
  ['an empty name', `Received: from unknown (HELO ) (192.0.2.7)${REST}`, { verb: 'HELO', name: '' }],
  [
    'a literal',
    `Received: from unknown (HELO ?192.0.2.7?) (192.0.2.7)${REST}`,
    { verb: 'HELO', name: '?192.0.2.7?' },
  ],
  [
    'qpsmtpd',
    'Received: from Unknown (HELO c) (192.0.2.7)\r\n by mx.example.com (qpsmtpd/0.94) with ESMTP; Sat, 21 Nov 2026 17:27:26 +0000\r\n',
    { verb: 'EHLO', name: 'c' },
  ],
  ['of another client', `Received: from unknown (HELO c) (192.0.2.8)${REST}`, null],
  [
    'of another program',
    `Received: from c (c [192.0.2.7]) by x with ESMTP id 1;\r\n Mon, 1 Jan 2024\r\n`,
    null,
  ],
  ['another field on top', `Subject: x\r\nReceived: from unknown (HELO c) (192.0.2.7)${REST}`, null],
  ['no header', '', null],
];

for (const [what, header, helo] of FIELDS) {
  test(`HELO from the field of qmail-smtpd: ${what}`, () => {
    assert.deepEqual(bringer(SMTPD, header).helo, helo);
  });
}

test('the client is that of the environment', () => {
  assert.deepEqual(bringer(SMTPD, '').client, {
    ip: '192.0.2.7',
    port: 40123,
    localIp: '192.0.2.1',
    localPort: 25,
    reverseName: 'Mail.Client.example',
    ident: null,
  });
  const six = bringer(new Map([['TCPREMOTEIP', '2001:DB8::1']]), '').client;
  assert.equal(six?.ip, '2001:db8::1');
  assert.equal(bringer(new Map([['TCPREMOTEIP', '::ffff:192.0.2.7']]), '').client?.ip, '192.0.2.7');
  assert.equal(bringer(new Map([['TCPREMOTEPORT', 'x'], ...SMTPD]), '').client?.port, 40123);
});

test('TLS, as far as a patched qmail-smtpd tells it', () => {
  const header = `Received: from unknown (HELO c) (192.0.2.7)${REST.replace('SMTP', 'ESMTPSA')}`;
  const variables = new Map([...SMTPD, ['SSL_PROTOCOL', 'TLSv1.3'], ['SSL_CIPHER', 'TLS_AES_256']] as const);
  assert.deepEqual(bringer(variables, header).tls, { protocol: 'TLSv1.3', cipher: 'TLS_AES_256' });
  assert.equal(bringer(SMTPD, `Received: from unknown (192.0.2.7)${REST}`).tls, null);
});

test('without a client there is nobody, whatever stands in the message', () => {
  const header = `Received: from unknown (HELO c) (192.0.2.7)${REST}`;
  for (const variables of [
    new Map<string, string>(),
    new Map([['TCPREMOTEIP', '']]),
    new Map([['TCPREMOTEIP', '192.0.2.7)\r\nX-Evil: yes']]),
  ])
    assert.deepEqual(bringer(variables, header), {
      client: null,
      helo: null,
      tls: null,
      authenticated: false,
    });
});

test('who has logged in, by the word that qmail-smtpd writes', () => {
  const words = {
    SMTP: false,
    ESMTP: false,
    ESMTPS: false,
    ESMTPA: true,
    ESMTPSA: true,
    SMTPA: true,
    XA: false,
  };
  for (const [word, authenticated] of Object.entries(words)) {
    const header = `Received: from unknown (HELO c) (u@192.0.2.7)${REST.replace('SMTP', word)}`;
    assert.equal(bringer(SMTPD, header).authenticated, authenticated, word);
  }
});

test('a hostile header takes no time', () => {
  for (const text of [
    `Received: from ${'('.repeat(60_000)}`,
    `Received: from x (${'@'.repeat(60_000)}`,
    `Received:${' from x ('.repeat(9000)}`,
    `Received: from x (${'a@'.repeat(30_000)}`,
  ]) {
    const before = process.cpuUsage();
    assert.equal(bringer(SMTPD, `${text}\r\n`).helo, null);
    assert.ok(process.cpuUsage(before).user < 500_000);
  }
});

test('AUTHINFO says that the user has logged in, whatever the field says; an empty one does not', () => {
  const plain = `Received: from unknown (HELO c) (192.0.2.7)${REST}`;
  const asked = (info: string, header: string) =>
    bringer(new Map([...SMTPD, ['AUTHINFO', info]]), header).authenticated;
  assert.deepEqual([asked('joe', plain), asked('joe', ''), asked('', plain)], [true, true, false]);
});
