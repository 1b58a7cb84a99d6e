import assert from 'node:assert/strict';
import { test } from 'node:test';
import { authResult } from '../../src/mail/auth-result.ts';
import type { Finding } from '../../src/model/finding.ts';
import { authenticationResults, authResults } from '../../src/pipeline/authentication-results.ts';

const finding = (authResult?: string): Finding => ({
  rule: 'DKIM',
  state: 'pass',
  ...(authResult === undefined ? {} : { authResult }),
});

test('one field with each result once, in the order of the checks', () => {
  const findings = [
    'spf=pass smtp.mailfrom=a.example',
    undefined,
    'dkim=none',
    'dkim=none',
    'dmarc=none',
  ].map(finding);
  assert.equal(
    authenticationResults(findings, 'mx.example.com'),
    'Authentication-Results: mx.example.com;\r\n\tspf=pass smtp.mailfrom=a.example;\r\n\tdkim=none;\r\n\tdmarc=none\r\n',
  );
  assert.deepEqual(authResults(findings), ['spf=pass smtp.mailfrom=a.example', 'dkim=none', 'dmarc=none']);
});

test('without a result there is no field', () => {
  assert.equal(authenticationResults([], 'mx.example.com'), '');
  assert.equal(authenticationResults([finding()], 'mx.example.com'), '');
});

test('no line is too long, whatever a signature says of itself', () => {
  const long = (letter: string) => letter.repeat(1000);
  const result = authResult(
    'dkim',
    'fail',
    [
      ['header.d', long('d')],
      ['header.i', `@${long('i')}`],
      ['header.s', `a b ${long('s')}`],
      ['header.a', long('a')],
    ],
    long('c '),
  );
  const field = authenticationResults([finding(result), finding('arc=none')], 'mx.example.com');
  assert.ok(field.endsWith('\r\n'));
  for (const line of field.split('\r\n')) assert.ok(line.length <= 998, `${line.length}`);
  // Folded, it says the same.
  const unfolded = field.replace(/\r\n(?=[ \t])/g, '').replace(/[ \t]+/g, ' ');
  assert.equal(
    unfolded,
    `Authentication-Results: mx.example.com; ${result.replace(/ +/g, ' ')}; arc=none\r\n`,
  );
});

test('a result stands on one line, and folds between its words when it is long', () => {
  const long = `a-domain-of-${'some-'.repeat(20)}length.example.com`;
  const result = (domain: string) =>
    authResult(
      'dkim',
      'fail',
      [
        ['header.d', domain],
        ['header.i', `jane doe@${domain}`],
        ['header.b', 'QUJDREVG'],
      ],
      'the body was changed',
    );
  assert.equal(
    authenticationResults([finding(result('a.example')), finding(result(long))], 'mx.example.com'),
    'Authentication-Results: mx.example.com;\r\n' +
      '\tdkim=fail (the body was changed) header.d=a.example header.i="jane doe@a.example" header.b=QUJDREVG;\r\n' +
      `\tdkim=fail (the body was changed) header.d=${long}\r\n` +
      `\t\theader.i="jane doe@${long}" header.b=QUJDREVG\r\n`,
  );
});
