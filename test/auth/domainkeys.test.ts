import assert from 'node:assert/strict';
import { createPublicKey, createSign, generateKeyPairSync } from 'node:crypto';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { malformedAuthor } from '../../src/auth/domainkeys-address.ts';
import { domainKey, matchesGranularity } from '../../src/auth/domainkeys-key.ts';
import { dkverifyLetter, domainKeyStatus } from '../../src/auth/domainkeys-status.ts';
import { verifyDomainKeys } from '../../src/auth/domainkeys.ts';
import { MessageLookups } from '../../src/auth/lookups.ts';
import { createResolver } from '../../src/dns/resolver.ts';
import { headerFields } from '../../src/mail/header.ts';
import type { SignatureFault, SignatureResult } from '../../src/model/authentication.ts';
import { startDnsServer } from '../support/dns-server.ts';
import type { ZoneEntry } from '../support/dns-server.ts';
import { dnsOf } from './asking.ts';
import type { Names } from './asking.ts';
import { KEY, keyRecord, mail, oddKey, published, sign, signed, verify } from './domainkeys-mail.ts';

const MAIL = 'From: Jo <jo@example.com>\r\nTo: x@example.net\r\nSubject: a  b\r\n\r\nHello\r\n\r\nyou \r\n';
const SIGNED = await signed(MAIL);

/** SIGNED with another tag list: `b=...` stands for the signature. */
function tagged(tags: string): string {
  const b = /b=[^;]*/.exec(SIGNED)?.[0] ?? '';
  return `DomainKey-Signature: ${tags.replace('b=...', b)}\r\n${MAIL}`;
}

const RECORD = `k=rsa; p=${published()}`;
const at = (...records: string[]): Names => ({ 'TXT s._domainkey.example.com': records });

/** Its From is to stand above the signature, where nothing is signed. */
const UNCOVERED = byHand(MAIL.slice(MAIL.indexOf('To:')), '');
/** h= leaves From out. */
const UNLISTED = byHand(MAIL, 'h=to:subject; ', ['To:x@example.net', 'Subject:ab']);

/** Signed without what our own signer insists on; `fields` in canonical form, all of them by default. */
function byHand(text: string, tags: string, fields?: readonly string[]): string {
  const [header = '', body = ''] = text.replace(/[ \t]/g, '').split(/\r\n\r\n([^]*)/);
  const data = `${fields?.join('\r\n') ?? header}\r\n\r\n${body}`.replace(/(?:\r\n)+$/, '\r\n');
  const b = createSign('sha1').update(data).sign(KEY, 'base64');
  return `DomainKey-Signature: c=nofws; s=s; d=example.com; ${tags}b=${b}\r\n${text}`;
}

