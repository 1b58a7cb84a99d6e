import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { dkimSignature } from '../../src/auth/dkim-signature.ts';

const NOW = 1_800_000_000;
const BASE: Readonly<Record<string, string>> = {
  v: '1',
  a: 'rsa-sha256',
  d: 'example.com',
  s: 'sel',
  h: 'from:to',
  bh: 'QUJD',
  b: 'REVG',
};

/** A signature as it should be, with tags set or, with null, left out. */
function value(tags: Readonly<Record<string, string | null>> = {}): string {
  const all = Object.entries<string | null>({ ...BASE, ...tags });
  return ` ${all.flatMap(([name, text]) => (text === null ? [] : [`${name}=${text}`])).join('; ')}\r\n`;
}

function read(tags: Readonly<Record<string, string | null>> = {}) {
  const signature = dkimSignature(value(tags), NOW);
  if (signature.kind === 'unusable') assert.fail(signature.why);
  return signature;
}

test('a signature with what it must have', () => {
  assert.deepEqual(read(), {
    kind: 'signature',
    domain: 'example.com',
    selector: 'sel',
    identity: '@example.com',
    algorithm: 'rsa-sha256',
    tag: 'REVG',
    type: 'rsa',
    signature: Buffer.from('DEF'),
    bodyHash: Buffer.from('ABC'),
    header: 'simple',
    body: 'simple',
    fields: ['from', 'to'],
    bodyLength: Infinity,
  });
});

test('tags in any order, folded anywhere', () => {
  const entries = Object.entries({ ...BASE, c: 'relaxed/relaxed', l: '5', t: '1', x: `${NOW}` });
  const expected = dkimSignature(entries.map(([name, text]) => `${name}=${text}`).join(';'), NOW);
  assert.equal(expected.kind, 'signature');
  const space = fc.constantFrom('', ' ', '\t', '\r\n ', '\r\n\t \t');
  const order = fc.shuffledSubarray(entries, { minLength: entries.length });
  const property = fc.property(order, space, space, fc.constantFrom('', ';', ' ;\r\n'), (tags, a, b, end) => {
    const text = tags.map(([name, text]) => `${a}${name}${b}=${a}${text}${b}`).join(';');
    assert.deepEqual(dkimSignature(text + end, NOW), expected);
  });
  fc.assert(property, { numRuns: 300 });
});

type Reading = readonly [
  tags: Readonly<Record<string, string | null>>,
  want: Readonly<Record<string, unknown>>,
];

const READ: Readonly<Record<string, Reading>> = {
  'c=relaxed': [{ c: 'relaxed' }, { header: 'relaxed', body: 'simple' }],
  'c=relaxed/relaxed': [{ c: 'relaxed/relaxed' }, { header: 'relaxed', body: 'relaxed' }],
  'c=simple/relaxed': [{ c: 'simple/relaxed' }, { header: 'simple', body: 'relaxed' }],
  'c= in capitals': [{ c: 'Relaxed/SIMPLE' }, { header: 'relaxed', body: 'simple' }],
  'a= in capitals': [{ a: 'RSA-SHA256' }, { type: 'rsa', algorithm: 'rsa-sha256' }],
  'a=ed25519-sha256': [{ a: 'ed25519-sha256' }, { type: 'ed25519' }],
  'd= and s= in capitals, with a final dot': [
    { d: 'Example.COM.', s: 'SEL.x' },
    { domain: 'example.com', selector: 'sel.x', identity: '@example.com' },
  ],
  'd=, s= and i= in UTF-8 (RFC 8616)': [
    { d: 'voil\xc3\xa0.example', s: 'd\xc3\xa9j\xc3\xa0', i: '\xc3\xa0@b.voil\xc3\xa0.example' },
    { domain: 'xn--voil-3na.example', selector: 'xn--dj-kia8a' },
  ],
  'd= in UTF-8 and i= in A-labels': [
    { d: 'voil\xc3\xa0.example', i: '@xn--voil-3na.example' },
    { domain: 'xn--voil-3na.example' },
  ],
  'i= below d=': [{ i: 'jane@mail.example.com' }, { identity: 'jane@mail.example.com' }],
  'i= without a local part': [{ i: '@EXAMPLE.com' }, { identity: '@EXAMPLE.com' }],
  'i= with white space': [{ i: 'jane\r\n @example.com' }, { identity: 'jane@example.com' }],
  'i= with several @': [{ i: 'a@b.example@example.com' }, { identity: 'a@b.example@example.com' }],
  'h= folded': [{ h: 'From :\r\n\tTo:To: X-Y' }, { fields: ['from', 'to', 'to', 'x-y'] }],
  'h= with odd names': [{ h: "from:!#$%&'*+-/=?^_`{|}~" }, { fields: ['from', "!#$%&'*+-/=?^_`{|}~"] }],
  'b= and bh= folded': [
    { b: 'RE\r\n VG', bh: 'Q U J D' },
    { signature: Buffer.from('DEF'), bodyHash: Buffer.from('ABC'), tag: 'REVG' },
  ],
  'b= long': [{ b: 'QUJDREVG\r\n R0hJ' }, { tag: 'QUJDREVG' }],
  'b= folded soon': [{ b: 'Q\r\n\t U J DRE VGR0hJ' }, { tag: 'QUJDREVG' }],
  'l=0': [{ l: '0' }, { bodyLength: 0 }],
  'l=007': [{ l: '007' }, { bodyLength: 7 }],
  'l= of 76 digits': [{ l: '9'.repeat(76) }, { bodyLength: 1e76 }],
  'q=dns/txt': [{ q: 'dns/txt' }, {}],
  'q= with another method beside it': [{ q: 'dns/x : dns/txt' }, {}],
  't= and x=': [{ t: '1', x: `${NOW + 1}` }, {}],
  'x= now': [{ x: `${NOW}` }, {}],
  'x= with 13 digits': [{ x: '9999999999999' }, {}],
  't= in the future': [{ t: `${NOW + 100}` }, {}],
  'z= and tags that nobody knows': [{ z: 'From:jane=40example.com', xyz: '', r: 'y' }, {}],
};

