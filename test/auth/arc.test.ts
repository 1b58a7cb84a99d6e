import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { signatureOf } from '../../src/auth/dkim-sign.ts';
import { relaxedField } from '../../src/auth/signed-header.ts';
import { MAIL, namesOf, sealed, sealer, verify } from './arc-mail.ts';
import { dnsOf } from './asking.ts';

const [A, B, C] = [sealer('a.example'), sealer('b.example'), sealer('c.example')];

const dns = dnsOf(namesOf(A, B, C));

const ONE = await sealed(MAIL, A, dns);
const TWO = await sealed(ONE, B, dns);
const THREE = await sealed(TWO, C, dns, 'arc=pass');

test('a message without ARC fields has no chain', async () => {
  assert.equal(await verify(MAIL, dns), null);
  for (const text of ['', '\r\n', '\r\nbody\r\n', 'Subject: no body'])
    assert.equal(await verify(text, dns), null);
});

test('the sets of a chain that passes come the oldest first, with what each sealer saw', async () => {
  const { lookups, ...outcome } = (await verify(THREE, dns)) ?? assert.fail();
  const results = 'spf=pass smtp.mailfrom=author.example; dkim=pass header.d=author.example; dmarc=pass';
  const saw = (domain: string, what: string) => ({ sealer: domain, results: `mx.${domain};\t${what}` });
  assert.deepEqual(outcome, {
    result: 'pass',
    instances: 3,
    sets: [
      saw('a.example', results.replaceAll('; ', ';\t')),
      saw('b.example', results.replaceAll('; ', ';\t')),
      saw('c.example', 'arc=pass'),
    ],
    domain: 'c.example',
    selector: 's',
    detail: '3 seals, all genuine',
  });
  assert.equal(lookups.length, 3);
  assert.match(lookups.join('\n'), /^TXT s\._domainkey\.c\.example: "v=DKIM1/);
});

test('Ed25519 seals beside RSA', async () => {
  const ed = sealer('ed.example', 'ed25519');
  const all = dnsOf(namesOf(A, ed));
  const text = await sealed(await sealed(ONE, ed, all), A, all);
  const outcome = await verify(text, all);
  assert.equal(outcome?.result, 'pass', outcome?.detail);
  assert.match(text, /^ARC-Seal: i=2; a=ed25519-sha256; cv=pass; /m);
});

/** Removes a field of TWO, or puts another in. */
const field = (name: string, instance: number) =>
  new RegExp(`^${name}: i=${instance}; (?:.*\\r\\n[ \\t])*.*\\r\\n`, 'm');

const FAULTS: Readonly<Record<string, readonly [text: string, detail: RegExp]>> = {
  'no seal 2': [TWO.replace(field('ARC-Seal', 2), ''), /set 2 is not complete/],
  'no signature 1': [TWO.replace(field('ARC-Message-Signature', 1), ''), /set 1 is not complete/],
  'no results 2': [TWO.replace(field('ARC-Authentication-Results', 2), ''), /set 2 is not complete/],
  'no set 1': [
    ['ARC-Seal', 'ARC-Message-Signature', 'ARC-Authentication-Results'].reduce(
      (text, name) => text.replace(field(name, 1), ''),
      TWO,
    ),
    /set 1 is not complete/,
  ],
  'results twice': [TWO.replace(field('ARC-Authentication-Results', 1), '$&$&'), /more than one set 1/],
  'seal twice': [TWO.replace(field('ARC-Seal', 2), '$&$&'), /more than one set 2/],
  'a set 0': [TWO.replace('ARC-Seal: i=2;', 'ARC-Seal: i=0;'), /names no instance/],
  'a set 51': [ONE.replaceAll(': i=1;', ': i=51;'), /claims 51 sets/],
  'a set 100': [ONE.replaceAll(': i=1;', ': i=100;'), /names no instance/],
  'results without instance': [ONE.replace('Results: i=1;', 'Results:'), /names no instance/],
  'results without semicolon': [ONE.replace('Results: i=1;', 'Results: i=1'), /names no instance/],
  'a tag twice': [ONE.replace('cv=none;', 'cv=none; cv=none;'), /no tag list/],
  'an empty tag': [ONE.replace('cv=none;', 'cv=none;;'), /no tag list/],
  'cv=pass in the first': [ONE.replace('cv=none', 'cv=pass'), /set 1 does not say cv=none/],
  'cv=none in the second': [TWO.replace('cv=pass', 'cv=none'), /set 2 does not say cv=pass/],
  'cv=fail on top': [TWO.replace('cv=pass', 'cv=fail'), /set 2 says that it failed/],
  'cv=fail below': [TWO.replace('cv=none', 'cv=fail'), /set 1 does not say cv=none/],
  'cv empty': [ONE.replace('cv=none', 'cv='), /set 1 does not say cv=none/],
  'h= in a seal': [TWO.replace('cv=none', 'cv=none; h=from'), /the seal of set 1: h= must not/],
  'no d= in a seal': [TWO.replace(/(Seal: i=1.*?)d=\S+/s, '$1'), /the seal of set 1: d= is missing/],
  't= of blanks': [
    ONE.replace(/(Seal: i=1.*?)t=1700000000/s, '$1t=17 00'),
    /the seal of set 1: t= is no time/,
  ],
  't= empty': [
    ONE.replace(/(Signature: i=1.*?)t=1700000000/s, '$1t='),
    /the signature of set 1: t=.* no time/,
  ],
  'rsa-sha1': [TWO.replace(/(Seal: i=1.*?)rsa-sha256/s, '$1rsa-sha1'), /the seal of set 1: rsa-sha1/],
  'h= with ARC-Seal': [ONE.replace('h=from:', 'h=arc-seal:from:'), /signature of set 1: h= names ARC-Seal/],
  'h= without From': [ONE.replace('h=from:from:', 'h='), /signature of set 1: h= does not name From/],
  expired: [
    ONE.replace(/(Signature: i=1.*?t=1700000000)/s, '$1; x=1700000001'),
    /signature of set 1: it expired/,
  ],
  'body changed': [TWO.replace('Hello', 'Hallo'), /the signature of set 2: the body was changed/],
  'header changed': [TWO.replace('Jane <', 'John <'), /the signature of set 2: the header was changed/],
  'From added': [`From: x@y.example\r\n${TWO}`, /the signature of set 2: the header was changed/],
  'l= short': [ONE.replace(/(\r\n\tbh=)/, '\r\n\tl=3;$1'), /l= says 3 bytes, and the body has/],
  'results changed': [
    TWO.replace(/(Results: i=1.*?)spf=pass/s, '$1spf=fail'),
    /the seal of set 2: it is not genuine/,
  ],
  'results above changed': [TWO.replace('spf=pass', 'spf=fail'), /the seal of set 2: it is not genuine/],
  'old seal changed': [TWO.replace(/(Seal: i=1.*?)t=17/s, '$1t=16'), /the seal of set 2: it is not genuine/],
};

for (const [name, [text, detail]] of Object.entries(FAULTS)) {
  test(`a chain fails: ${name}`, async () => {
    assert.notEqual(text, ONE);
    assert.notEqual(text, TWO);
    const outcome = await verify(text, dns, { now: 1_700_000_100 });
    assert.equal(outcome?.result, 'fail', outcome?.detail);
    assert.match(outcome.detail, detail);
    assert.deepEqual(outcome.sets, []);
  });
}

test('what RFC 8617 lets pass', async () => {
  const changed = TWO.replace('Subject: a  subject', 'subject : a \r\n subject ').replace(
    'Hello,  world ',
    'Hello, world\t',
  );
  assert.equal((await verify(changed, dns))?.result, 'pass', 'relaxed forms');
  const mixed = ['Received: by x\r\n', THREE.replace(field('ARC-Seal', 1), '')];
  const moved = mixed.join(THREE.match(field('ARC-Seal', 1))?.[0]);
  assert.equal((await verify(moved, dns))?.result, 'pass', 'fields in another order');
  const list = ONE.replace('Subject: a  subject', 'Subject: [list] a subject');
  const relisted = await sealed(list, B, dns, 'dmarc=fail', { result: 'pass' });
  assert.equal(
    (await verify(relisted, dns))?.result,
    'pass',
    'an older message signature that no longer holds',
  );
});

test('without c=, a message signature may be relaxed, or simple', async () => {
  const results = ONE.match(field('ARC-Authentication-Results', 1))?.[0] ?? '';
  const from = 'From: Jane <jane@author.example>\r\n';
  for (const form of ['simple', 'relaxed'] as const) {
    const canonical = (raw: string) => (form === 'simple' ? raw : relaxedField(raw));
    // In the simple form, blanks at the end of a line count.
    const text = form === 'simple' ? MAIL.replaceAll(' \r\n', '\r\n').replace('  world', '') : MAIL;
    const bodyHash = (await sealed(text, A, dns)).match(/bh=[^;]*/)?.[0];
    const bare = `ARC-Message-Signature: i=1;  a=rsa-sha256; d=a.example; s=s; h=from; ${bodyHash}; b=`;
    const data = `${canonical(from.trimEnd())}\r\n${canonical(bare)}`;
    const signed = bare + signatureOf(data, A.key, 'rsa-sha256').toString('base64');
    const seal = 'ARC-Seal: i=1; a=rsa-sha256; cv=none; d=a.example; s=s; b=';
    const covered = [results.trimEnd(), signed, seal].map(relaxedField).join('\r\n');
    const b = signatureOf(covered, A.key, 'rsa-sha256').toString('base64');
    const outcome = await verify(`${seal}${b}\r\n${signed}\r\n${results}${text}`, dns);
    assert.equal(outcome?.result, 'pass', `${form}: ${outcome?.detail}`);
  }
});

test('a header that is not whole is not verified', async () => {
  assert.equal((await verify(ONE, dns, { maxFields: 8 }))?.result, 'fail');
  assert.equal((await verify(ONE, dns, { headerBytes: 1000 }))?.result, 'fail');
});

test('fifty sets pass; a header of thousands of sets costs no look-up', async () => {
  let text = MAIL;
  for (let i = 0; i < 50; i++) text = await sealed(text, A, dns, 'arc=pass');
  assert.equal((await verify(text, dns))?.result, 'pass');
  assert.equal(await sealed(text, A, dns), text);

  const asking = dnsOf(namesOf(A, B));
  const seal = ONE.match(field('ARC-Seal', 1))?.[0] ?? '';
  for (const flood of [
    seal.repeat(2000) + TWO,
    Array.from({ length: 2000 }, (_, i) => seal.replace('i=1', `i=${i + 1}`)).join('') + ONE,
    TWO.slice(0, TWO.indexOf('From:')).repeat(40) + MAIL,
  ])
    assert.equal((await verify(flood, asking))?.result, 'fail');
  assert.deepEqual(asking.asked, []);
});

test('a chain of huge fields is not hashed over and over', async () => {
  const set = (i: number) =>
    `ARC-Seal: i=${i}; a=rsa-sha256; cv=${i === 1 ? 'none' : 'pass'}; d=a.example; s=s; b=AAAA\r\n` +
    `ARC-Message-Signature: i=${i}; a=rsa-sha256; d=a.example; s=s; h=from; bh=AAAA; b=AAAA\r\n` +
    `ARC-Authentication-Results: i=${i}; ${'x'.repeat(70_000)}\r\n`;
  const text = Array.from({ length: 50 }, (_, i) => set(i + 1)).join('') + MAIL;
  const outcome = await verify(text, dns);
  assert.equal(outcome?.result, 'fail');
  assert.match(outcome.detail, /too big/);
});

test('hostile headers never crash and never pass', async () => {
  const names = fc.constantFrom(
    'ARC-Seal',
    'arc-message-signature',
    'ARC-Authentication-Results',
    'From',
    'DKIM-Signature',
  );
  const tags = fc.array(
    fc.oneof(
      fc.constantFrom(
        'i=1',
        'i=2',
        'i=',
        'cv=none',
        'cv=pass',
        'cv=fail',
        'd=a.example',
        's=s',
        'h=from',
        'bh=AAAA',
        'b=AAAA',
      ),
      fc.constantFrom(
        'a=rsa-sha256',
        'a=ed25519-sha256',
        'c=relaxed/relaxed',
        'l=0',
        'l=99999999999',
        't=1',
        'x=1',
        '',
        ' ',
        '=;',
      ),
      fc.string({ unit: 'binary', maxLength: 20 }),
    ),
    { maxLength: 12 },
  );
  const line = fc.record({ name: names, tags }).map(one => `${one.name}: ${one.tags.join('; ')}\r\n`);
  await fc.assert(
    fc.asyncProperty(fc.array(line, { maxLength: 30 }), fc.boolean(), async (lines, below) => {
      const text = below ? MAIL.replace('Subject', () => `${lines.join('')}Subject`) : lines.join('') + MAIL;
      const outcome = await verify(text, dns);
      assert.ok(outcome === null || outcome.result === 'fail');
      await sealed(text, A, dns);
    }),
    { numRuns: 300 },
  );
});

test('any single change to what is signed breaks the chain', async () => {
  const end = TWO.indexOf('\r\n\r\n');
  await fc.assert(
    fc.asyncProperty(fc.nat(end - 1), fc.constantFrom('x', 'Z', '7', '+'), async (at, by) => {
      const before = TWO.charAt(at);
      // The case of a name does not count, nor do the last bits of base64 that is padded.
      fc.pre(/[a-z0-9]/i.test(before) && before.toLowerCase() !== by.toLowerCase());
      fc.pre(!TWO.startsWith('=\r\n', at + 1));
      const text = TWO.slice(0, at) + by + TWO.slice(at + 1);
      const outcome = await verify(text, dns);
      assert.notEqual(outcome?.result, 'pass', `${at} ${TWO.slice(at - 20, at + 20)}`);
    }),
    { numRuns: 300 },
  );
});