/** What a message comes to: with the DKVERIFY letter, the result, the fault, and words of the detail. */
const VERDICTS: readonly [
  what: string,
  message: string,
  names: Names,
  letter: string,
  result: SignatureResult,
  fault: SignatureFault,
  detail: RegExp,
][] = [
  ['as signed', SIGNED, at(RECORD), 'A', 'pass', 'none', /^1024 bits$/],
  [
    'blanks and folds changed',
    SIGNED.replace('a  b', 'a\r\n\t b').replace('you ', 'y ou'),
    at(RECORD),
    'A',
    'pass',
    'none',
    /./,
  ],
  ['empty lines more', `${SIGNED}\r\n \t\r\n`, at(RECORD), 'A', 'pass', 'none', /./],
  [
    'fields above',
    `From-Ish: x\r\nSender: a@evil.example\r\n${SIGNED}`,
    at(RECORD),
    'A',
    'pass',
    'none',
    /./,
  ],
  ['body changed', SIGNED.replace('Hello', 'Hallo'), at(RECORD), 'B', 'fail', 'signature', /does not verify/],
  [
    'field below changed',
    SIGNED.replace('a  b', 'c'),
    at(RECORD),
    'B',
    'fail',
    'signature',
    /does not verify/,
  ],
  [
    'field below added',
    SIGNED.replace('To:', 'Cc: y@example.net\r\nTo:'),
    at(RECORD),
    'B',
    'fail',
    'signature',
    /./,
  ],
  [
    'From above the signature',
    `From: jo@example.com\r\n${UNCOVERED}`,
    at(RECORD),
    'A',
    'policy',
    'from not signed',
    /From is not signed/,
  ],
  ['From not named by h=', UNLISTED, at(RECORD), 'A', 'policy', 'from not signed', /From is not signed/],
  [
    'From not named by h=, and changed',
    UNLISTED.replace('Hello', 'Hi'),
    at(RECORD),
    'B',
    'fail',
    'signature',
    /./,
  ],
  [
    'two From, one above',
    `From: boss@example.com\r\n${SIGNED}`,
    at(RECORD),
    'G',
    'permerror',
    'syntax',
    /2 From/,
  ],
  ['no From', SIGNED.replace('From:', 'Form:'), at(RECORD), 'G', 'permerror', 'syntax', /no From/],
  [
    'an empty From',
    SIGNED.replace('Jo <jo@example.com>', ''),
    at(RECORD),
    'G',
    'permerror',
    'syntax',
    /no address/,
  ],
  [
    'a From without @',
    SIGNED.replace('Jo <jo@example.com>', 'jo'),
    at(RECORD),
    'G',
    'permerror',
    'syntax',
    /no address/,
  ],
  [
    'two Sender below',
    SIGNED.replace('To:', 'Sender: a@example.com\r\nSender: a@example.com\r\nTo:'),
    at(RECORD),
    'G',
    'permerror',
    'syntax',
    /2 Sender/,
  ],
  [
    'a Sender of another domain below',
    SIGNED.replace('To:', 'Sender: a@example.net\r\nTo:'),
    at(RECORD),
    'G',
    'permerror',
    'identity',
    /d=example.com is neither example.net nor above it/,
  ],
  [
    'a Sender without @ below',
    SIGNED.replace('To:', 'Sender: a\r\nTo:'),
    at(RECORD),
    'G',
    'permerror',
    'syntax',
    /Sender holds no address/,
  ],
  [
    'another domain',
    SIGNED.replace('jo@example.com', 'jo@bank.example'),
    at(RECORD),
    'G',
    'permerror',
    'identity',
    /d=example.com/,
  ],
  [
    'a domain that ends alike',
    SIGNED.replace('jo@example.com', 'jo@anexample.com'),
    at(RECORD),
    'G',
    'permerror',
    'identity',
    /./,
  ],
  [
    'a parent domain in From',
    tagged('s=s; d=sub.example.com; b=...'),
    at(RECORD),
    'G',
    'permerror',
    'identity',
    /./,
  ],
  [
    'an LF alone in the header',
    SIGNED.replace('a  b', 'a\n b'),
    at(RECORD),
    'G',
    'permerror',
    'syntax',
    /LF alone/,
  ],
  ['an LF alone above', `X: a\nb\r\n${SIGNED}`, at(RECORD), 'G', 'permerror', 'syntax', /LF alone/],
  ['an LF alone behind it', SIGNED.replace('  ;\r', ''), at(RECORD), 'G', 'permerror', 'syntax', /LF alone/],
  [
    'an LF alone in the body',
    SIGNED.replace('Hello\r', 'Hello'),
    at(RECORD),
    'G',
    'permerror',
    'syntax',
    /LF alone/,
  ],
  ['no tags', tagged(''), at(RECORD), 'C', 'neutral', 'syntax', /d= is missing/],
  ['no d', tagged('s=s; b=...; c=nofws'), at(RECORD), 'C', 'neutral', 'syntax', /d= is missing/],
  ['no s', tagged('d=example.com; b=...; c=nofws'), at(RECORD), 'C', 'neutral', 'syntax', /s= is missing/],
  ['no b', tagged('d=example.com; s=s; c=nofws'), at(RECORD), 'C', 'neutral', 'syntax', /b= is missing/],
  ['an empty b', tagged('d=example.com; s=s; b=; c=nofws'), at(RECORD), 'B', 'fail', 'signature', /base64/],
  ['an empty d', tagged('d=; s=s; b=...; c=nofws'), at(RECORD), 'G', 'permerror', 'identity', /./],
  ['an empty s', tagged('d=example.com; s=; b=...; c=nofws'), at(RECORD), 'D', 'permerror', 'no key', /./],
  [
    'no tag list',
    tagged('d=example.com; s=s; nonsense; b=...'),
    at(RECORD),
    'G',
    'permerror',
    'syntax',
    /no tag list/,
  ],
  [
    'a tag twice',
    tagged('d=example.com; s=s; s=s; b=...'),
    at(RECORD),
    'G',
    'permerror',
    'syntax',
    /no tag list/,
  ],
  [
    'defaults, odd case, a tag of nobody',
    tagged('D2=x; d=EXAMPLE.com; s=s; c=NoFWS; b=...'),
    at(RECORD),
    'A',
    'pass',
    'none',
    /./,
  ],
  [
    'c absent is simple',
    tagged('a=rsa-sha1; q=dns; d=example.com; s=s; b=...'),
    at(RECORD),
    'B',
    'fail',
    'signature',
    /./,
  ],
  [
    'another c',
    tagged('c=relaxed; d=example.com; s=s; b=...'),
    at(RECORD),
    'G',
    'permerror',
    'syntax',
    /c=relaxed/,
  ],
  [
    'another q',
    tagged('q=http; c=nofws; d=example.com; s=s; b=...'),
    at(RECORD),
    'G',
    'permerror',
    'syntax',
    /q=http/,
  ],
  [
    'another a',
    tagged('a=rsa-sha256; c=nofws; d=example.com; s=s; b=...'),
    at(RECORD),
    'G',
    'permerror',
    'algorithm',
    /a=rsa-sha256/,
  ],
  [
    'h of 1022 bytes',
    tagged(`h=${'x'.repeat(1022)}; c=nofws; d=example.com; s=s; b=...`),
    at(RECORD),
    'G',
    'permerror',
    'syntax',
    /h= is too long/,
  ],
  [
    'h of 1021 bytes',
    tagged(`h=${'x'.repeat(1021)}; c=nofws; d=example.com; s=s; b=...`),
    at(RECORD),
    'B',
    'fail',
    'signature',
    /./,
  ],
  [
    'h names all',
    tagged('h=From:To : Subject:Absent; c=nofws; d=example.com; s=s; b=...'),
    at(RECORD),
    'A',
    'pass',
    'none',
    /./,
  ],
  [
    'h in another order, since that of the message counts',
    tagged('h=subject:to:from; c=nofws; d=example.com; s=s; b=...'),
    at(RECORD),
    'A',
    'pass',
    'none',
    /./,
  ],
  ['no record', SIGNED, {}, 'D', 'permerror', 'no key', /no key at s._domainkey.example.com/],
  ['a record without p', SIGNED, at('k=rsa'), 'D', 'permerror', 'no key', /no p=/],
  ['an empty record', SIGNED, at(''), 'D', 'permerror', 'no key', /no p=/],
  ['a revoked key', SIGNED, at('k=rsa; p= ; t=y'), 'J', 'permerror', 'revoked', /revoked/],
  ['a record that is no tag list', SIGNED, at('hello'), 'E', 'permerror', 'bad key', /no tag list/],
  ['p that is no base64', SIGNED, at('p=%%%'), 'E', 'permerror', 'bad key', /no RSA key/],
  ['p that is no key', SIGNED, at('p=AAAA'), 'E', 'permerror', 'bad key', /no RSA key/],
  ['an Ed25519 key', SIGNED, at(`k=ed25519; p=${ed25519()}`), 'E', 'permerror', 'bad key', /no RSA key/],
  [
    "k and v are nobody's business",
    SIGNED,
    at(`v=DKIM7; k=other; p=${published()}`),
    'A',
    'pass',
    'none',
    /./,
  ],
  ['a good record after a bad one', SIGNED, at('v=spf1 -all', RECORD), 'A', 'pass', 'none', /./],
  ['a good record after three bad ones', SIGNED, at('x', 'x', 'x', RECORD), 'E', 'permerror', 'bad key', /./],
  ['another key', SIGNED, at(`p=${published(oddKey(1024))}`), 'B', 'fail', 'signature', /./],
  ['another length of key', SIGNED, at(`p=${published(oddKey(768))}`), 'B', 'fail', 'signature', /./],
  ['g of the same local part', SIGNED, at(`g=JO; ${RECORD}`), 'A', 'pass', 'none', /./],
  ['g of another', SIGNED, at(`g=joe; ${RECORD}`), 'L', 'fail', 'granularity', /joe alone/],
  ['an empty g', SIGNED, at(`g=; ${RECORD}`), 'A', 'pass', 'none', /./],
  ['the DNS fails', SIGNED, { 'TXT s._domainkey.example.com': 'fails' }, 'F', 'temperror', 'dns', /SERVFAIL/],
];

