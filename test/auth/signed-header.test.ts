import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { relaxedField, SignedHeader } from '../../src/auth/signed-header.ts';
import { headerFields } from '../../src/mail/header.ts';
import { naiveField, naiveSigned } from './dkim-mail.ts';

function signedHeader(text: string): SignedHeader {
  return new SignedHeader(headerFields(Buffer.from(text, 'latin1'), 10_000));
}

const RELAXED: readonly (readonly [field: string, relaxed: string])[] = [
  // RFC 6376 3.4.5
  ['A: X', 'a:X'],
  ['B : Y\t\r\n\tZ  ', 'b:Y Z'],
  ['Subject:no blank', 'subject:no blank'],
  ['Subject: \t  much  blank \t', 'subject:much blank'],
  ['SUBJECT \t :x', 'subject:x'],
  ['Subject:', 'subject:'],
  ['Subject: ', 'subject:'],
  ['Subject: \t \r\n \r\n\t', 'subject:'],
  ['Subject:\r\n x', 'subject:x'],
  ['Subject: x\r\n ', 'subject:x'],
  ['Subject: x\r\n\r\n y', 'subject:x y'],
  ['Subject: a:b : c', 'subject:a:b : c'],
  ['Subject: \xa0x\xa0', 'subject:\xa0x\xa0'],
  ['Subject: a\x0bb\x0c ', 'subject:a\x0bb\x0c'],
  ['Subject: \0 \0', 'subject:\0 \0'],
  ['Subject: \xe4\t\xff', 'subject:\xe4 \xff'],
  ['Subject: a\rb', 'subject:a\rb'],
];

for (const [field, relaxed] of RELAXED) {
  test(`relaxed: ${JSON.stringify(field)}`, () => {
    assert.equal(relaxedField(field), relaxed);
    assert.equal(naiveField(field, 'relaxed'), relaxed);
  });
}

const UNSIGNED: readonly (readonly [value: string, bare: string])[] = [
  [' a=1; b=QUJD', ' a=1; b='],
  [' a=1; b=QUJD;', ' a=1; b=;'],
  [' b=QUJD; a=1', ' b=; a=1'],
  ['b=QUJD', 'b='],
  [' bh=QUJD; b=QUJD; bx=1', ' bh=QUJD; b=; bx=1'],
  [' b=QUJD; bh=QUJD', ' b=; bh=QUJD'],
  [' a=b=c; b=QUJD==', ' a=b=c; b='],
  [' a=1;\r\n\tb =\r\n QU\r\n JD \r\n ; c=x', ' a=1;\r\n\tb =; c=x'],
  [' a=1; b=', ' a=1; b='],
  [' a=1; b=QUJD\r\n ', ' a=1; b='],
  [' \xa0b=QUJD; b=QUJD', ' \xa0b=QUJD; b='],
  [' B=QUJD; b=QUJD', ' B=QUJD; b='],
  [' a=1', ' a=1'],
  ['', ''],
  [' ;;;', ' ;;;'],
];

for (const [value, bare] of UNSIGNED) {
  test(`without its signature: ${JSON.stringify(value)}`, () => {
    const header = signedHeader(`DKIM-Signature:${value}\r\nFrom: x\r\n`);
    const [field] = header.named('dkim-signature');
    assert.ok(field);
    assert.equal(header.unsigned(field, 'simple'), `DKIM-Signature:${bare}`);
    assert.equal(header.unsigned(field, 'relaxed'), relaxedField(`DKIM-Signature:${bare}`));
  });
}

test('fields of a name are taken from the bottom up, and those that are not there count as empty', () => {
  const header = signedHeader('A: 1\r\nB: 2\r\na : 3\r\nC: 4\r\nno field\r\n\xe4: 5\r\nA: 6\r\n');
  assert.equal(header.count('a'), 3);
  assert.equal(header.count('d'), 0);
  assert.equal(header.signed(['a', 'd', 'b', 'a'], 'relaxed'), 'a:6\r\nb:2\r\na:3\r\n');
  assert.equal(header.signed(['a', 'a', 'a', 'a', 'a'], 'simple'), 'A: 6\r\na : 3\r\nA: 1\r\n');
  assert.equal(header.signed([], 'simple'), '');
  assert.equal(header.signed(['no field', '\xe4'], 'simple'), '');
  const [last] = header.named('a');
  assert.ok(last);
  assert.equal(header.value(last), ' 6\r\n');
});

