import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AnswerCache } from '../../src/dns/cache.ts';

test('a value lives until it expires', () => {
  const cache = new AnswerCache<string>(10, 100_000);
  cache.set('k', 'v', 1000, 1);
  assert.equal(cache.get('k', 999), 'v');
  assert.equal(cache.get('k', 1000), undefined);
  assert.equal(cache.size, 0);
});

test('the oldest goes first when there are too many', () => {
  const cache = new AnswerCache<number>(3, 100_000);
  for (let i = 0; i < 5; i++) cache.set(`k${i}`, i, 10, 1);
  assert.deepEqual(
    [0, 1, 2, 3, 4].map(i => cache.get(`k${i}`, 0)),
    [undefined, undefined, 2, 3, 4],
  );
});

test('bytes are limited too, and a huge value is not kept at all', () => {
  const cache = new AnswerCache<number>(1000, 100_000);
  for (let i = 0; i < 100; i++) cache.set(`k${i}`, i, 10, 5000);
  assert.ok(cache.size > 10 && cache.size < 20, `${cache.size} kept`);
  cache.set('huge', 1, 10, 50_000);
  assert.equal(cache.get('huge', 0), undefined);
});

test('a value put in again replaces the old one', () => {
  const cache = new AnswerCache<number>(2, 100_000);
  cache.set('a', 1, 10, 1);
  cache.set('a', 2, 20, 1);
  assert.equal(cache.size, 1);
  assert.equal(cache.get('a', 15), 2);
});

test('no entries: nothing is kept', () => {
  const cache = new AnswerCache<number>(0, 100_000);
  cache.set('a', 1, 10, 1);
  assert.equal(cache.get('a', 0), undefined);
});