function ed25519(): string {
  const { publicKey } = generateKeyPairSync('ed25519');
  return publicKey.export({ type: 'spki', format: 'der' }).subarray(12).toString('base64');
}

describe('verifying DomainKeys', () => {
  for (const [what, message, names, letter, result, fault, detail] of VERDICTS)
    test(what, async () => {
      const verdict = await verify(message, names);
      assert.deepEqual([verdict.letter, verdict.only.result, verdict.only.fault], [letter, result, fault]);
      assert.match(verdict.only.detail, detail);
    });

  test('everything that is known comes out', async () => {
    const { signature, lookups } = await verify(SIGNED, at(`t=y:s; ${RECORD}`));
    assert.deepEqual(signature, {
      result: 'pass',
      fault: 'none',
      domain: 'example.com',
      selector: 's',
      identity: 'jo@example.com',
      algorithm: 'rsa-sha1',
      bits: 1024,
      tag: /b=(.{8})/.exec(SIGNED)?.[1],
      testing: true,
      detail: '1024 bits',
    });
    assert.deepEqual(
      lookups.map(text => text.slice(0, 40)),
      ['TXT s._domainkey.example.com: "t=y:s; k='],
    );
  });

  test('of several signatures the topmost counts, and covers those below', async () => {
    const twice = await signed(SIGNED.replace('DomainKey', 'Sender: jo@example.com\r\nDomainKey'), {
      selector: 't',
    });
    const names = { ...at(RECORD), 'TXT t._domainkey.example.com': [RECORD] };
    assert.equal((await verify(twice, names)).only.selector, 't');
    assert.equal((await verify(twice, names)).letter, 'A');
    const at2 = twice.lastIndexOf('DomainKey-Signature');
    assert.equal(
      (await verify(twice.slice(0, at2) + twice.slice(at2).replace('q=dns; ', ''), names)).letter,
      'B',
    );
  });

  test('a Sender below takes precedence over From, one above does not', async () => {
    const text = `Sender: desk@sub.example.com\r\n${MAIL.replace('jo@example.com', 'jo@elsewhere.example')}`;
    const field = await sign(text);
    assert.ok('field' in field);
    assert.match(field.field, /d=sub\.example\.com;/);
    const names = { 'TXT s._domainkey.sub.example.com': [`g=desk; ${RECORD}`] };
    const below = await verify(field.field + text, names);
    assert.deepEqual([below.letter, below.only.identity], ['A', 'desk@sub.example.com']);
    assert.equal(
      (await verify(`Sender: a@b.example\r\nSender: c\r\n${field.field}${text}`, names)).letter,
      'A',
    );
    const above = await verify(`Sender: desk@sub.example.com\r\n${SIGNED}`);
    assert.deepEqual([above.letter, above.only.identity], ['A', 'jo@example.com']);
  });

  test('a key of a parent domain is good for the domains below', async () => {
    const text = MAIL.replace('jo@example.com', '"j o"@Mail.Dept.EXAMPLE.com');
    const { field } = (await sign(text)) as { readonly field: string };
    const mailed = field.replace('d=mail.dept.example.com', 'd=example.com') + text;
    assert.notEqual(mailed, field + text);
    assert.equal((await verify(mailed, at(`g=j o; ${RECORD}`))).letter, 'L', 'g= has no blanks');
    assert.equal((await verify(mailed, at(`g=j*o; ${RECORD}`))).letter, 'A');
  });

  test('of several authors the one of the signing domain counts', async () => {
    const text = MAIL.replace('Jo <jo@example.com>', 'a@home.example <b@work.example>');
    const { field } = (await sign(text)) as { readonly field: string };
    const verdict = await verify(field.replace('home', 'work') + text, {
      'TXT s._domainkey.work.example': [RECORD],
    });
    assert.deepEqual([verdict.letter, verdict.only.identity], ['A', 'b@work.example']);
  });

  for (const bits of [384, 512, 768])
    test(`a key of ${bits} bits verifies, and is called short`, async () => {
      const key = oddKey(bits);
      const verdict = await verify(await signed(MAIL, { key }), keyRecord('', key));
      assert.deepEqual([verdict.only.result, verdict.only.bits], ['pass', bits]);
      assert.equal(verdict.only.detail, `${bits} bits, a short key`);
    });

  test('a key that takes too long is not used', async () => {
    const key = oddKey(1024, (1n << 70n) + 25n);
    const verdict = await verify(await signed(MAIL, { key }), keyRecord('', key));
    assert.deepEqual([verdict.letter, verdict.only.result, verdict.only.fault], ['E', 'policy', 'key size']);
    const long = await verify(SIGNED, at(`p=${longKey(8200)}`));
    assert.deepEqual([long.letter, long.only.result, long.only.fault], ['E', 'policy', 'key size']);
    assert.match(long.only.detail, /8200 bits/);
    assert.equal((await verify(SIGNED, at(`p=${longKey(8192)}`))).letter, 'B');
  });

  test('without a signature there is none, and its letter is C, or G when the author is malformed', async () => {
    const verdict = await verify(MAIL, {});
    assert.deepEqual([verdict.signature, verdict.lookups, verdict.letter], [null, [], 'C']);
    for (const author of ['', 'From: x\r\n', 'From: a@b.example\r\nFrom: a@b.example\r\n'])
      assert.equal((await verify(`${author}To: x@example.net\r\n\r\nx`, {})).letter, 'G');
    // As libdomainkeys: without a signature nobody looks at how many Sender there are.
    assert.equal((await verify('Sender: a\r\nSender: b\r\nFrom: a@b.example\r\n\r\n', {})).letter, 'C');
  });

  test('a header that is not read in full is not verified', async () => {
    const message = mail(SIGNED);
    const lookups = () => new MessageLookups(dnsOf(at(RECORD)), 5, 1000);
    const cut = await verifyDomainKeys({ ...message, headerCut: true }, message.fields, lookups());
    assert.equal(cut.signature?.fault, 'syntax');
    const few = await verifyDomainKeys(message, headerFields(Buffer.from(message.header), 2), lookups());
    assert.equal(few.signature?.fault, 'syntax');
    assert.deepEqual(few.lookups, []);
  });

  test('fields of 200 KB are judged, and results stay small', async () => {
    const long = (unit: string) => unit.repeat(200_000 / unit.length);
    const tags = ['d', 's', 'b', 'h', 'c', 'q', 'a', 'x'].flatMap(name =>
      ['a', 'a.', ' ', '\r\n ', '=', ':', '@', '\xff'].map(unit => `${name}=${long(unit)}`),
    );
    const lists = [...tags, long('a=b;'), long(';'), long('('), long('"'), ''];
    for (const list of lists) {
      const { only, lookups } = await verify(tagged(`${list}; d=example.com; s=s; b=...`));
      assert.ok(JSON.stringify([only, lookups]).length < 4000, list.slice(0, 20));
    }
    for (const unit of ['a@', 'a', '<', '(', '"', 'a@b,', '=?utf-8?q?a?= ']) {
      const text = SIGNED.replace('Jo <', `${long(unit)} <`);
      assert.ok(JSON.stringify(await verify(text)).length < 4000, unit);
    }
  });

  test('a message that cannot be read rejects, and is not opened unless there is a key', async () => {
    const message = mail(SIGNED);
    const broken = {
      ...message,
      chunks: () => {
        throw new Error('no such file');
      },
    };
    const run = (names: Names) =>
      verifyDomainKeys(broken, message.fields, new MessageLookups(dnsOf(names), 5, 1000));
    await assert.rejects(run(at(RECORD)), /no such file/);
    assert.equal((await run({})).signature?.fault, 'no key');
  });

  test('the message in pieces of any size, from memory at once too', async () => {
    for (const size of [1, 2, 3, 7, 100]) {
      const message = mail(SIGNED, size);
      const outcome = await verifyDomainKeys(
        message,
        message.fields,
        new MessageLookups(dnsOf(at(RECORD)), 5, 1000),
      );
      assert.equal(outcome.signature?.result, 'pass');
    }
    const message = { ...mail(SIGNED), chunks: () => [Buffer.from(SIGNED)] };
    const outcome = await verifyDomainKeys(
      message,
      message.fields,
      new MessageLookups(dnsOf(at(RECORD)), 5, 1000),
    );
    assert.equal(outcome.signature?.result, 'pass');
  });

  test('anything at all is judged, and nothing but what was signed passes', async () => {
    const names = at(RECORD);
    const bytes = fc.string({ unit: 'binary', maxLength: 60 });
    const near = fc
      .tuple(fc.nat(SIGNED.length - 1), fc.nat(5), bytes)
      .map(([start, length, text]) => SIGNED.slice(0, start) + text + SIGNED.slice(start + length));
    const anything = fc.tuple(bytes, bytes).map(([tags, rest]) => `DomainKey-Signature: ${tags}\r\n${rest}`);
    await fc.assert(
      fc.asyncProperty(fc.oneof(near, anything), async text => {
        const { signature, letter } = await verify(text, names);
        assert.match(letter, /^[A-L]$/);
        if (signature?.result === 'pass') assert.equal(essence(text), essence(SIGNED));
      }),
      { numRuns: 500 },
    );
  });
});

