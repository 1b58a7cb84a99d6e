import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EVASIONS } from './evasions/evasions.ts';
import { fixtures } from './fixtures.ts';
import { allNames, factsOf } from './reading.ts';
import { namesOfOthers } from './second-readers.ts';

for (const { name, message, anomaly } of EVASIONS) {
  test(`e.exe is seen: ${name}`, async () => {
    const bytes = Buffer.from(message, 'latin1');
    const facts = await factsOf([bytes]);
    const names = allNames(facts);
    assert.ok(names.includes('e.exe'), `names: ${names.join(', ')}; ${JSON.stringify(facts.anomalies)}`);
    const rules = facts.anomalies.map(one => one.rule);
    if (anomaly !== null) assert.ok(rules.includes(anomaly), `anomalies: ${rules.join(', ')}`);
    const others = await namesOfOthers(bytes);
    for (const other of others) {
      for (const found of other.names)
        assert.ok(names.includes(found), `${other.reader} sees ${found}, we see ${names.join(', ')}`);
      // What it does not see, somebody has hidden from it: we must have said that something is odd.
      const same = names.every(one => other.names.includes(one));
      if (!same && rules.length === 0) {
        const outside = facts.members.length > 0 || facts.parts.some(part => part.kind === 'message');
        assert.ok(outside, `${other.reader} does not see what we see, and nothing is odd`);
      }
    }
  });
}

/** A byte that its charset does not have: mailparser makes a letter of it, we a replacement character. */
const NO_CHARACTER: readonly string[] = ['01 Quien Te Dijjat. Pitbull.mp3'];

for (const { name, bytes } of fixtures()) {
  test(`mailparser and postal-mime see no name that we do not: ${name}`, async () => {
    const names = allNames(await factsOf([bytes]));
    for (const { reader, names: seen } of await namesOfOthers(bytes)) {
      for (const one of seen.filter(one => !NO_CHARACTER.includes(one)))
        assert.ok(names.includes(one), `${reader} sees ${one}, we see ${names.join(', ')}`);
    }
  });
}
