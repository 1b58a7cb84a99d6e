import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { ED25519, keyNames, MAIL, recordOf, RSA, signed, verify, verifyOne } from './dkim-mail.ts';
import type { Signing, Verifying } from './dkim-mail.ts';
import { dnsOf } from './asking.ts';
import { oddKey } from './domainkeys-mail.ts';

const OTHER = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey;
const SHORT = oddKey(768);

const FORMS = ['simple/simple', 'simple/relaxed', 'relaxed/simple', 'relaxed/relaxed'];
const ODD_BODIES: Readonly<Record<string, string>> = {
  ordinary: 'From: a@example.com\r\nTo: b\r\n\r\nHello\r\n',
  'no body, no empty line': 'From: a@example.com\r\nTo: b\r\n',
  'an empty body': 'From: a@example.com\r\n\r\n',
  'only line ends': 'From: a@example.com\r\n\r\n\r\n\r\n\r\n',
  'only blanks': 'From: a@example.com\r\n\r\n \t \r\n\t\r\n',
  'no final line end': 'From: a@example.com\r\n\r\nHello',
  'trailing blanks': 'From: a@example.com\r\n\r\nHello \t\r\n \r\n  \r\n',
  'empty lines at the end': 'From: a@example.com\r\n\r\nHello\r\n\r\n\r\n',
  'a line with a dot': 'From: a@example.com\r\n\r\n.\r\n..\r\n',
  'NUL and 8-bit': 'From: a@example.com\r\nTo: \xc3\xa4\0\r\n\r\n\0\xff\xa0 \xa0\r\n',
  'CR and LF alone': 'From: a@example.com\r\n\r\na\rb\nc \r d \n\r\n',
  'odd field names': 'from : a@example.com\r\nTO\t:b\r\nSubject:\r\n\t\r\n folded \r\n\t twice\r\n\r\nx\r\n',
};

for (const [name, text] of Object.entries(ODD_BODIES))
  for (const c of FORMS)
    test(`${c}: ${name}`, async () => {
      for (const key of [RSA, ED25519]) {
        const mail = signed(text, { key, tags: { c } });
        const dns = keyNames(recordOf(key));
        const outcome = await verifyOne(mail, dns);
        assert.equal(outcome.result, 'pass', outcome.detail);
        const more = await verifyOne(mail.includes('\r\n\r\n') ? `${mail}x` : `${mail}\r\nx`, dns);
        assert.equal(more.fault, 'body hash');
        const other = await verifyOne(mail.replace('a@example.com', 'c@example.com'), dns);
        assert.equal(other.fault, 'signature');
      }
    });

test('a signature that holds', async () => {
  const names = { domain: 'example.com', selector: 's', identity: '@example.com', algorithm: 'rsa-sha256' };
  const { tag, ...outcome } = await verifyOne(signed(MAIL));
  assert.match(tag, /^[A-Za-z0-9+/]{8}$/);
  assert.deepEqual(outcome, {
    result: 'pass',
    fault: 'none',
    ...names,
    bits: 1024,
    testing: false,
    detail: '1024 bits',
  });
});

test('a message without a signature asks for nothing', async () => {
  const dns = dnsOf(keyNames());
  for (const text of [MAIL, '', '\r\n', '\r\nbody', 'x'])
    assert.deepEqual(await verify(text, dns), { signatures: [], ignored: 0, lookups: [] });
  assert.deepEqual(dns.asked, []);
});

test('a signature above nothing else does not cover From, and still is one', async () => {
  assert.equal((await verifyOne(signed('\r\nbody\r\n', { tags: { h: 'from' } }))).result, 'pass');
  assert.equal((await verifyOne(signed('\r\nbody\r\n', { tags: { h: 'to' } }))).fault, 'from not signed');
});

type Ruling = readonly [signing: Signing, record: string, want: string, options?: Verifying];