/** What nofws signs, below the signature. */
function essence(text: string): string {
  const below = Buffer.from(text, 'latin1')
    .toString('latin1')
    .replace(/^[^]*?DomainKey-Signature:[^]*?\r\n(?![ \t])/i, '');
  return below
    .replace(/\r(?!\n)|[ \t]/g, '')
    .replace(/\r\n/g, '')
    .trim();
}

/** A modulus of `bits`, all ones, as SubjectPublicKeyInfo: nobody's key. */
function longKey(bits: number): string {
  const n = Buffer.alloc(Math.ceil(bits / 8), 0xff);
  n[0] = 0xff >> (n.length * 8 - bits);
  const jwk = { kty: 'RSA', n: n.toString('base64url'), e: 'AQAB' };
  return createPublicKey({ format: 'jwk', key: jwk })
    .export({ type: 'spki', format: 'der' })
    .toString('base64');
}

describe('DomainKeys and a name server', () => {
  const name = 's._domainkey.example.com';
  const pieces = RECORD.match(/.{1,3}/g) ?? [];
  const chain = Object.fromEntries(
    Array.from({ length: 8 }, (_, i) => [i === 0 ? name : `c${i}.example`, [{ CNAME: `c${i + 1}.example` }]]),
  );
  const MODES: readonly [
    what: string,
    zone: Record<string, readonly ZoneEntry[]>,
    letter: string,
    fault: SignatureFault,
  ][] = [
    ['an answer', { [name]: [{ TXT: RECORD }] }, 'A', 'none'],
    ['NXDOMAIN', {}, 'D', 'no key'],
    ['NODATA', { [name]: [{ A: '192.0.2.1' }] }, 'D', 'no key'],
    ['SERVFAIL', { [name]: ['SERVFAIL'] }, 'F', 'dns'],
    ['REFUSED', { [name]: ['REFUSED'] }, 'F', 'dns'],
    ['FORMERR', { [name]: ['FORMERR'] }, 'F', 'dns'],
    ['NOTIMP', { [name]: ['NOTIMP'] }, 'F', 'dns'],
    ['silence', { [name]: ['TIMEOUT'] }, 'F', 'dns'],
    ['garbage', { [name]: ['GARBAGE'] }, 'F', 'dns'],
    [
      'an answer over TCP in many strings',
      {
        [name]: [{ TXT: [...pieces, `; n=${'x'.repeat(250)}`, ...Array<string>(30).fill('y'.repeat(100))] }],
      },
      'A',
      'none',
    ],
    ['a chain of CNAMEs', { ...chain, 'c8.example': [{ TXT: RECORD }] }, 'A', 'none'],
    ['a chain of CNAMEs to nowhere', chain, 'D', 'no key'],
    [
      'a circle of CNAMEs',
      { [name]: [{ CNAME: 'a.example' }], 'a.example': [{ CNAME: name }] },
      'D',
      'no key',
    ],
  ];
  for (const [what, zone, letter, fault] of MODES)
    test(what, async () => {
      const server = await startDnsServer(zone);
      const dns = createResolver({ servers: [server.address], timeoutMs: 150, tries: 2 });
      try {
        const verdict = await verify(SIGNED, dns);
        assert.deepEqual([verdict.letter, verdict.only.fault], [letter, fault], verdict.only.detail);
        assert.equal(verdict.lookups.length, 1);
      } finally {
        dns.close();
        await server.close();
      }
    });

  test('a resolver that hangs is given up at the deadline of the message', async () => {
    const dns = { ...dnsOf({}), txt: () => new Promise<never>(() => {}) };
    const verdict = await verify(SIGNED, dns, { ms: 20 });
    assert.deepEqual([verdict.letter, verdict.only.fault], ['F', 'dns']);
  });

  test('a message that has used up its look-ups', async () => {
    const verdict = await verify(SIGNED, at(RECORD), { max: 0 });
    assert.deepEqual([verdict.letter, verdict.only.result, verdict.only.fault], ['H', 'policy', 'budget']);
  });
});

