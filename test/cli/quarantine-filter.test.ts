import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bar, Progress } from '../../src/cli/progress.ts';
import { addressOf, age, filterOf, UsageError } from '../../src/cli/quarantine-filter.ts';

test('ages', () => {
  const cases: readonly [string, number][] = [
    ['0s', 0],
    ['90m', 5_400_000],
    ['12h', 43_200_000],
    ['7d', 604_800_000],
    ['2w', 1_209_600_000],
  ];
  for (const [text, ms] of cases) assert.equal(age(text, '--older'), ms, text);
  for (const text of ['', '7', 'd', '-1d', '1.5d', '7 d', '7D', '1234567d', '7dd'])
    assert.throws(() => age(text, '--older'), UsageError, text);
});

test('addresses as they are typed, shown or copied', () => {
  const cases: readonly [string, string][] = [
    ['a@example.com', 'a@example.com'],
    [' <a@example.com> ', 'a@example.com'],
    ['@example.com', '@example.com'],
    ['<>', '<>'],
    ['jörg@example.com', 'j\xc3\xb6rg@example.com'],
    ['j\\xf6rg@example.com', 'j\xf6rg@example.com'],
  ];
  for (const [typed, bytes] of cases) assert.equal(addressOf(typed, '--rcpt'), bytes);
  for (const typed of ['', ' ', '@', '<@>']) assert.throws(() => addressOf(typed, '--rcpt'), UsageError);
});

test('filters', () => {
  assert.deepEqual(filterOf({}, 1000), {});
  assert.deepEqual(filterOf({ status: 'all', older: '1s', newer: '0s' }, 5000), { before: 4000, from: 5000 });
  assert.deepEqual(filterOf({ rcpt: '@x', sender: '<>', rule: 'R', status: 'expired' }, 0), {
    recipient: '@x',
    sender: '<>',
    rule: 'R',
    state: 'expired',
  });
  assert.throws(
    () => filterOf({ status: 'gone' }, 0),
    /wanted held, releasing, released, deleted, expired or all/,
  );
});

test('the bar', () => {
  assert.equal(bar(0, 10), `[${'-'.repeat(30)}] 0 % (0 of 10)`);
  assert.equal(bar(5, 10), `[${'#'.repeat(15)}${'-'.repeat(15)}] 50 % (5 of 10)`);
  assert.equal(bar(10, 10), `[${'#'.repeat(30)}] 100 % (10 of 10)`);
  assert.equal(bar(7, 0), '7');
});

test('no bar where there is no terminal', t => {
  const write = t.mock.method(process.stderr, 'write', () => true);
  const progress = new Progress({});
  for (let n = 0; n < 1000; n++) progress.show(n, 1000);
  progress.clear();
  assert.equal(write.mock.callCount(), 0);
});
