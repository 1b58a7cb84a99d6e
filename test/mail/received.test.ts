import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { mailDate, receivedField } from '../../src/mail/received.ts';
import type { Client, Helo, Tls } from '../../src/model/session.ts';

interface Said {
  readonly verb?: Helo['verb'];
  readonly helo?: string | null;
  readonly reverseName?: string | null;
  readonly ip?: string | null;
  readonly tls?: Tls;
  readonly smtputf8?: boolean;
  readonly recipient?: string | null;
}

function field(said: Said = {}): string {
  const { verb = 'EHLO', helo = 'client.example', reverseName = 'host.example', ip = '192.0.2.1' } = said;
  const client: Client | null =
    ip === null ? null : { ip, port: 1, localIp: '192.0.2.25', localPort: 25, reverseName, ident: null };
  const facts = {
    sessionId: 's',
    client,
    relayClient: false,
    startedAt: 0,
    earlyBytes: 0,
    helo: helo === null ? null : { verb, name: helo },
    tls: said.tls ?? null,
    smtputf8: said.smtputf8 ?? false,
  };
  return receivedField(facts, 'mx.example.com', 'e1', 951_782_400_000, said.recipient ?? null);
}

const DATE = 'Tue, 29 Feb 2000 00:00:00 -0000';
const TLS = { protocol: 'TLSv1.3', cipher: 'TLS_AES_256_GCM_SHA384' };

const CASES: readonly [name: string, said: Said, text: string][] = [
  ['ESMTP', {}, 'from client.example (host.example [192.0.2.1])\r\n by mx.example.com with ESMTP id e1'],
  [
    'SMTP, no reverse name, one recipient',
    { verb: 'HELO', reverseName: null, recipient: 'a@example.com' },
    'from client.example (unknown [192.0.2.1])\r\n by mx.example.com with SMTP id e1\r\n for <a@example.com>',
  ],
  [
    'no HELO, IPv6',
    { helo: null, ip: '2001:db8::1' },
    'from unknown (host.example [IPv6:2001:db8::1])\r\n by mx.example.com with SMTP id e1',
  ],
  [
    'TLS',
    { tls: TLS },
    'from client.example (host.example [192.0.2.1])\r\n by mx.example.com with ESMTPS (TLSv1.3 TLS_AES_256_GCM_SHA384) id e1',
  ],
  [
    'SMTPUTF8 (RFC 6531 4.3)',
    { smtputf8: true },
    'from client.example (host.example [192.0.2.1])\r\n by mx.example.com with UTF8SMTP id e1',
  ],
  ['a local submission', { ip: null, helo: null }, 'by mx.example.com with SMTP id e1'],
];

for (const [name, said, text] of CASES) {
  test(name, () => assert.equal(field(said), `Received: ${text};\r\n ${DATE}\r\n`));
}

test('what the client says adds neither a line nor a comment', () => {
  for (const evil of [
    'a\r\nX-Evil: 1',
    'a\nX-Evil: 1',
    'a) by evil (',
    'a; Mon, 1 Jan',
    'a"b\\',
    '\0',
    'caf\xe9',
  ]) {
    for (const said of [{ helo: evil }, { reverseName: evil }, { recipient: evil }]) {
      const text = field(said);
      const clean = field(Object.fromEntries(Object.keys(said).map(key => [key, 'a'])));
      for (const mark of ['(', ')', ';', '\r', '\n', '<', '>', ':']) {
        const count = (s: string) => s.split(mark).length;
        const extra = mark === ':' ? evil.split(':').length - 1 : 0;
        assert.equal(count(text), count(clean) + extra, `${JSON.stringify(evil)} brings ${mark}`);
      }
      assert.match(text, /^[\x20-\x7e\r\n]*$/);
    }
  }
});

test('any names: four lines at most, each below 998 bytes, all folded', () => {
  const bytes = fc.string({
    unit: fc.integer({ min: 0, max: 255 }).map(c => String.fromCharCode(c)),
    maxLength: 2000,
  });
  fc.assert(
    fc.property(bytes, bytes, bytes, (helo, reverseName, recipient) => {
      const lines = field({ helo, reverseName, recipient }).split('\r\n');
      assert.equal(lines.length, 5);
      assert.equal(lines.pop(), '');
      for (const [i, line] of lines.entries()) {
        assert.ok(line.length < 998);
        assert.match(line, i === 0 ? /^Received: from / : /^ (?:by|for|Tue,) /);
        assert.match(line, /^[\x20-\x7e]+$/);
      }
    }),
  );
});

test('dates', () => {
  assert.equal(mailDate(0), 'Thu, 1 Jan 1970 00:00:00 -0000');
  assert.equal(mailDate(Date.UTC(2026, 11, 31, 23, 59, 59)), 'Thu, 31 Dec 2026 23:59:59 -0000');
});