describe('DomainKeys key records', () => {
  const GRANULARITY: readonly [granularity: string, local: string, matches: boolean][] = [
    ['', 'jo', true],
    ['jo', 'jo', true],
    ['JO', 'jO', true],
    ['jo', 'joe', false],
    // libdomainkeys would let it pass, RFC 4870 3.2.3 does not.
    ['joe', 'jo', false],
    ['*', 'jo', true],
    ['j*', 'jo', true],
    ['*o', 'jo', true],
    ['j*o', 'jo', true],
    ['jo*jo', 'jo', false],
    ['jo*o', 'jo', false],
    ['j**', 'jo', false],
  ];
  for (const [granularity, local, matches] of GRANULARITY)
    test(`g=${granularity} and ${local}`, () =>
      assert.equal(matchesGranularity(granularity, local), matches));

  test('any text is read', () => {
    const tag = fc
      .tuple(fc.constantFrom('p', 'g', 't', 'k', 'v', ''), fc.string({ unit: 'binary' }))
      .map(pair => pair.join('='));
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: 'binary' }),
          fc.array(tag).map(tags => tags.join(';')),
        ),
        text => {
          const key = domainKey(text);
          assert.ok('fault' in key || key.bits > 0);
        },
      ),
    );
    const long = domainKey(`${RECORD}; n=${'x'.repeat(9000)}`);
    assert.ok('fault' in long && long.fault === 'bad key');
  });
});