const RULINGS: Readonly<Record<string, Ruling>> = {
  Ed25519: [{ key: ED25519 }, recordOf(ED25519), 'pass none'],
  'tags in another order': [{ order: ['b', 'bh', 'h', 's'] }, recordOf(RSA), 'pass none'],
  'bh= behind b=': [{ order: ['b', 'bh'] }, recordOf(RSA), 'pass none'],
  'no blanks between tags': [{ separator: ';' }, recordOf(RSA), 'pass none'],
  'folded between tags': [{ separator: ' ;\r\n\t ' }, recordOf(RSA), 'pass none'],
  'b= folded': [{ wrap: b => b.replace(/.{20}/g, '$&\r\n\t') }, recordOf(RSA), 'pass none'],
  'b= folded, simple': [
    { wrap: b => ` ${b.replace(/.{20}/g, '$&\r\n\t')} `, tags: { c: 'simple' } },
    recordOf(RSA),
    'pass none',
  ],
  'blanks before the colon': [{ fieldName: 'DKIM-Signature \t' }, recordOf(RSA), 'pass none'],
  'the name in other case': [{ fieldName: 'dkim-SIGNATURE' }, recordOf(RSA), 'pass none'],
  'the name in other case, simple': [
    { fieldName: 'dkim-SIGNATURE', tags: { c: 'simple' } },
    recordOf(RSA),
    'pass none',
  ],
  'h= with fields that are not there': [
    { tags: { h: 'from:from:date:x-none:to' } },
    recordOf(RSA),
    'pass none',
  ],
  'h= in capitals': [{ tags: { h: 'FROM:TO' } }, recordOf(RSA), 'pass none'],
  'tags that nobody knows': [{ tags: { xyz: 'a b', n: '' } }, recordOf(RSA), 'pass none'],
  'key with t=y': [{}, recordOf(RSA, 't=y; '), 'pass none'],
  'key with t=s': [{}, recordOf(RSA, 't=s; '), 'pass none'],
  'key with t=s, i= the same': [{ tags: { i: 'jane@Example.com' } }, recordOf(RSA, 't=s; '), 'pass none'],
  'key with t=s, i= below': [
    { tags: { i: 'jane@mail.example.com' } },
    recordOf(RSA, 't=y:s; '),
    'permerror identity',
  ],
  'i= below': [{ tags: { i: 'jane@mail.example.com' } }, recordOf(RSA), 'pass none'],
  'i= of another': [{ tags: { i: '@example.org' } }, recordOf(RSA), 'permerror identity'],
  'key with h=sha256': [{}, recordOf(RSA, 'h=sha256; '), 'pass none'],
  'key with h=sha1': [{}, recordOf(RSA, 'h=sha1; '), 'policy algorithm'],
  'key with s=email': [{}, recordOf(RSA, 's=email; '), 'pass none'],
  'key with s=tlsrpt': [{}, recordOf(RSA, 's=tlsrpt; '), 'permerror bad key'],
  'key with g= of RFC 4871': [{}, recordOf(RSA, 'g=nobody; '), 'pass none'],
  'key of the other type': [{}, recordOf(ED25519), 'policy algorithm'],
  'key of somebody else': [{}, recordOf(OTHER), 'fail signature'],
  'key revoked': [{}, 'v=DKIM1; p=', 'permerror revoked'],
  'key without p=': [{}, 'v=DKIM1; k=rsa', 'permerror bad key'],
  'key with v= late': [
    {},
    recordOf(RSA).replace('v=DKIM1; ', '').replace('p=', 'v=DKIM1; p='),
    'permerror bad key',
  ],
  'key too short': [{ key: SHORT }, recordOf(SHORT), 'policy key size'],
  'key too short, which the site allows': [{ key: SHORT }, recordOf(SHORT), 'pass none', { minBits: 512 }],
  'key shorter than the site wants': [{}, recordOf(RSA), 'policy key size', { minBits: 2048 }],
  'SHA-1': [{ tags: { a: 'rsa-sha1' } }, recordOf(RSA), 'policy algorithm'],
  'a= of the other type': [{ tags: { a: 'ed25519-sha256' } }, recordOf(RSA), 'policy algorithm'],
  'v=2': [{ tags: { v: '2' } }, recordOf(RSA), 'neutral version'],
  'c=nofws': [{ tags: { c: 'nofws' } }, recordOf(RSA), 'neutral syntax'],
  expired: [{ tags: { t: '1', x: '1799999999' } }, recordOf(RSA), 'fail expired'],
  'not expired yet': [{ tags: { t: '1', x: '1800000000' } }, recordOf(RSA), 'pass none'],
  'x= before t=': [{ tags: { t: '2000000001', x: '2000000000' } }, recordOf(RSA), 'neutral syntax'],
  'q= of something else': [{ tags: { q: 'carrier/pigeon' } }, recordOf(RSA), 'neutral syntax'],
  'b= of another length': [{ wrap: b => b.slice(0, 40) }, recordOf(RSA), 'fail signature'],
  'b= too long': [{ wrap: b => `AAAA${b}` }, recordOf(RSA), 'fail signature'],
  'b= of Ed25519 cut off': [{ key: ED25519, wrap: b => b.slice(0, 40) }, recordOf(ED25519), 'fail signature'],
  'b= of one byte': [{ wrap: () => 'QQ==' }, recordOf(RSA), 'fail signature'],
  'b= that is nothing': [{ wrap: () => '' }, recordOf(RSA), 'neutral syntax'],
  'bh= of another': [{ tags: { bh: 'QUJD' } }, recordOf(RSA), 'fail body hash'],
  'l= of all': [{ tags: { l: '14' } }, recordOf(RSA), 'pass none'],
  'l= short of the end': [{ tags: { l: '5' } }, recordOf(RSA), 'policy extra body'],
  'l=0': [{ tags: { l: '0' } }, recordOf(RSA), 'policy extra body'],
  'l= beyond the end': [{ tags: { l: '15' } }, recordOf(RSA), 'fail body hash'],
  'l= huge': [{ tags: { l: '9'.repeat(76) } }, recordOf(RSA), 'fail body hash'],
};

