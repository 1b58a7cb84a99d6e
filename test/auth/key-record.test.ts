import assert from 'node:assert/strict';
import type { KeyObject } from 'node:crypto';
import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { publishedKey } from '../../src/auth/key-record.ts';
import { isSignedBy, keyObjection } from '../../src/auth/verify-signature.ts';
import { ED25519, RSA, published, recordOf } from './dkim-mail.ts';
import { oddKey } from './domainkeys-mail.ts';

const P = published(RSA);
const ED = published(ED25519);
const PKCS1 = createPublicKey(RSA).export({ type: 'pkcs1', format: 'der' }).toString('base64');
const DER = createPublicKey(ED25519).export({ type: 'spki', format: 'der' }).toString('base64');
const EC = der(generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey);
const PSS = der(generateKeyPairSync('rsa-pss', { modulusLength: 1024 }).publicKey);

function der(key: KeyObject): string {
  return key.export({ type: 'spki', format: 'der' }).toString('base64');
}

const KEYS: Readonly<Record<string, readonly [record: string, type: string, bits: number]>> = {
  'as everybody writes it': [`v=DKIM1; k=rsa; p=${P}`, 'rsa', 1024],
  'with nothing but p=': [`p=${P}`, 'rsa', 1024],
  'with a semicolon at its end': [`v=DKIM1;p=${P};`, 'rsa', 1024],
  'with white space in p=': [`v=DKIM1; p=${P.replace(/.{50}/g, '$& \t')} `, 'rsa', 1024],
  'folded, as if it were mail': [`v=DKIM1;\r\n p=${P.replace(/.{50}/g, '$&\r\n ')}`, 'rsa', 1024],
  'as bare RSAPublicKey (erratum 3017)': [`v=DKIM1; p=${PKCS1}`, 'rsa', 1024],
  'without its padding': [`v=DKIM1; k=ed25519; p=${ED.replace('=', '')}`, 'ed25519', 256],
  'of Ed25519': [`v=DKIM1; k=ed25519; p=${ED}`, 'ed25519', 256],
  'with k= in capitals': [`v=DKIM1; k=RSA; p=${P}`, 'rsa', 1024],
  'with tags that nobody knows': [
    `v=DKIM1; x-y_z=; n=notes, and more`.replace('x-y_z', 'xyz') + `; p=${P}`,
    'rsa',
    1024,
  ],
  'with p= before the others': [`p=${P}; k=rsa; t=y`, 'rsa', 1024],
  'with notes in 8-bit': [`v=DKIM1; n=Schl\xc3\xbcssel; p=${P}`, 'rsa', 1024],
};

for (const [name, [record, type, bits]] of Object.entries(KEYS)) {
  test(`a key ${name}`, () => {
    const key = publishedKey(record);
    if ('fault' in key) assert.fail(key.why);
    assert.deepEqual([key.type, key.bits], [type, bits]);
    const expected = createPublicKey(type === 'rsa' ? RSA : ED25519);
    assert.ok(key.key.equals(expected));
  });
}

const FAULTS: Readonly<Record<string, readonly [record: string, fault: string]>> = {
  'an empty p=': ['v=DKIM1; p=', 'revoked'],
  'white space for p=': ['v=DKIM1; p= \t ;', 'revoked'],
  'no p=': ['v=DKIM1; k=rsa', 'no p'],
  'an empty text': ['', 'bad key'],
  'a text': ['hello', 'bad key'],
  'a policy of SPF': ['v=spf1 -all', 'bad key'],
  'a policy of DMARC': ['v=DMARC1; p=none', 'bad key'],
  'v= late': [`k=rsa; v=DKIM1; p=${P}`, 'bad key'],
  'v= in small letters': [`v=dkim1; p=${P}`, 'bad key'],
  'another version': [`v=DKIM2; p=${P}`, 'bad key'],
  'an empty v=': [`v=; p=${P}`, 'bad key'],
  'p= twice': [`v=DKIM1; p=${P}; p=${P}`, 'bad key'],
  'p= that is no base64': [`v=DKIM1; p=${P.slice(1)}!`, 'bad key'],
  'p= that was cut off': [`v=DKIM1; p=${P.slice(0, 120)}`, 'bad key'],
  'p= that is no key': ['v=DKIM1; p=QUJD', 'bad key'],
  'an unknown type': [`v=DKIM1; k=ecdsa; p=${P}`, 'bad key'],
  'an empty type': [`v=DKIM1; k=; p=${P}`, 'bad key'],
  'an EC key said to be RSA': [`v=DKIM1; k=rsa; p=${EC}`, 'bad key'],
  'an RSA-PSS key': [`v=DKIM1; k=rsa; p=${PSS}`, 'bad key'],
  'an Ed25519 key said to be RSA': [`v=DKIM1; k=rsa; p=${ED}`, 'bad key'],
  'an RSA key said to be Ed25519': [`v=DKIM1; k=ed25519; p=${P}`, 'bad key'],
  'an Ed25519 key in ASN.1, which RFC 8463 4.2 does not have': [`v=DKIM1; k=ed25519; p=${DER}`, 'bad key'],
  'a record beyond 8 KiB': [`v=DKIM1; n=${'x'.repeat(8192)}; p=${P}`, 'bad key'],
};

for (const [name, [record, fault]] of Object.entries(FAULTS)) {
  test(`no key: ${name}`, () => {
    const key = publishedKey(record);
    assert.ok('fault' in key);
    assert.equal(key.fault, fault);
    assert.match(key.why, /^[\x20-\x7e]+$/);
  });
}

