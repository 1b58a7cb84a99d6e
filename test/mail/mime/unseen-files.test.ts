import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eachFile } from '../../../src/mail/mime/file-bytes.ts';
import { cutShort, unseenFiles } from '../../../src/mail/mime/unseen-files.ts';
import type { AnomalyName } from '../../../src/model/mime.ts';
import { MISSED, ORDINARY } from '../../support/hidden-mail.ts';
import { EVASIONS } from './evasions/evasions.ts';
import { factsOf, LIMITS, messageOf } from './reading.ts';

/** Names of the files that a scanner has to see by themselves; null: it has seen all there is. */
async function unseenIn(text: string): Promise<readonly string[] | null> {
  const bytes = Buffer.from(text, 'latin1');
  const wanted = unseenFiles(await factsOf([bytes]));
  if (wanted === null) return null;
  const names: string[] = [];
  const visit = ({ name }: { readonly name: string }) => {
    names.push(name);
    return Promise.resolve(true);
  };
  const budget = { files: 100, bytes: 1e6 };
  await eachFile(messageOf([bytes]), LIMITS, wanted, budget, visit, new AbortController().signal);
  return names;
}

/** Readers see the same bytes all the same. */
const ALIKE: readonly AnomalyName[] = [
  'MIME_BARE_LF',
  'MIME_UNCLOSED',
  'MIME_DISPOSITION_MANY',
  'MIME_NAME_DIFFERS',
];

for (const { name, message, anomaly } of EVASIONS) {
  if (anomaly === null || ALIKE.includes(anomaly)) continue;
  test(`the hidden file is shown by itself: ${name}`, async () => {
    const names = (await unseenIn(message)) ?? [];
    const zip = /zip/.test(name);
    assert.ok(
      names.some(one => (zip ? /^part [\d.]+/ : /e\.exe$/).test(one)),
      names.join(),
    );
  });
}

for (const [name, message] of MISSED) {
  test(`it has something to be seen by itself: ${name}`, async () => {
    assert.notDeepEqual((await unseenIn(message)) ?? [], []);
  });
}

for (const [name, message] of ORDINARY) {
  test(`nothing has to be seen by itself: ${name}`, async () => {
    assert.equal(await unseenIn(message), null);
  });
}

test('what was not taken apart', async () => {
  const [, message = ''] = MISSED.find(([name]) => name === 'in 20 multiparts') ?? [];
  const bytes = [Buffer.from(message, 'latin1')];
  assert.equal(cutShort(await factsOf(bytes)), null);
  const cut = cutShort(await factsOf(bytes, { depth: 10 }));
  assert.equal(cut, 'not all of the message was taken apart (MIME_DEPTH)');
});
