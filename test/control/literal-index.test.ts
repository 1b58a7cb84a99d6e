import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { LiteralIndex } from '../../src/control/literal-index.ts';

const text = fc.string({ unit: fc.constantFrom('a', 'b', '.'), maxLength: 6 });
const literal = fc.record({
  text: fc.string({ unit: fc.constantFrom('a', 'b', '.'), maxLength: 3 }),
  start: fc.boolean(),
  end: fc.boolean(),
});

test('property: the same answer as trying one after another', () => {
  fc.assert(
    fc.property(fc.array(literal, { maxLength: 10 }), text, (literals, subject) => {
      const index = new LiteralIndex();
      for (const [i, each] of literals.entries()) index.add(each, i);
      const wanted = literals.findIndex(({ text: part, start, end }) =>
        start && end
          ? subject === part
          : start
            ? subject.startsWith(part)
            : end
              ? subject.endsWith(part)
              : subject.includes(part),
      );
      assert.equal(index.find(subject), wanted < 0 ? Number.POSITIVE_INFINITY : wanted);
    }),
    { numRuns: 1000 },
  );
});
