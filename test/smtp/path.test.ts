import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { needsUtf8, parseMailParameters, parsePath } from '../../src/smtp/path.ts';

/** The address, `<>` for the null sender, or the code and enhanced status of the refusal. */
function from(argument: string, keyword: 'FROM' | 'TO' = 'FROM'): string {
  const path = parsePath(argument, keyword);
  if (path.kind === 'bad') return `${path.code} ${path.enhanced}`;
  return [path.address?.text ?? '<>', ...path.parameters].join(' | ');
}

const CASES: readonly [argument: string, result: string][] = [
  ['FROM:<a@example.com>', 'a@example.com'],
  ['from:<a@example.com>', 'a@example.com'],
  ['FROM: <a@example.com>', 'a@example.com'],
  ['FROM :<a@example.com>', 'a@example.com'],
  ['FROM:a@example.com', 'a@example.com'],
  ['FROM:<>', '<>'],
  ['FROM: <> SIZE=1', '<> | SIZE=1'],
  ['FROM:<a@example.com> SIZE=1  BODY=8BITMIME', 'a@example.com | SIZE=1 | BODY=8BITMIME'],
  ['FROM:<a@example.com>\tSIZE=1', 'a@example.com | SIZE=1'],
  ['FROM:a@example.com SIZE=1', 'a@example.com | SIZE=1'],
  ['FROM:<a>', 'a'],
  ['FROM:<A@Example.COM>', 'A@Example.COM'],
  ['FROM:<@relay.example:a@example.com>', 'a@example.com'],
  ['FROM:<@r1.example,@r2.example:a@example.com>', 'a@example.com'],
  ['FROM:<"a b"@example.com>', '"a b"@example.com'],
  ['FROM:<"a>b"@example.com>', '"a>b"@example.com'],
  ['FROM:<"a\\"b"@example.com>', '"a\\"b"@example.com'],
  ['FROM:<"a@b"@example.com>', '"a@b"@example.com'],
  ['FROM:<a@b@example.com>', 'a@b@example.com'],
  ['FROM:<a@[192.0.2.1]>', 'a@[192.0.2.1]'],
  ['FROM:<a@[IPv6:2001:db8::1]>', 'a@[IPv6:2001:db8::1]'],
  ['FROM:<j\xc3\xb6rg@example.com>', 'j\xc3\xb6rg@example.com'],
  ["FROM:<o'brien+x=y@example.com>", "o'brien+x=y@example.com"],
  [`FROM:<${'a'.repeat(888)}@example.com>`, `${'a'.repeat(888)}@example.com`],
  [`FROM:<${'a'.repeat(889)}@example.com>`, '501 5.1.7'],
  ['', '501 5.5.4'],
  ['FROM', '501 5.5.4'],
  ['FROM:', '501 5.5.4'],
  ['FROM: ', '501 5.5.4'],
  ['TO:<a@example.com>', '501 5.5.4'],
  ['<a@example.com>', '501 5.5.4'],
  ['FROM:<a@example.com', '501 5.1.7'],
  ['FROM:<a@example.com>SIZE=1', '501 5.5.4'],
  ['FROM:<a@example.com>>', '501 5.5.4'],
  ['FROM:<@relay.example>', '501 5.1.7'],
  ['FROM:<@r1.example:@r2.example:a@example.com>', '501 5.1.7'],
  ['FROM:<a@(c)example.com>', '501 5.1.7'],
  ['FROM:<a@>', '501 5.1.7'],
  ['FROM:<@>', '501 5.1.7'],
  ['FROM:<"unclosed@example.com>', '501 5.1.7'],
  ['FROM:<a b@example.com>', '501 5.1.7'],
  ['FROM:<a(c)@example.com>', '501 5.1.7'],
  ['FROM:<<a@example.com>>', '501 5.5.4'],
  ['FROM:<a@exam ple.com>', '501 5.1.7'],
  ['FROM:<a@"example.com">', '501 5.1.7'],
  ['FROM:<a\0@example.com>', '501 5.1.7'],
  ['FROM:<a\r@example.com>', '501 5.1.7'],
  ['FROM:<"a\r"@example.com>', '501 5.1.7'],
  ['FROM:<a@example.com\x7f>', '501 5.1.7'],
];

for (const [argument, result] of CASES) {
  test(`MAIL ${JSON.stringify(argument.length > 60 ? `${argument.slice(0, 30)}…` : argument)}: ${result.slice(0, 40)}`, () =>
    assert.equal(from(argument), result));
}

test('RCPT has a status of its own', () => {
  assert.equal(from('TO:<a@example.com>', 'TO'), 'a@example.com');
  assert.equal(from('TO:<a@>', 'TO'), '501 5.1.3');
  assert.equal(from('FROM:<a@example.com>', 'TO'), '501 5.5.4');
});

test('any bytes: never throws, and what it accepts can be sent on as one command', () => {
  const part = fc.constantFrom(
    '<',
    '>',
    '@',
    '"',
    '\\',
    ':',
    ' ',
    ',',
    'a',
    '.b',
    '[',
    ']',
    '\r',
    '\n',
    '\0',
    '\xe9',
    '(',
    ')',
  );
  fc.assert(
    fc.property(fc.array(part), parts => {
      const path = parsePath(`FROM:${parts.join('')}`, 'FROM');
      if (path.kind === 'bad' || path.address === null) return;
      const { text, local, domain } = path.address;
      assert.doesNotMatch(text, /[\x00-\x1f\x7f]/);
      assert.notEqual(text, '');
      assert.ok(domain === '' ? text === local : text.startsWith(`${local}@`));
      // Read again as we send it: the same address, and nothing beside it.
      assert.equal(from(`FROM:<${text}>`), text);
    }),
    { numRuns: 5000 },
  );
});

describe('parameters of MAIL', () => {
  const read = (text: string) => {
    const result = parseMailParameters(text.split(' ').filter(word => word !== ''));
    return result.kind === 'ok' ? result.parameters : result.text;
  };
  const NONE = { size: null, body: null, smtputf8: false };

  for (const [text, parameters] of [
    ['', NONE],
    ['SIZE=1000', { ...NONE, size: 1000 }],
    ['size=0', { ...NONE, size: 0 }],
    ['BODY=8bitmime', { ...NONE, body: '8BITMIME' }],
    ['body=7BIT SMTPUTF8', { ...NONE, body: '7BIT', smtputf8: true }],
  ] as const) {
    test(`"${text}"`, () => assert.deepEqual(read(text), parameters));
  }

  for (const text of [
    'SIZE',
    'SIZE=',
    'SIZE=-1',
    'SIZE=1x',
    'SIZE=1 SIZE=1',
    'SIZE=999999999999999999999',
    'BODY=BINARYMIME',
    'BODY=7BIT BODY=7BIT',
    'SMTPUTF8=yes',
    'AUTH=<>',
    'RET=FULL',
    '=',
    '\xe9',
  ]) {
    test(`"${text}" is unknown or malformed`, () =>
      assert.match(JSON.stringify(read(text)), /^"[\x20-\x7e]+ is unknown or malformed"$/));
  }
});

test('which addresses need SMTPUTF8', () => {
  const address = (text: string) => {
    const path = parsePath(`FROM:<${text}>`, 'FROM');
    return path.kind === 'ok' ? path.address : null;
  };
  assert.equal(needsUtf8(address('a@example.com')), false);
  assert.equal(needsUtf8(address('\xc3\xa9@example.com')), true);
  assert.equal(needsUtf8(address('a@\xc3\xa9.example')), true);
  assert.equal(needsUtf8(null), false);
});