for (const [name, [signing, record, want, options]] of Object.entries(RULINGS)) {
  test(`ruling: ${name}`, async () => {
    const outcome = await verifyOne(signed(MAIL, signing), keyNames(record), options);
    assert.equal(`${outcome.result} ${outcome.fault}`, want, outcome.detail);
    assert.equal(outcome.testing, /t=y/.test(record));
    assert.match(outcome.detail, /^[\x20-\x7e]+$/);
  });
}

test('l=0 is all of a body that is empty', async () => {
  const text = 'From: a@example.com\r\n\r\n';
  const outcome = (c: string) => verifyOne(signed(text, { tags: { l: '0', c } }));
  assert.equal((await outcome('simple/relaxed')).result, 'pass');
  // Of simple, it is one CRLF.
  assert.equal((await outcome('simple/simple')).fault, 'extra body');
});

const SEVERAL: Readonly<Record<string, readonly [records: readonly string[], want: string]>> = {
  'the second fits': [[recordOf(OTHER), recordOf(RSA)], 'pass none'],
  'the third fits': [['hello', 'v=DKIM1; p=', recordOf(RSA)], 'pass none'],
  'the fourth is not looked at': [[recordOf(OTHER), 'x', 'y', recordOf(RSA)], 'fail signature'],
  'none fits': [[recordOf(OTHER), recordOf(OTHER, 't=y; ')], 'fail signature'],
  'none is a key': [['hello', 'v=DKIM1; p='], 'permerror bad key'],
  'one is of the other type': [[recordOf(ED25519), recordOf(OTHER)], 'fail signature'],
  'both are of the other type': [[recordOf(ED25519), recordOf(ED25519, 't=y; ')], 'policy algorithm'],
};

for (const [name, [records, want]] of Object.entries(SEVERAL)) {
  test(`several keys at a selector: ${name}`, async () => {
    const outcome = await verifyOne(signed(MAIL), { 'TXT s._domainkey.example.com': records });
    assert.equal(`${outcome.result} ${outcome.fault}`, want, outcome.detail);
  });
}

test('with several keys, text behind l= is told, whichever key is the right one', async () => {
  const records = [recordOf(OTHER), recordOf(RSA)];
  const mail = `${signed(MAIL, { tags: { l: '14' } })}more\r\n`;
  const outcome = await verifyOne(mail, { 'TXT s._domainkey.example.com': records });
  assert.equal(outcome.fault, 'extra body');
});

test('a second From breaks an oversigned one', async () => {
  const mail = signed(MAIL, { tags: { h: 'from:from:to' } });
  const [first = ''] = mail.split('From: ');
  for (const text of [
    `From: evil@example.org\r\n${mail}`,
    `${first}From: evil@example.org\r\n${mail.slice(first.length)}`,
  ])
    assert.equal((await verifyOne(text)).fault, 'signature');
  // Without it, the one at the bottom is the one that is signed.
  const bare = signed(MAIL, { tags: { h: 'from:to' } });
  assert.equal((await verifyOne(`From: evil@example.org\r\n${bare}`)).result, 'pass');
});

test('each of several signatures is told, from the top down', async () => {
  const names = { ...keyNames(), 'TXT e._domainkey.example.com': [recordOf(ED25519)] };
  const first = signed(MAIL);
  const second = signed(first, { key: ED25519, tags: { s: 'e', h: 'from:dkim-signature' } });
  const third = signed(second, { tags: { h: 'from', d: 'example.org' } });
  const broken = signed(third, { tags: { bh: 'QUJD' } });
  const { signatures } = await verify(broken, names);
  assert.deepEqual(
    signatures.map(({ result, domain, selector }) => [result, domain, selector]),
    [
      ['fail', 'example.com', 's'],
      ['permerror', 'example.org', 's'],
      ['pass', 'example.com', 'e'],
      ['pass', 'example.com', 's'],
    ],
  );
});

