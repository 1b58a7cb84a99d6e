import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HopAnswer } from '../../src/model/delivery.ts';
import { reply } from '../../src/model/reply.ts';
import { RefusalCache } from '../../src/relay/refusal-cache.ts';

const refused = (code: number, status: string): HopAnswer => ({
  kind: 'refused',
  reply: reply(code, status, 'no'),
  hop: 'smtp h:25',
});

test('which refusals are remembered', () => {
  const cases: readonly [HopAnswer, boolean, boolean][] = [
    [refused(550, '5.1.1'), true, true],
    [refused(550, '5.1.10'), true, true],
    [refused(550, '5.2.1'), true, true],
    [refused(553, '5.1.1'), true, true],
    [refused(550, '5.0.0'), false, true],
    [refused(553, '5.0.0'), false, false],
    [refused(550, '5.7.1'), true, false],
    [refused(550, '5.1.0'), true, false],
    [{ ...refused(450, '4.1.1'), kind: 'failed' }, true, false],
    [{ ...refused(250, '2.1.5'), kind: 'accepted' }, true, false],
  ];
  for (const [answer, hadStatus, kept] of cases) {
    const cache = new RefusalCache(60);
    cache.note('hop', 'a@example.com', answer, hadStatus);
    assert.equal(
      cache.get('hop', 'a@example.com') !== null,
      kept,
      `${answer.reply.code} ${answer.reply.enhanced}`,
    );
  }
});

test('a remembered refusal says so, belongs to its hop and recipient, and ends', () => {
  let now = 1000;
  const cache = new RefusalCache(60, () => now);
  cache.note('hop', 'a@example.com', refused(550, '5.1.1'), true);
  assert.equal(cache.get('other', 'a@example.com'), null);
  assert.equal(cache.get('hop', 'A@example.com'), null);
  now += 59_999;
  assert.deepEqual(cache.get('hop', 'a@example.com'), {
    ...refused(550, '5.1.1'),
    hop: 'smtp h:25 (cached)',
  });
  now += 1;
  assert.equal(cache.get('hop', 'a@example.com'), null);
  assert.equal(cache.size, 0);
});

test('zero seconds switch it off', () => {
  const cache = new RefusalCache(0);
  cache.note('hop', 'a@example.com', refused(550, '5.1.1'), true);
  assert.equal(cache.size, 0);
});

test('it holds 10,000 and drops the one asked for longest ago', () => {
  const cache = new RefusalCache(60);
  cache.note('hop', 'first', refused(550, '5.1.1'), true);
  for (let i = 0; i < 9999; i++) cache.note('hop', `r${i}`, refused(550, '5.1.1'), true);
  assert.notEqual(cache.get('hop', 'first'), null);
  cache.note('hop', 'one more', refused(550, '5.1.1'), true);
  assert.equal(cache.size, 10_000);
  assert.notEqual(cache.get('hop', 'first'), null);
  assert.equal(cache.get('hop', 'r0'), null);
});
