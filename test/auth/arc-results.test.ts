import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { gatheredResults } from '../../src/auth/arc-results.ts';
import type { GatheredResults } from '../../src/auth/arc-results.ts';
import { SignedHeader } from '../../src/auth/signed-header.ts';
import { headerFields } from '../../src/mail/header.ts';

function gathered(...fields: readonly string[]): GatheredResults | null {
  const block = Buffer.from(fields.map(one => `${one}\r\n`).join(''), 'latin1');
  return gatheredResults(new SignedHeader(headerFields(block, 1000)), 'mx.example');
}

/** Values of Authentication-Results fields, and what they come to for `mx.example`. */
const TABLE: readonly (readonly [
  values: readonly string[],
  payload: string | null,
  arc?: readonly string[],
])[] = [
  [[], null],
  [['mx.example; spf=pass smtp.mfrom=a.example'], 'spf=pass smtp.mfrom=a.example'],
  [['other.example; spf=pass'], null],
  [['mx.example.org; spf=pass'], null],
  [['MX.Example; spf=pass'], 'spf=pass'],
  [['"mx.example"; spf=pass'], 'spf=pass'],
  [['(a; comment) mx.example (here) 1; spf=pass'], 'spf=pass'],
  [['mx.example 2; spf=pass'], null],
  [['mx.example; spf=pass;'], 'spf=pass'],
  [['mx.example;\r\n    spf=pass\r\n\tsmtp.mfrom=a;\r\n dkim=fail'], 'spf=pass smtp.mfrom=a; dkim=fail'],
  [['mx.example; spf=pass', 'other; dkim=pass', 'mx.example; dkim=fail'], 'spf=pass; dkim=fail'],
  [['mx.example; none'], 'none'],
  [['mx.example; none', 'mx.example; spf=pass'], 'spf=pass'],
  [['mx.example'], null],
  [['mx.example;'], null],
  [['mx.example; spf pass'], null],
  [['mx.example; spf=pass (open'], null],
  [['mx.example; spf=pass reason="a; b"'], 'spf=pass reason="a; b"'],
  [['mx.example; spf=pass (a; (b;) \\) c) x=y; dkim=none'], 'spf=pass (a; (b;) \\) c) x=y; dkim=none'],
  [['mx.example; arc=pass'], 'arc=pass', ['pass']],
  [['mx.example; ARC/1 = Fail (why); spf=pass'], 'ARC/1 = Fail (why); spf=pass', ['fail']],
  [['mx.example; arc=pass', 'mx.example; arc=none'], 'arc=pass; arc=none', ['pass', 'none']],
  [['mx.example; spf=pass (arc=fail)'], 'spf=pass (arc=fail)'],
];

for (const [values, payload, arc = []] of TABLE) {
  test(`Authentication-Results: ${JSON.stringify(values)}`, () => {
    const found = gathered(...values.map(value => `Authentication-Results: ${value}`));
    assert.deepEqual(found, payload === null ? null : { payload, arc });
  });
}

test('any value gives one clean line or nothing, in time', () => {
  const pieces = fc.constantFrom(
    'mx.example;',
    'spf=pass',
    ';',
    '(',
    ')',
    '"',
    '\\',
    '\r\n ',
    ' ',
    'none',
    '=',
    'arc=fail',
  );
  fc.assert(
    fc.property(
      fc.array(fc.oneof(pieces, fc.string({ unit: 'binary', maxLength: 5 })), { maxLength: 40 }),
      parts => {
        const found = gathered(`Authentication-Results: mx.example; ${parts.join('')}`);
        assert.doesNotMatch(found?.payload ?? '', /[\r\n]/);
      },
    ),
  );
  for (const filler of [' ', '(', '"', '\\', '\r\n ', 'a', ';', '()', 'a ', '/ ', 'spf=pass;'])
    gathered(`Authentication-Results: mx.example; ${filler.repeat(100_000)}`);
});