test('a last field without its line end is as good as one with it', () => {
  for (const form of ['simple', 'relaxed'] as const) {
    const whole = signedHeader('A: 1\r\nB: 2\r\n').signed(['b', 'a'], form);
    assert.equal(signedHeader('A: 1\r\nB: 2').signed(['b', 'a'], form), whole);
  }
});

test('any header in both forms, against the letter of the RFC', () => {
  const text = fc
    .array(
      fc.oneof(
        fc.constantFrom(' ', '\t', '  ', '\r\n ', '\r\n\t', ':', 'x', '\r', '\0', '\xa0', '\x0b', ';', '='),
        fc.string({
          maxLength: 4,
          unit: fc.integer({ min: 0x21, max: 255 }).map(n => String.fromCharCode(n)),
        }),
      ),
      { maxLength: 12 },
    )
    .map(pieces => pieces.join(''));
  const name = fc.constantFrom('From', 'from', 'To', 'tO ', 'Subject\t', 'X-Y', 'From \t ');
  const fields = fc.array(
    fc.tuple(name, text).map(([first, rest]) => `${first}:${rest}`),
    { maxLength: 8 },
  );
  const asked = fc.array(fc.constantFrom('from', 'to', 'subject', 'x-y', 'none'), { maxLength: 10 });
  const form = fc.constantFrom('simple' as const, 'relaxed' as const);
  const property = fc.property(fields, asked, form, (all, names, canonicalization) => {
    const header = signedHeader(all.map(field => `${field}\r\n`).join(''));
    const expected = naiveSigned(all, names, canonicalization);
    assert.equal(header.signed(names, canonicalization), expected);
    // Asked again, of what it has kept.
    assert.equal(header.signed(names, canonicalization), expected);
  });
  fc.assert(property, { numRuns: 2000 });
});

test('the signature alone is taken out, wherever it stands', () => {
  const value = fc.string({
    maxLength: 6,
    unit: fc.constantFrom('a', 'b', '=', ' ', '\r\n ', '\t', 'bh', ':'),
  });
  const tags = fc.array(fc.tuple(fc.constantFrom('a', 'bh', 'bb', 'h', 'B', 'xb'), value), { maxLength: 6 });
  const blank = fc.constantFrom('', ' ', '\r\n\t', '\t');
  const property = fc.property(tags, fc.nat(6), value, blank, (others, at, signature, space) => {
    const list = others.map(([tag, text]) => `${space}${tag}${space}=${text}`);
    const with_ = list.toSpliced(at, 0, `${space}b${space}=${signature}`).join(';');
    const without = list.toSpliced(at, 0, `${space}b${space}=`).join(';');
    const header = signedHeader(`DKIM-Signature:${with_}\r\nX: y\r\n`);
    const [field] = header.named('dkim-signature');
    assert.ok(field);
    assert.equal(header.unsigned(field, 'simple'), `DKIM-Signature:${without}`);
  });
  fc.assert(property, { numRuns: 1000 });
});

test('hostile fields are brought into form in a moment', () => {
  const before = process.cpuUsage();
  const values = [
    ' '.repeat(256_000),
    ' \t'.repeat(128_000),
    ' x'.repeat(128_000),
    '\r\n '.repeat(80_000),
    ';'.repeat(256_000),
  ];
  for (const value of values)
    for (const text of [value, `x${value}y`]) {
      const header = signedHeader(`X: a=${text}\r\nDKIM-Signature: a=${text}; b=x\r\n`);
      const [field] = header.named('dkim-signature');
      assert.ok(field);
      for (const form of ['simple', 'relaxed'] as const) {
        header.signed(Array(1000).fill('x'), form);
        header.unsigned(field, form);
      }
    }
  const many = signedHeader('X: y\r\n'.repeat(10_000));
  for (let i = 0; i < 10; i++) many.signed(Array(1000).fill('x'), 'relaxed');
  // What is quadratic takes minutes.
  assert.ok(process.cpuUsage(before).user < 3_000_000);
});