for (const [name, [tags, want]] of Object.entries(READ)) {
  test(`read: ${name}`, () => {
    const signature = read(tags);
    assert.deepEqual({ ...signature, ...want }, signature);
  });
}

const FAULTS: Readonly<
  Record<string, readonly [tags: Readonly<Record<string, string | null>>, fault: string]>
> = {
  'no v=': [{ v: null }, 'syntax'],
  'v=': [{ v: '' }, 'syntax'],
  'v=2': [{ v: '2' }, 'version'],
  'v=1.0': [{ v: '1.0' }, 'version'],
  'v=DKIM1': [{ v: 'DKIM1' }, 'version'],
  'no a=': [{ a: null }, 'syntax'],
  'a=rsa-sha1': [{ a: 'rsa-sha1' }, 'algorithm'],
  'a=rsa-sha512': [{ a: 'rsa-sha512' }, 'syntax'],
  'no b=': [{ b: null }, 'syntax'],
  'b=': [{ b: '' }, 'syntax'],
  'b= that is no base64': [{ b: 'a.b' }, 'syntax'],
  'no bh=': [{ bh: null }, 'syntax'],
  'bh= that is no base64': [{ bh: '!' }, 'syntax'],
  'no d=': [{ d: null }, 'syntax'],
  'd= of one label': [{ d: 'com' }, 'syntax'],
  'd= with a blank': [{ d: 'a b.com' }, 'syntax'],
  'd= with an empty label': [{ d: 'a..com' }, 'syntax'],
  'd= with a slash': [{ d: 'a/b.com' }, 'syntax'],
  'd= that is no UTF-8': [{ d: '\xff\xfe.com' }, 'syntax'],
  'no s=': [{ s: null }, 'syntax'],
  's= with a star': [{ s: '*' }, 'syntax'],
  's= that ends with two dots': [{ s: 'a..' }, 'syntax'],
  'no h=': [{ h: null }, 'syntax'],
  'h= without From': [{ h: 'to:subject' }, 'from not signed'],
  'h= with an empty name': [{ h: 'from::to' }, 'syntax'],
  'h= with a colon at its end': [{ h: 'from:' }, 'syntax'],
  'h= in 8-bit': [{ h: 'from:\xe4' }, 'syntax'],
  'h= with 1001 names': [{ h: `from${':x'.repeat(1000)}` }, 'syntax'],
  'c=relaxed/': [{ c: 'relaxed/' }, 'syntax'],
  'c=': [{ c: '' }, 'syntax'],
  'c=nofws': [{ c: 'nofws' }, 'syntax'],
  'c=simple/simple/simple': [{ c: 'simple/simple/simple' }, 'syntax'],
  'i=': [{ i: '' }, 'identity'],
  'i= without @': [{ i: 'example.com' }, 'identity'],
  'i= of another domain': [{ i: 'jane@example.org' }, 'identity'],
  'i= above d=': [{ i: 'jane@com' }, 'identity'],
  'i= that only ends like d=': [{ i: 'jane@badexample.com' }, 'identity'],
  'q=dns': [{ q: 'dns' }, 'syntax'],
  'q=http': [{ q: 'http/txt' }, 'syntax'],
  'l=-1': [{ l: '-1' }, 'syntax'],
  'l=': [{ l: '' }, 'syntax'],
  'l=5.5': [{ l: '5.5' }, 'syntax'],
  'l= of 77 digits': [{ l: '9'.repeat(77) }, 'syntax'],
  't=soon': [{ t: 'soon' }, 'syntax'],
  'x=-5': [{ x: '-5' }, 'syntax'],
  'x= before t=': [{ t: '100', x: '99' }, 'syntax'],
  'x= is t=': [{ t: '100', x: '100' }, 'syntax'],
  'x= one second ago': [{ x: `${NOW - 1}` }, 'expired'],
};