test('lists are read in any case, with white space around what they hold', () => {
  const key = publishedKey(recordOf(RSA, 'h=SHA1 : sha256; s= email : x-other; t=Y:s; g=a*b; '));
  assert.ok('key' in key);
  assert.deepEqual(key.hashes, ['sha1', 'sha256']);
  assert.deepEqual(key.services, ['email', 'x-other']);
  assert.deepEqual(key.flags, ['y', 's']);
  assert.equal(key.granularity, 'a*b');
  const bare = publishedKey(recordOf(RSA));
  assert.ok('key' in bare);
  assert.deepEqual([bare.hashes, bare.services, bare.flags, bare.granularity], [null, ['*'], [], null]);
});

test('a key is parsed once, however many ask for it', () => {
  const record = recordOf(RSA, 'n=once; ');
  const key = publishedKey(record);
  assert.equal(publishedKey(record), key);
  for (let i = 0; i < 1999; i++) publishedKey(`v=DKIM1; n=${i}; p=`);
  assert.equal(publishedKey(record), key);
  for (let i = 0; i < 2000; i++) publishedKey(`v=DKIM1; n=other ${i}; p=`);
  assert.notEqual(publishedKey(record), key);
});

test('any text is a key or none', () => {
  const piece = fc.oneof(
    fc.constantFrom(
      'v=DKIM1',
      ';',
      'p=',
      P,
      ED,
      PKCS1,
      EC,
      'k=rsa',
      'k=ed25519',
      ' ',
      's=',
      't=s',
      ':',
      '\xff',
    ),
    fc.string({ maxLength: 5 }),
  );
  const record = fc.array(piece, { maxLength: 12 }).map(pieces => pieces.join(''));
  const bytes = fc.uint8Array({ maxLength: 200 }).map(der => Buffer.from(der).toString('base64'));
  const binary = fc
    .tuple(fc.constantFrom('rsa', 'ed25519'), bytes)
    .map(([type, p]) => `v=DKIM1; k=${type}; p=${p}`);
  const property = fc.property(fc.oneof(record, binary), text => {
    const key = publishedKey(text);
    assert.ok('key' in key || key.why !== '');
  });
  fc.assert(property, { numRuns: 1000 });
});

test('a byte of a key that was changed makes another key or none, and no signature holds with it', () => {
  const bytes = Buffer.from(P, 'base64');
  const property = fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
    const changed = Buffer.from(bytes);
    changed[at] = (changed[at] ?? 0) ^ change;
    const key = publishedKey(`v=DKIM1; p=${changed.toString('base64')}`);
    if (!('key' in key)) return;
    assert.equal(isSignedBy('data', Buffer.alloc(128, 7), key), false);
    keyObjection(key, 'rsa', 1024);
  });
  fc.assert(property, { numRuns: 500 });
});

const OBJECTIONS: Readonly<
  Record<string, readonly [record: string, type: 'rsa' | 'ed25519', fault: string | null]>
> = {
  nothing: [recordOf(RSA), 'rsa', null],
  'nothing against Ed25519': [recordOf(ED25519), 'ed25519', null],
  'a key of the other type': [recordOf(ED25519), 'rsa', 'algorithm'],
  'and the other way round': [recordOf(RSA), 'ed25519', 'algorithm'],
  'h=sha1': [recordOf(RSA, 'h=sha1; '), 'rsa', 'algorithm'],
  'h= empty': [recordOf(RSA, 'h=; '), 'rsa', 'algorithm'],
  'h=sha1:sha256': [recordOf(RSA, 'h=sha1:sha256; '), 'rsa', null],
  's=other': [recordOf(RSA, 's=other; '), 'rsa', 'bad key'],
  's= empty': [recordOf(RSA, 's=; '), 'rsa', 'bad key'],
  's=*': [recordOf(RSA, 's=*; '), 'rsa', null],
  's=other:email': [recordOf(RSA, 's=other:email; '), 'rsa', null],
  's=other:*': [recordOf(RSA, 's=other:*; '), 'rsa', null],
  '768 bits': [recordOf(oddKey(768)), 'rsa', 'key size'],
  '1024 bits': [recordOf(RSA), 'rsa', null],
  'an exponent of 3': [recordOf(oddKey(1024, 3n)), 'rsa', null],
  'an exponent of 64 bits': [recordOf(oddKey(1024, (1n << 64n) - 59n)), 'rsa', null],
  'an exponent of 900 bits': [recordOf(oddKey(1024, (1n << 900n) + 1n)), 'rsa', 'key size'],
  'an exponent of 65 bits': [recordOf(oddKey(1024, (1n << 64n) + 13n)), 'rsa', 'key size'],
};

for (const [name, [record, type, fault]] of Object.entries(OBJECTIONS)) {
  test(`what speaks against a key: ${name}`, () => {
    const key = publishedKey(record);
    if ('fault' in key) assert.fail(key.why);
    const objection = keyObjection(key, type, 1024);
    assert.equal(objection?.fault ?? null, fault);
    assert.ok((objection?.why.length ?? 0) < 200);
  });
}

test('keys of more than 8192 bits take too long, and are not tried', () => {
  for (const [bits, fault] of [
    [8192, null],
    [8200, 'key size'],
    [16384, 'key size'],
  ] as const) {
    const key = publishedKey(`v=DKIM1; p=${madeUp(bits)}`);
    assert.ok('key' in key, `${bits}`);
    assert.equal(key.bits, bits);
    assert.equal(keyObjection(key, 'rsa', 1024)?.fault ?? null, fault);
  }
});

/** `p=` with an odd number of so many bits in place of a product of primes, which nobody looks for. */
function madeUp(bits: number): string {
  const n = Buffer.alloc(bits / 8, 0xa5).toString('base64url');
  return der(createPublicKey({ format: 'jwk', key: { kty: 'RSA', n, e: 'AQAB' } }));
}
