import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { BodyDigests } from '../../src/auth/body-digests.ts';
import { folded, foldedTags, signDkim, signedFields } from '../../src/auth/dkim-sign.ts';
import type { DkimSigning } from '../../src/auth/dkim-sign.ts';
import { SignedHeader } from '../../src/auth/signed-header.ts';
import { headerFields } from '../../src/mail/header.ts';
import { ED25519, keyNames, MAIL, messageOf, recordOf, RSA, verifyOne } from './dkim-mail.ts';

const FORMS = ['simple', 'relaxed'] as const;
const LONG = generateKeyPairSync('rsa', { modulusLength: 4096 }).privateKey;

/** The message with our signature on top. */
async function signedByUs(text: string, signing: Partial<DkimSigning> = {}): Promise<string> {
  const message = await messageOf(text);
  const digests = new BodyDigests(message);
  const { body = 'relaxed', key = RSA } = signing;
  digests.want(body, Infinity);
  await digests.read();
  const field = signDkim(new SignedHeader(headerFields(message.header, 10_000)), {
    key,
    algorithm: key.asymmetricKeyType === 'rsa' ? 'rsa-sha256' : 'ed25519-sha256',
    domain: 'example.com',
    selector: 's',
    identity: null,
    header: 'relaxed',
    body,
    bodyHash: digests.get(body, Infinity)?.sha256 ?? Buffer.alloc(0),
    timestamp: null,
    expires: null,
    queryMethod: false,
    excluded: new Set(),
    ...signing,
  });
  return field + text;
}

test('a signature as it looks', async () => {
  const mail = await signedByUs(MAIL, {
    identity: 'jane@mail.example.com',
    timestamp: 1_800_000_000,
    expires: 1_800_000_060,
    queryMethod: true,
  });
  const [field = ''] = mail.split('From: ');
  assert.equal(
    field.replace(/bh=[^;]+/, 'bh=...').replace(/b=[A-Za-z0-9+/][^;]+\r\n$/, 'b=...\r\n'),
    'DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.com; s=s;\r\n' +
      '\ti=jane@mail.example.com; q=dns/txt; t=1800000000; x=1800000060;\r\n' +
      '\th=from:from:subject:to;\r\n\tbh=...;\r\n\tb=...\r\n',
  );
  assert.equal((await verifyOne(mail)).result, 'pass');
});

for (const header of FORMS)
  for (const body of FORMS)
    test(`what we sign as ${header}/${body} verifies`, async () => {
      for (const key of [RSA, ED25519, LONG]) {
        const mail = await signedByUs(MAIL, { header, body, key });
        const outcome = await verifyOne(mail, keyNames(recordOf(key)));
        assert.equal(outcome.result, 'pass', outcome.detail);
        for (const line of mail.split('\r\n')) assert.ok(line.length <= 78, line);
      }
    });

test('any message that we sign verifies, and with a second From it does not', async () => {
  const piece = fc.oneof(
    fc.constantFrom(' ', '\t', '\r\n', '\r\n ', '\r', 'x', 'From: b\r\n', '\0', '\xa0', ':'),
    fc.string({ maxLength: 4 }),
  );
  const text = fc.array(piece, { maxLength: 20 }).map(pieces => pieces.join('').replace(/(?<!\r)\n/g, ''));
  const form = fc.constantFrom(...FORMS);
  const property = fc.asyncProperty(text, text, form, form, async (subject, content, header, body) => {
    const value = subject.replace(/\r\n(?![ \t])/g, '\r\n ');
    const mail = `From: a@example.com\r\nSubject:${value}x\r\nTo : b\r\n\r\n${content}`;
    const outcome = await verifyOne(await signedByUs(mail, { header, body }));
    assert.equal(outcome.result, 'pass', outcome.detail);
    const second = `From: evil@example.org\r\n${await signedByUs(mail, { header, body })}`;
    assert.equal((await verifyOne(second)).fault, 'signature');
  });
  await fc.assert(property, { numRuns: 300 });
});

const FIELDS: Readonly<
  Record<string, readonly [header: string, names: string, excluded?: readonly string[]]>
> = {
  'From alone': ['From: a\r\n', 'from:from'],
  'no From': ['To: a\r\n', 'from:to'],
  'several of a name': ['From: a\r\nTo: b\r\nTO : c\r\nFrom: d\r\n', 'from:from:from:to:to'],
  'trace fields are not signed': [
    'Received: x\r\nReturn-Path: <>\r\nFrom: a\r\nX-Spam: y\r\nDKIM-Signature: z\r\n',
    'from:from',
  ],
  'what was excluded': ['From: a\r\nTo: b\r\nSubject: c\r\n', 'from:from:to', ['subject', 'received']],
  'From is never excluded': ['From: a\r\nTo: b\r\n', 'from:from', ['from', 'to']],
  'fields of lists': [
    'List-Unsubscribe: x\r\nList-Unsubscribe-Post: y\r\nFrom: a\r\n',
    'from:from:list-unsubscribe:list-unsubscribe-post',
  ],
};

for (const [name, [header, names, excluded = []]] of Object.entries(FIELDS)) {
  test(`what is signed: ${name}`, () => {
    const fields = new SignedHeader(headerFields(Buffer.from(header, 'latin1'), 100));
    assert.equal(signedFields(fields, new Set(excluded)).join(':'), names);
  });
}

test('of a name that is there without end, twenty are signed', async () => {
  const mail = await signedByUs(`From: a@example.com\r\n${'To: b\r\n'.repeat(1000)}\r\nx\r\n`);
  assert.equal(mail.match(/(?<=[:\s])to(?=[:;])/g)?.length, 20);
  assert.equal((await verifyOne(mail)).result, 'pass');
});

test('text is folded behind a separator, and anywhere where there is none', () => {
  const property = fc.property(fc.string({ maxLength: 300, unit: fc.constantFrom('a', 'b', ':') }), text => {
    for (const separator of [':', ''] as const) {
      const lines = folded(text, separator, 20).split('\r\n\t ');
      assert.equal(lines.join(''), text);
      assert.ok(lines.every(line => line.length <= 20));
    }
  });
  fc.assert(property);
  assert.equal(folded('aaaa:bbbb:cccc', ':', 10), 'aaaa:bbbb:\r\n\t cccc');
});

test('tags stand on as few lines as they need', () => {
  assert.equal(foldedTags([], 10), '');
  assert.equal(foldedTags(['a=1', 'b=2'], 10), 'a=1; b=2');
  const lines = foldedTags(
    Array.from({ length: 20 }, (_, i) => `tag${i}=${'x'.repeat(10)}`),
    16,
  ).split('\r\n\t');
  assert.ok(lines.every(line => line.length <= 76));
  assert.equal(lines.length, 6);
});
