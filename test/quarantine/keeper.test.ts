import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { hold } from '../../src/quarantine/hold.ts';
import { QuarantineKeeper } from '../../src/quarantine/keeper.ts';
import type { FromKeeper } from '../../src/quarantine/keeper-messages.ts';
import { openSqliteQuarantineReadOnly } from '../../src/store/sqlite/quarantine.ts';
import { messageOf } from '../relay/messages.ts';
import { sampleRecord } from '../store/sample-record.ts';
import { waitFor } from '../support/processes.ts';
import { heldCopy, temporary } from './copies.ts';

const YEARS = 100 * 365;

async function ids(store: string): Promise<string> {
  try {
    const index = openSqliteQuarantineReadOnly(store);
    const found = await index.ids('', 1000);
    await index.close();
    return found.join(' ');
  } catch {
    return 'none yet';
  }
}

test('the keeper takes up what was held before it, what it is told of, and what it has to look for', async t => {
  const base = temporary(t);
  const store = path.join(base, 'postern.db');
  const told: FromKeeper[] = [];
  const settings = (folder: string, days = YEARS) => ({
    folder: path.join(base, folder),
    days,
    recordDays: YEARS,
  });
  const held = (folder: string, id: string, record = {}) =>
    hold(
      path.join(base, folder),
      heldCopy(id, { record: sampleRecord({ id, ...record }) }),
      Buffer.alloc(0),
      messageOf('a\r\n'),
    );
  const has = (wanted: string) =>
    waitFor(
      () => `${wanted} in the index; told was ${JSON.stringify(told)}`,
      async () => (await ids(store)) === wanted,
    );
  await held('one', 'before');
  // The first attempts fail: it is in the way, and then it is not.
  writeFileSync(store, 'no database, but long enough to be looked at as one '.repeat(100));
  const keeper = new QuarantineKeeper({ store, settings: settings('one'), hear: told.push.bind(told) });
  t.after(() => keeper.close());
  await waitFor('word of the trouble', () => told.some(m => m.kind === 'problem'));
  rmSync(store);
  await has('before');
  for (let n = 0; n < 300; n++) {
    if (n % 3 === 0) await held('one', `m${n}`);
    if (n % 6 === 0) keeper.held(`m${n}`);
  }
  await waitFor('what it was told of', async () => (await ids(store)).split(' ').length === 51);
  keeper.catchUp();
  await waitFor('what it looked for', async () => (await ids(store)).split(' ').length === 101);

  // Another folder: what is not in it is not in the index.
  await held('two', 'elsewhere', { time: Date.now() - 2 * 86_400_000 });
  keeper.configure(settings('two'));
  await has('elsewhere');
  keeper.configure(settings('two', 1));
  const expired = await waitFor('word of what expired', () => told.find(m => m.kind === 'expired'));
  assert.deepEqual(expired, { kind: 'expired', expired: 1, forgotten: 0 });

  // What it was told of before it was closed is in the index when it has ended.
  await held('two', 'last');
  keeper.held('last');
  await keeper.close();
  assert.equal(await ids(store), 'elsewhere last');
});