test('a name in UTF-8 is looked up as its A-labels (RFC 8616)', async () => {
  const tags = { d: 'voil\xc3\xa0.example', s: 'd\xc3\xa9j\xc3\xa0', i: '@a.voil\xc3\xa0.example' };
  const names = { 'TXT xn--dj-kia8a._domainkey.xn--voil-3na.example': [recordOf(RSA)] };
  for (const c of FORMS) {
    const outcome = await verifyOne(signed(MAIL, { tags: { ...tags, c } }), names);
    assert.equal(outcome.result, 'pass', outcome.detail);
    assert.equal(outcome.domain, 'xn--voil-3na.example');
  }
});

test('fields beyond the limit, or a header beyond it, and nothing is verified', async () => {
  const mail = signed(MAIL);
  for (const options of [{ headerFields: 3 }, { headerBytes: mail.indexOf('\r\n\r\n') - 10 }]) {
    const dns = dnsOf(keyNames());
    const outcome = await verifyOne(mail, dns, options);
    assert.equal(`${outcome.result} ${outcome.fault}`, 'policy budget', outcome.detail);
    assert.deepEqual(dns.asked, []);
  }
});

test('many different l= do not keep the signature of the whole from being verified', async () => {
  let mail = signed(MAIL);
  for (let l = 1; l < 9; l++) mail = signed(mail, { tags: { h: 'from', l: `${l}` } });
  const { signatures } = await verify(mail);
  assert.deepEqual(
    signatures.map(({ fault }) => fault),
    ['extra body', 'extra body', ...Array<string>(6).fill('budget'), 'none'],
  );
});

test('a byte changed anywhere, and neither form holds', async () => {
  const text = 'From: a@example.com\r\nSubject: some words\r\n\r\nsome more words\r\n';
  for (const c of FORMS) {
    const mail = signed(text, { tags: { c, h: 'from:subject' } });
    const end = mail.indexOf('; bh=');
    const property = fc.asyncProperty(
      fc.nat(mail.length - 1),
      fc.constantFrom('x', 'Q', '7'),
      async (at, byte) => {
        if (mail[at]?.toLowerCase() === byte.toLowerCase()) return;
        // The last letter of b= has bits that mean nothing.
        if (at >= end - 4 && at < end) return;
        const { signatures } = await verify(mail.slice(0, at) + byte + mail.slice(at + 1));
        assert.ok(
          signatures.every(({ result }) => result !== 'pass'),
          `${at}`,
        );
      },
    );
    await fc.assert(property, { numRuns: 150 });
  }
});

test('any header and body, signed by the letter of the RFC, verify', async () => {
  const piece = fc.oneof(
    fc.constantFrom(' ', '\t', '\r\n', '\r\n ', '\r', '\n', 'x', 'From: b\r\n', '\0', '\xa0', ':'),
    fc.string({ maxLength: 4 }),
  );
  const text = fc.array(piece, { maxLength: 20 }).map(pieces => pieces.join(''));
  const property = fc.asyncProperty(text, text, fc.constantFrom(...FORMS), async (subject, body, c) => {
    // A line that begins otherwise would begin another field, and an LF alone ends one here.
    const value = subject.replace(/\r\n(?![ \t])/g, '\r\n ').replace(/(?<!\r)\n/g, '');
    const mail = signed(`From: a@example.com\r\nSubject:${value}x\r\nTo: b\r\n\r\n${body}`, { tags: { c } });
    const outcome = await verifyOne(mail);
    assert.equal(outcome.result, 'pass', outcome.detail);
  });
  await fc.assert(property, { numRuns: 500 });
});

test('whatever stands in a message, there is an answer for each signature', async () => {
  const mail = signed(signed(MAIL), { key: ED25519 });
  const cut = fc.tuple(fc.nat(mail.length), fc.nat(40), fc.string({ maxLength: 10 }));
  const property = fc.asyncProperty(fc.array(cut, { maxLength: 5 }), async cuts => {
    let text = mail;
    for (const [at, length, other] of cuts) text = text.slice(0, at) + other + text.slice(at + length);
    const { signatures, ignored } = await verify(text);
    assert.ok(signatures.length <= 10 && ignored === 0);
  });
  await fc.assert(property, { numRuns: 300 });
});
