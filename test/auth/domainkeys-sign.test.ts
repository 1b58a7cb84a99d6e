import assert from 'node:assert/strict';
import { createPublicKey, createVerify, generateKeyPairSync } from 'node:crypto';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { DomainKeysCanonicalization } from '../../src/auth/domainkeys-canonical.ts';
import { signDomainKeys } from '../../src/auth/domainkeys-sign.ts';
import { headerFields } from '../../src/mail/header.ts';
import { startDnsServer } from '../support/dns-server.ts';
import { mailDkimSign, mailDkimVerify } from '../support/mail-dkim.ts';
import { KEY, keyRecord, mail, oddKey, published, rsaKey, sign, signed, verify } from './domainkeys-mail.ts';

const FORM =
  /^DomainKey-Signature: a=rsa-sha1; q=dns; c=nofws;\r\n {2}s=s; d=example\.com;\r\n {2}b=[A-Za-z0-9+/]{171}=  ;\r\n$/;

describe('signing with DomainKeys', () => {
  const text = 'From: jo@Example.com\r\nSubject: x\r\n\r\nHello\r\n';

  test('the form of qmail-dk, with and without its comment', async () => {
    const plain = await sign(text);
    const commented = await sign(text, { comment: true });
    assert.ok('field' in plain && 'field' in commented);
    assert.match(plain.field, FORM);
    const comment = 'Comment: DomainKeys? See http://antispam.yahoo.com/domainkeys\r\n';
    assert.equal(commented.field, comment + plain.field);
    assert.equal((await verify(commented.field + text)).letter, 'A');
  });

  test('the signature is that of the fields, an empty line and the body', async () => {
    const answer = await sign('From: jo@example.com\r\nX: a \r\n\tb\r\n\r\nc d\r\n\r\n');
    assert.ok('field' in answer);
    const bytes = Buffer.from(/b=(\S+)/.exec(answer.field)?.[1] ?? '', 'base64');
    const verifier = createVerify('sha1').update('From:jo@example.com\r\nX:ab\r\n\r\ncd\r\n');
    assert.ok(verifier.verify(createPublicKey(KEY), bytes));
  });

  test('h= has the fields that are there, each time they are, as they are written, and always the author', async () => {
    const many = `RECEIVED: a\r\nTo: x@example.net\r\nReceived: b\r\nX-No: 1\r\n${text}`;
    const answer = await sign(many, { fields: ' received : cc:TO' });
    assert.ok('field' in answer);
    assert.match(answer.field, /d=example\.com;\r\n {2}h=RECEIVED:To:Received:From;\r\n {2}b=/);
    assert.equal((await verify(answer.field + many.replace('X-No: 1', 'X-No: 2'))).letter, 'A');
    assert.equal((await verify(answer.field + many.replace(': b', ': c'))).letter, 'B');
    const sender = `Sender: jo@example.com\r\nFrom: b@example.net\r\n\r\n`;
    const onBehalf = await sign(sender, { fields: '' });
    assert.ok('field' in onBehalf);
    assert.match(onBehalf.field, /h=Sender;/);
    assert.equal((await verify(onBehalf.field + sender)).letter, 'A');
  });

  test('a long h= is folded, one that verifiers refuse is not written', async () => {
    const many = (count: number) => 'Received: a\r\n'.repeat(count) + text;
    const folded = await sign(many(100), { fields: 'received' });
    assert.ok('field' in folded);
    for (const line of folded.field.split('\r\n')) assert.ok(line.length < 200, line);
    assert.equal((await verify(folded.field + many(100))).letter, 'A');
    const refused = await sign(many(115), { fields: 'received' });
    assert.deepEqual('why' in refused && refused.why, 'malformed');
  });

  test('the line of a large key is no longer than a line may be', async () => {
    // Mersenne primes: looking for others of this size takes seconds.
    const key = rsaKey(2n ** 4423n - 1n, 2n ** 1279n - 1n);
    assert.ok(key);
    const mailed = await signed(text, { key });
    for (const line of mailed.split('\r\n')) assert.ok(line.length < 998);
    assert.equal((await verify(mailed, keyRecord('', key))).letter, 'A');
  });

  test('fields that we add are signed with those of the message', async () => {
    const message = mail(text);
    const added = Buffer.concat([Buffer.from('Received: by us\r\n'), message.header]);
    const options = {
      key: KEY,
      selector: 's',
      domain: null,
      canonicalization: 'simple',
      fields: null,
      comment: false,
    } as const;
    const answer = await signDomainKeys(message, headerFields(added, 100), options);
    assert.ok('field' in answer);
    assert.equal((await verify(`${answer.field}Received: by us\r\n${text}`)).letter, 'A');
    assert.equal((await verify(answer.field + text)).letter, 'B');
  });

  test('d= may be a parent of the signing domain, and nothing else', async () => {
    const below = text.replace('jo@Example', 'jo@mail.Example');
    assert.equal((await verify(await signed(below, { domain: 'example.com' }))).letter, 'A');
    for (const domain of ['example.net', 'sub.mail.example.com', 'ample.com', '']) {
      const answer = await sign(below, { domain });
      assert.match('refused' in answer ? answer.refused : '', /mail\.example\.com does not belong to/);
    }
  });

  const REFUSALS: readonly [what: string, text: string, why: string, refused: RegExp][] = [
    ['no From', 'To: x@example.net\r\n\r\n', 'malformed', /no From/],
    ['two From', `From: a@example.com\r\n${text}`, 'malformed', /2 From/],
    ['two Sender', `Sender: a@example.com\r\nSender: a@example.com\r\n${text}`, 'malformed', /2 Sender/],
    ['a From without @', 'From: jo\r\n\r\n', 'malformed', /From holds no address/],
    ['a Sender without @', `Sender: jo\r\n${text}`, 'malformed', /Sender holds no address/],
    [
      'a From without @ beside a Sender',
      'Sender: a@example.com\r\nFrom: jo\r\n\r\n',
      'malformed',
      /From holds/,
    ],
    ['an address literal', 'From: jo@[192.0.2.1]\r\n\r\n', 'malformed', /cannot have a key/],
    ['a domain with a semicolon', 'From: jo@"a;b=c"\r\n\r\n', 'malformed', /From/],
    ['an LF alone', `${text}a\nb\r\n`, 'malformed', /LF alone/],
    ['one that is signed', `DomainKey-Signature: x\r\n${text}`, 'signed', /bears a DomainKey-Signature/],
    [
      'one that is signed above its Sender',
      `DomainKey-Signature: x\r\nSender: a@example.com\r\n${text}`,
      'signed',
      /./,
    ],
  ];
  for (const [what, message, why, refused] of REFUSALS)
    test(`refused: ${what}`, async () => {
      const answer = await sign(message);
      assert.ok('refused' in answer);
      assert.equal(answer.why, why);
      assert.match(answer.refused, refused);
    });

  test('what a Sender above passes on may be signed again', async () => {
    const again = await signed(`Sender: desk@example.com\r\n${await signed(text)}`);
    const verdict = await verify(again);
    assert.deepEqual([verdict.letter, verdict.only.identity], ['A', 'desk@example.com']);
  });

  test('refused: a header that is not read in full', async () => {
    const message = mail(text);
    const options = {
      key: KEY,
      selector: 's',
      domain: null,
      canonicalization: 'nofws',
      fields: null,
      comment: false,
    } as const;
    const cut = await signDomainKeys({ ...message, headerCut: true }, message.fields, options);
    assert.ok('refused' in cut);
    const few = await signDomainKeys(message, headerFields(Buffer.from(message.header), 1), options);
    assert.ok('refused' in few);
  });

  test('refused: a key that cannot sign, a selector that cannot be asked for', async () => {
    const key = generateKeyPairSync('ed25519').privateKey;
    for (const answer of [
      await sign(text, { key }),
      await sign(text, { key: oddKey(256) }),
      await sign(text, { selector: 'a;b' }),
      await sign(text, { selector: '' }),
    ])
      assert.equal('why' in answer && answer.why, 'key');
  });

  test('whatever is signed verifies', async () => {
    const line = fc
      .array(fc.constantFrom('\r\n', '\r\n\r\n', '\r', ' ', '\t', 'a', ':', '.', '\xff'))
      .map(list => list.join(''));
    const field = line.map(value => `X:${value.replace(/(?:\r\n)+/g, '\r\n ')}\r\n`);
    const message = fc.tuple(fc.array(field), fc.array(field), line);
    const mode = fc.constantFrom<DomainKeysCanonicalization>('simple', 'nofws');
    await fc.assert(
      fc.asyncProperty(
        message,
        mode,
        fc.constantFrom(null, 'x', ''),
        async ([above, below, body], canonicalization, fields) => {
          const whole = `${above.join('')}From: jo@example.com\r\n${below.join('')}\r\n${body}`;
          assert.equal((await verify(await signed(whole, { canonicalization, fields }))).letter, 'A');
        },
      ),
    );
  });
});

