import assert from 'node:assert/strict';
import type { KeyObject } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { signMessage } from '../../src/auth/sign-message.ts';
import { createResolver } from '../../src/dns/resolver.ts';
import type { DkimSignOptions } from '../../src/model/dkim-signing.ts';
import { DKIM_SIGN_DEFAULTS } from '../../src/model/dkim-signing.ts';
import { startDnsServer } from '../support/dns-server.ts';
import { dkimpy, mailDkim, opendkim } from '../support/dkim-peers.ts';
import type { DkimPeer } from '../support/dkim-peers.ts';
import { temporaryFolder } from '../support/processes.ts';
import { ED25519, messageOf, recordOf, RSA, verifyOne } from './dkim-mail.ts';

const KEYS: Readonly<Record<string, KeyObject>> = { rsa: RSA, ed: ED25519 };
const RECORDS = Object.fromEntries(
  Object.entries(KEYS).map(([selector, key]) => [`${selector}._domainkey.example.com`, recordOf(key)]),
);

const server = await startDnsServer(
  Object.fromEntries(Object.entries(RECORDS).map(([name, record]) => [name, [{ TXT: record }]])),
);
const dns = createResolver({ servers: [server.address] });
const folder = await temporaryFolder();
for (const [selector, key] of Object.entries(KEYS))
  await writeFile(join(folder.path, selector), key.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
test.after(async () => {
  dns.close();
  await server.close();
  await folder[Symbol.asyncDispose]();
});

const published = { port: server.port, records: RECORDS };
const METHODS = ['simple/simple', 'simple/relaxed', 'relaxed/simple', 'relaxed/relaxed'] as const;

const HEADER =
  'From: Jane <jane@example.com>\r\nTo: joe@example.net\r\nSubject: a  b\r\n\tc\r\nDate: Sat, 21 Nov 2026 12:00:00 +0000\r\n';

const MESSAGES: Readonly<Record<string, string>> = {
  ordinary: `${HEADER}\r\nHello,  world \r\n\r\n-- \r\nJane\r\n`,
  'an empty body': `${HEADER}\r\n`,
  'only line ends': `${HEADER}\r\n\r\n\r\n\r\n`,
  'trailing blanks': `${HEADER}\r\nHello \t\r\n \r\n\t\r\n\r\n`,
  'only blanks': `${HEADER}\r\n \t\r\n\t\r\n`,
  'a line with a dot': `${HEADER}\r\n.\r\n..\r\n`,
  '8-bit': `${HEADER}\r\n\xc3\xa4\xa0\xff \xa0\r\n`,
  'long lines': `${HEADER}\r\n${'x y  '.repeat(5000)}\r\n`,
  'odd blanks': `${HEADER.replace('a  b\r\n', '  a \t b \t\r\n\t').replace('To: ', 'To:')}X:\r\n y \r\n\r\nHello\r\n`,
  'a blank before the colon': `${HEADER.replace('From:', 'From :').replace('To:', 'To\t:')}\r\nHello\r\n`,
  'a NUL': `${HEADER}\r\nHe\0llo\r\n`,
  'no final line end': `${HEADER}\r\nHello`,
};

/** What a peer does not get as it is, or takes otherwise than RFC 6376 has it. */
const NOT_FOR = new Map<DkimPeer, readonly string[]>([
  // Simple: it adds no CRLF (3.4.3).
  [mailDkim, ['no final line end']],
  // It knows no such field (RFC 5322 4.5).
  [dkimpy, ['a blank before the colon']],
  // Its test mode reads lines of text.
  [opendkim, ['only blanks', 'odd blanks', 'a blank before the colon', 'a NUL', 'no final line end']],
]);

function messagesFor(peer: DkimPeer): readonly (readonly [name: string, text: string])[] {
  return Object.entries(MESSAGES).filter(([name]) => !NOT_FOR.get(peer)?.includes(name));
}

function keysFor({ ed25519 }: DkimPeer): readonly (readonly [selector: string, key: KeyObject])[] {
  return Object.entries(KEYS).filter(([selector]) => ed25519 || selector === 'rsa');
}

/** The message as `signMessage` sends it out. */
async function signedByUs(text: string, selector: string, method: string): Promise<string> {
  const [header, body] = method.split('/') as [DkimSignOptions['header'], DkimSignOptions['body']];
  const order = {
    dkimSign: selector,
    dkimKeys: null,
    words: { options: { ...DKIM_SIGN_DEFAULTS, header, body } },
    excluded: new Set<string>(),
    dkSign: null,
    dkComment: false,
  };
  const place = { folder: folder.path, now: Date.now(), headerFields: 1000 };
  return (await signMessage(await messageOf(text), order, place)).fields + text;
}

const changed = (mail: string) => mail.replace('jane@example.com', 'jade@example.com');

for (const peer of [mailDkim, dkimpy, opendkim]) {
  for (const [selector, key] of keysFor(peer)) {
    for (const method of METHODS) {
      // What it signs so holds nowhere, not even with itself.
      if (peer !== opendkim || selector !== 'ed' || !method.startsWith('simple/'))
        test(`${peer.name} signs, ${selector} ${method}: it holds here`, async () => {
          const messages = messagesFor(peer);
          const fields = await peer.sign(
            messages.map(([, text]) => ({
              message: Buffer.from(text, 'latin1'),
              key,
              method,
              domain: 'example.com',
              selector,
            })),
          );
          for (const [i, [name, text]] of messages.entries()) {
            const mail = `${fields[i]}${text}`;
            const outcome = await verifyOne(mail, dns, { at: Date.now() / 1000 });
            assert.equal(outcome.result, 'pass', `${name}: ${outcome.detail}\n${fields[i]}`);
            assert.equal((await verifyOne(changed(mail), dns)).fault, 'signature', name);
          }
        });

      test(`we sign, ${selector} ${method}: it holds at ${peer.name}`, async () => {
        const messages = messagesFor(peer);
        const mails = await Promise.all(messages.map(([, text]) => signedByUs(text, selector, method)));
        const both = [...mails, ...mails.map(changed)].map(mail => Buffer.from(mail, 'latin1'));
        const verdicts = await peer.verify(both, published);
        for (const [i, [name]] of messages.entries()) {
          const verdict = verdicts[i];
          assert.ok(verdict?.holds, `${name}: ${verdict?.detail}\n${mails[i]?.slice(0, 800)}`);
          assert.equal(verdicts[i + messages.length]?.holds, false, name);
        }
      });
    }
  }
}