for (const [name, [tags, fault]] of Object.entries(FAULTS)) {
  test(`unusable: ${name}`, () => {
    const signature = dkimSignature(value(tags), NOW);
    assert.ok(signature.kind === 'unusable');
    assert.equal(signature.fault, fault);
    assert.match(signature.why, /^[\x20-\x7e]+$/);
  });
}

test('no tag list, or a tag twice, is no signature, and the names are unknown', () => {
  for (const text of ['', ' ', 'hello', value().replace('; d=', '; s=x; d='), `${value().trimEnd()};;`]) {
    const signature = dkimSignature(text, NOW);
    assert.ok(signature.kind === 'unusable');
    assert.equal(signature.fault, 'syntax');
    assert.deepEqual([signature.domain, signature.selector, signature.tag], ['', '', '']);
  }
});

test('1000 names in h= are read', () => {
  assert.equal(read({ h: `from${':x'.repeat(999)}` }).fields.length, 1000);
});

test('what the error texts show of a message is short and printable', () => {
  const signature = dkimSignature(value({ c: `a\r\n \xe4${'b'.repeat(1000)}` }), NOW);
  assert.ok(signature.kind === 'unusable');
  assert.match(signature.why, /^c=a\?\? \?b+ is not known$/);
  assert.ok(signature.why.length < 120);
});

test('any field is a signature or not, never an exception', () => {
  const part = fc.oneof(
    fc.constantFrom(...Object.entries(BASE).map(([name, text]) => `${name}=${text}`)),
    fc.constantFrom(
      'l=',
      'x=',
      't=1',
      'i=@',
      'q=',
      'c=relaxed',
      '\xa0',
      '\r\n ',
      '=',
      '\xff',
      '@',
      '/',
      'd=\xc3\xa9.x',
    ),
    fc.string({ maxLength: 8, unit: fc.integer({ min: 0, max: 255 }).map(n => String.fromCharCode(n)) }),
  );
  const property = fc.property(fc.array(part, { maxLength: 15 }), parts => {
    const signature = dkimSignature(parts.join(';'), NOW);
    assert.match(signature.kind, /^(?:signature|unusable)$/);
  });
  fc.assert(property, { numRuns: 2000 });
});

test('hostile fields of 256 KiB are read in a moment', () => {
  const long = 256 * 1024;
  const letters = Array.from({ length: 20_000 }, (_, i) => String.fromCodePoint(0x4e00 + i)).join('');
  const utf8 = Buffer.from(letters + letters + letters + letters, 'utf8').toString('latin1');
  const tags = [
    { d: 'a.'.repeat(long / 2) },
    { d: `a${'.a'.repeat(long / 2)}!` },
    { d: `${utf8}.example` },
    { s: utf8 },
    { i: `@${utf8}` },
    { i: '@'.repeat(long) },
    { i: ' '.repeat(long) },
    { h: 'from:'.repeat(long / 5) },
    { h: ':'.repeat(long) },
    { b: 'A '.repeat(long / 2) },
    { bh: '='.repeat(long) },
    { c: '/'.repeat(long) },
    { q: ':'.repeat(long) },
    { t: '1'.repeat(long) },
    { l: '1'.repeat(long) },
    { z: '|'.repeat(long) },
  ];
  const label = utf8.slice(0, 15_000);
  const before = process.cpuUsage();
  for (const one of tags) dkimSignature(value(one), NOW);
  for (let i = 0; i < 40; i++) dkimSignature(value({ d: label, s: label, i: `@${label}` }), NOW);
  // What is quadratic takes minutes.
  assert.ok(process.cpuUsage(before).user < 3_000_000);
});
