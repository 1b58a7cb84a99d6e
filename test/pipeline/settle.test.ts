import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { HopAnswer } from '../../src/model/delivery.ts';
import { reply } from '../../src/model/reply.ts';
import { settle } from '../../src/pipeline/settle.ts';

const answers = (kinds: readonly HopAnswer['kind'][]): HopAnswer[] =>
  kinds.map((kind, i) => ({
    kind,
    reply: reply(kind === 'refused' ? 550 : 450, '', `${kind} ${i}`),
    hop: 'h',
  }));

test('everybody’s answer to one answer', () => {
  const A = 'accepted';
  const R = 'refused';
  const F = 'failed';
  for (const [kinds, settled] of [
    [[], 'accepted'],
    [[A], 'accepted'],
    [[A, R, A, R], 'accepted, hold 1,3'],
    [[R], 'refused: refused 0'],
    [[R, R], 'refused: refused 0'],
    [[F], 'failed: failed 0'],
    [[A, F, F], 'failed: failed 1'],
    [[R, F], 'failed: failed 1'],
  ] as const) {
    const result = settle(answers(kinds));
    const shown =
      result.kind === 'accepted'
        ? ['accepted', ...(result.hold.length > 0 ? [`hold ${result.hold.join()}`] : [])].join(', ')
        : `${result.kind}: ${result.reply.lines.join()}`;
    assert.equal(shown, settled, kinds.join());
  }
});

test('a yes is a promise for every recipient: taken by a hop, or to be held', () => {
  const kinds = fc.array(fc.constantFrom('accepted', 'refused', 'failed'), { minLength: 1 });
  fc.assert(
    fc.property(kinds, list => {
      const result = settle(answers(list));
      if (result.kind !== 'accepted') return;
      for (const [i, kind] of list.entries()) assert.equal(kind === 'accepted', !result.hold.includes(i));
      assert.ok(!list.includes('failed'));
    }),
  );
});