describe('DomainKeys and Mail::DKIM', () => {
  const head =
    'Received: from a  by b;\r\n\tTue, 1 Jan 2008 10:00:00 +0000\r\nFrom: "Jo, E." <jo@mail.example.com>\r\n';
  const MESSAGES = [
    `${head}To: x@example.net\r\nSubject:  a  b \r\n\r\nHello \r\n\tyou\r\n\r\n\r\n`,
    `${head}Subject: none\r\n\r\n`,
    `${head}Subject: empty lines\r\n\r\n\r\n\r\n`,
    `${head}Subject: first lines\r\n\r\n\r\n\r\nx\r\n`,
    `${head}Subject: lines of blanks\r\n\r\nx\r\n \r\n\t\r\n`,
    `${head}Sender: desk@example.com\r\nReceived: twice\r\nSubject: a\r\n  b\r\n\r\n.\r\n..\r\n`,
    `${head}Subject: \xe4\r\n\r\n\xff\xfe \xe4\r\n`,
    `${head}Subject: large\r\n\r\n${`${'x '.repeat(30)}\r\n`.repeat(2000)}`,
  ];
  const WAYS: readonly [canonicalization: DomainKeysCanonicalization, fields: string | null][] = [
    ['nofws', null],
    ['simple', null],
    ['nofws', 'received:from:sender:subject:to'],
    ['simple', 'from:sender:subject'],
  ];

  /** As RFC 4870 3.3 wants `h=`; Mail::DKIM takes the fields in the order of `h=` and not in that of the message. */
  function inOrder(text: string, fields: string): string {
    const names = mail(text).fields.fields.map(({ name }) => name);
    return names.filter(name => fields.split(':').includes(name)).join(':');
  }

  async function withServer<T>(use: (port: number) => Promise<T>): Promise<T> {
    const record = [{ TXT: `k=rsa; p=${published()}` }];
    const names = ['example.com', 'mail.example.com'].map(domain => [`s._domainkey.${domain}`, record]);
    const server = await startDnsServer(Object.fromEntries(names));
    try {
      return await use(server.port);
    } finally {
      await server.close();
    }
  }

  for (const [canonicalization, fields] of WAYS) {
    const way = `${canonicalization} ${fields === null ? 'without' : 'with'} h=`;
    test(`it verifies ours: ${way}`, async () => {
      const mails = await Promise.all(MESSAGES.map(text => signed(text, { canonicalization, fields })));
      // The signature is broken by one byte at the end of the Subject.
      const changed = mails.map(text => text.replace(/(Subject:[^]*?)(?=\r\n(?![ \t]))/, '$1!'));
      const verdicts = await withServer(port =>
        mailDkimVerify(
          [...mails, ...changed].map(text => Buffer.from(text, 'latin1')),
          port,
        ),
      );
      assert.deepEqual(
        verdicts.map(({ detail }) => detail),
        [...mails.map(() => 'pass'), ...changed.map(() => 'fail (message has been altered)')],
      );
    });

    test(`we verify its: ${way}`, async () => {
      const made = await mailDkimSign(
        MESSAGES.map(text => ({
          kind: 'domainkeys',
          message: Buffer.from(text, 'latin1'),
          key: KEY,
          algorithm: 'rsa-sha1',
          method: canonicalization,
          domain: 'example.com',
          selector: 's',
          ...(fields === null ? {} : { fields: inOrder(text, fields) }),
        })),
      );
      for (const [i, field] of made.entries()) {
        const text = field + MESSAGES[i];
        const verdict = await verify(text);
        assert.equal(verdict.only.result, 'pass', `${text.slice(0, 800)}: ${verdict.only.detail}`);
        assert.equal((await verify(text.replace('Subject:', 'Subject: x'))).letter, 'B');
      }
    });
  }

  test('both see the same in messages of blanks and line ends', async () => {
    const line = fc.array(fc.constantFrom('\r\n', '\r\n\r\n', ' ', '\t', 'a', '.', '\xff'), {
      maxLength: 12,
    });
    const message = fc.tuple(line, line).map(([value, body]) => {
      const subject = value.join('').replace(/(?:\r\n)+/g, '\r\n ');
      return `From: jo@example.com\r\nSubject:${subject}.\r\n\r\n${body.join('')}\r\n`;
    });
    const texts = fc.sample(message, 100);
    for (const canonicalization of ['simple', 'nofws'] as const) {
      const mails = await Promise.all(texts.map(text => signed(text, { canonicalization })));
      const verdicts = await withServer(port =>
        mailDkimVerify(
          mails.map(text => Buffer.from(text, 'latin1')),
          port,
        ),
      );
      for (const [i, { detail }] of verdicts.entries())
        assert.equal(detail, 'pass', JSON.stringify(mails[i]));
    }
  });
});
