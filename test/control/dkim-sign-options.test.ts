import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { DkimSignOptions } from '../../src/model/dkim-signing.ts';
import {
  parseDkimExpire,
  parseDkimIdentity,
  parseDkimSignOptions,
  showDkimSignOptions,
} from '../../src/control/dkim-sign-options.ts';
import { DKIM_SIGN_DEFAULTS, dkimSignOptions } from '../../src/model/dkim-signing.ts';

test('options, getopt style', () => {
  const table: readonly [string, Partial<DkimSignOptions>][] = [
    ['', {}],
    [' \t ', {}],
    ['-c r', {}],
    ['-cs', { header: 'simple', body: 'simple' }],
    ['-c t', { header: 'relaxed', body: 'simple' }],
    ['-c  u', { header: 'simple', body: 'relaxed' }],
    ['-z 2 -c r -q', { queryMethod: true }],
    ['-qt', { queryMethod: true, timestamp: true }],
    ['-qtcs', { queryMethod: true, timestamp: true, header: 'simple', body: 'simple' }],
    ['-z4', { algorithm: 'ed25519-sha256' }],
    ['-z 4 -z 2', {}],
    ['-x -', { expireSeconds: null }],
    ['-x-', { expireSeconds: null }],
    ['-x 3600', { expireSeconds: 3600 }],
    ['-i me@mail.example.com', { identity: 'me@mail.example.com' }],
    ['-i @example.com', { identity: '@example.com' }],
    ['-i a@b.example -i -', { identity: null }],
    ['-b 7', {}],
  ];
  for (const [text, change] of table)
    assert.deepEqual(parseDkimSignOptions(text), { value: { ...DKIM_SIGN_DEFAULTS, ...change } }, text);
});

test('what we do not do is a warning that says what is done', () => {
  for (const [text, warning] of [
    ['-l', /^-l: .*whole body is signed$/],
    ['-h', /^-h: /],
    ['-z 1', /^-z 1: .*rsa-sha256 is used instead$/],
    ['-z3', /^-z 3: .*alone$/],
  ] as const) {
    const parsed = parseDkimSignOptions(text);
    assert.ok('value' in parsed, text);
    assert.deepEqual(parsed.value, DKIM_SIGN_DEFAULTS, text);
    assert.equal(parsed.warnings?.length, 1, text);
    assert.match(parsed.warnings?.[0] ?? '', warning);
  }
});

test('what is wrong, and what was wanted', () => {
  for (const [text, wanted] of [
    ['r', /^r is no option; wanted -c /],
    ['-', /^- is no option/],
    ['--', /^-- is no option/],
    ['-y', /^-y is no option; wanted/],
    ['-c', /^-c has no value/],
    ['-c constructor', /^-c constructor: wanted r, s, t or u$/],
    ['-c relaxed', /^-c relaxed: wanted/],
    ['-z 5', /^-z 5: wanted 1, 2, 3 or 4$/],
    ['-z toString', /^-z toString: /],
    ['-x 0', /^-x "0" is not a number of seconds/],
    ['-x 1700000000', /^-x "1700000000" is not .* counted from signing, or -$/],
    ['-x 1w', /^-x "1w"/],
    ['-i example.com', /^-i "example\.com" is no identity; wanted user@example\.com/],
    ['-i a;b=c@example.com', /^-i "a;b/],
  ] as const) {
    const parsed = parseDkimSignOptions(text);
    assert.ok('wanted' in parsed, text);
    assert.match(parsed.wanted, wanted, text);
  }
});

test('identity and expiry on their own', () => {
  assert.deepEqual(parseDkimIdentity(''), { value: null });
  assert.deepEqual(parseDkimIdentity('a=b@example.com'), { value: 'a=b@example.com' });
  for (const text of [
    '-',
    'x',
    '@',
    'a b@example.com',
    'a@example.com;',
    'a@exa mple',
    `${'a'.repeat(400)}@example.com`,
  ])
    assert.ok('wanted' in parseDkimIdentity(text), text);
  assert.deepEqual(parseDkimExpire(''), { value: null });
  assert.deepEqual(parseDkimExpire('86400'), { value: 86_400 });
  assert.ok('wanted' in parseDkimExpire('1e3'));
});

test('a line of dkimkeys replaces the client’s variables, and identity and expiry the options’', () => {
  const options = { ...DKIM_SIGN_DEFAULTS, identity: '@a.example', timestamp: true };
  assert.deepEqual(dkimSignOptions({}), DKIM_SIGN_DEFAULTS);
  assert.deepEqual(dkimSignOptions({ options }), options);
  assert.deepEqual(dkimSignOptions({ options, identity: null }), options);
  assert.equal(dkimSignOptions({ options, identity: '@b.example' }).identity, '@b.example');
  assert.equal(dkimSignOptions({ options, expireSeconds: null }).expireSeconds, null);
  assert.deepEqual(dkimSignOptions({ options: DKIM_SIGN_DEFAULTS, expireSeconds: 5 }, { options }), {
    ...options,
    expireSeconds: 5,
  });
  assert.equal(dkimSignOptions({ expireSeconds: 5 }, { expireSeconds: null }).expireSeconds, null);
});

const anyOptions = fc.record<DkimSignOptions>({
  header: fc.constantFrom('relaxed', 'simple'),
  body: fc.constantFrom('relaxed', 'simple'),
  algorithm: fc.constantFrom('rsa-sha256', 'ed25519-sha256'),
  expireSeconds: fc.option(fc.integer({ min: 1, max: 315_360_000 })),
  identity: fc.constantFrom(null, '@example.com', 'x-y@a.example'),
  timestamp: fc.boolean(),
  queryMethod: fc.boolean(),
});

test('what is shown reads as what it was', () => {
  fc.assert(
    fc.property(anyOptions, options => {
      assert.deepEqual(parseDkimSignOptions(showDkimSignOptions(options)), { value: { ...options } });
    }),
  );
});

test('any text is options or a fault', () => {
  const piece = fc.oneof(fc.string(), fc.constantFrom('-c', '-x', '-', ' ', '-qt', '-i', '-z 4', 'r', '@a'));
  fc.assert(
    fc.property(fc.array(piece), pieces => {
      const parsed = parseDkimSignOptions(pieces.join(''));
      if ('value' in parsed)
        assert.deepEqual(parseDkimSignOptions(showDkimSignOptions(parsed.value)), { value: parsed.value });
      else assert.ok(parsed.wanted.length > 0);
    }),
  );
});
