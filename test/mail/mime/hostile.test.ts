import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HOSTILE, inChunks, watched } from './hostile-mail.ts';
import { allNames, factsOf } from './reading.ts';

/** Milliseconds of work in one go that others have to wait for; 20 once the code is compiled, which takes some, too. */
const MAX_GAP = 100;

for (const { name, text, rules, found } of HOSTILE) {
  test(`hostile: ${name}`, async context => {
    const pieces = inChunks(text());
    const { result: facts, longest } = await watched(() => factsOf(pieces));
    context.diagnostic(`longest stretch ${longest.toFixed(1)} ms, ${facts.parts.length} parts`);
    const noted = facts.anomalies.map(one => one.rule);
    for (const rule of rules)
      assert.ok(noted.includes(rule), `${rule} is not among ${[...new Set(noted)].join(', ')}`);
    if (found) assert.ok(allNames(facts).includes('e.exe'));
    assert.ok(facts.parts.length <= 8000);
    assert.ok(longest < MAX_GAP, `others waited ${longest} ms`);
  });
}
