import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Release } from '../../src/scanners/slots.ts';
import { Slots } from '../../src/scanners/slots.ts';

const LONG = 60_000;

function given(release: Release | null): Release {
  assert.ok(release);
  return release;
}

test('so many at a time, the others in their order', async () => {
  const slots = new Slots(2, 10);
  const first = given(await slots.take(0));
  const second = given(await slots.take(0));
  const order: number[] = [];
  const waiting = [3, 4, 5].map(async n => {
    const release = given(await slots.take(LONG));
    order.push(n);
    return release;
  });
  assert.deepEqual([slots.used, slots.waiting], [2, 3]);
  first();
  first();
  const third = given(await (waiting[0] ?? null));
  assert.deepEqual([slots.used, slots.waiting, order], [2, 2, [3]]);
  second();
  third();
  const rest = await Promise.all(waiting.slice(1));
  assert.deepEqual([slots.used, slots.waiting, order], [2, 0, [3, 4, 5]]);
  for (const release of rest) release();
  assert.equal(slots.used, 0);
});

test('the line is bounded, and so is the wait in it', async () => {
  const slots = new Slots(1, 1);
  const only = given(await slots.take(LONG));
  assert.equal(await slots.take(0), null);
  const waiting = slots.take(20);
  assert.equal(await slots.take(LONG), null, 'the line is full');
  assert.equal(await waiting, null, 'the wait is over');
  assert.deepEqual([slots.used, slots.waiting], [1, 0]);
  const patient = slots.take(LONG);
  only();
  given(await patient)();
  assert.equal(slots.used, 0);
  assert.equal(await new Slots(0, 0).take(LONG), null);
});

test('who has gone gives up the place in the line', async () => {
  const slots = new Slots(1, 2);
  const only = given(await slots.take(LONG));
  assert.equal(await slots.take(LONG, AbortSignal.abort()), null);
  const going = new AbortController();
  const [leaves, stays] = [slots.take(LONG, going.signal), slots.take(LONG, going.signal)];
  only();
  const kept = given(await leaves);
  going.abort();
  assert.equal(await stays, null);
  assert.equal(getEventListeners(going.signal, 'abort').length, 0);
  assert.deepEqual([slots.used, slots.waiting], [1, 0]);
  kept();
  assert.equal(slots.used, 0);
});

test('whatever comes and goes, there are never more than allowed, and none is lost', async () => {
  const step = fc.constantFrom('take', 'give', 'leave');
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 3 }),
      fc.array(step, { maxLength: 40 }),
      async (max, steps) => {
        const slots = new Slots(max, 4);
        const held: Release[] = [];
        const going: AbortController[] = [];
        const asked: Promise<void>[] = [];
        for (const step of steps) {
          if (step === 'give') held.shift()?.();
          else if (step === 'leave') going.shift()?.abort();
          else {
            const leaves = new AbortController();
            going.push(leaves);
            asked.push(slots.take(LONG, leaves.signal).then(release => void (release && held.push(release))));
          }
          await Promise.resolve();
          await Promise.resolve();
          assert.ok(held.length <= max && slots.used <= max && slots.waiting <= 4);
          assert.ok(slots.waiting === 0 || slots.used === max);
        }
        for (const leaves of going) leaves.abort();
        await Promise.all(asked);
        for (const release of held) release();
        assert.deepEqual([slots.used, slots.waiting], [0, 0]);
      },
    ),
  );
});
