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

test('lines fold where they get long', () => {
  const result = authResult('dkim', 'pass', [
    ['header.d', 'a-domain-of-some-length.example.com'],
    ['header.s', 'a-selector-of-some-length'],
    ['header.a', 'rsa-sha256'],
    ['header.b', 'QUJDREVG'],
  ]);
  assert.equal(
    authenticationResults([finding(result)], 'mx.example.com'),
    'Authentication-Results: mx.example.com;\r\n' +
      '\tdkim=pass header.d=a-domain-of-some-length.example.com\r\n' +
      '\t\theader.s=a-selector-of-some-length header.a=rsa-sha256\r\n\t\theader.b=QUJDREVG\r\n',
  );
});