test('the text of DomainKey-Status has 12 characters', async () => {
  const texts = async (message: string, names: Names) => {
    const { signature, lookups } = await verify(message, names);
    return domainKeyStatus({ signature, lookups }, malformedAuthor(mail(message).fields));
  };
  assert.equal(await texts(SIGNED, at(RECORD)), 'good        ');
  assert.equal(await texts(SIGNED.replace('Hello', ''), at(RECORD)), 'bad         ');
  assert.equal(await texts(MAIL, {}), 'no signature');
  assert.equal(await texts(SIGNED, {}), 'no key      ');
  assert.equal(await texts(SIGNED, { 'TXT s._domainkey.example.com': 'fails' }), 'no key      ');
  assert.equal(await texts(SIGNED, at('x')), 'bad key     ');
  assert.equal(await texts(SIGNED.replace('From', 'Form'), at(RECORD)), 'bad format  ');
  assert.equal(await texts(SIGNED, at('p=')), 'revoked     ');
  assert.equal(await texts(SIGNED, at(`g=joe; ${RECORD}`)), 'bad sender  ');
  const budget = await verify(SIGNED, at(RECORD), { max: 0 });
  assert.equal(domainKeyStatus(budget, null), 'no resources');
  assert.equal(dkverifyLetter({ signature: null, lookups: [] }, 'there is no From'), 'G');
});
