import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, it } from 'node:test';
import type { QuarantineTables } from '../../../src/store/quarantine-queries.ts';
import { quarantineQueries } from '../../../src/store/quarantine-queries.ts';
import { sqliteCompiler } from '../../../src/store/sqlite/dialect.ts';
import { openSqliteJournal } from '../../../src/store/sqlite/journal.ts';
import { openSqliteQuarantine, openSqliteQuarantineReadOnly } from '../../../src/store/sqlite/quarantine.ts';
import { SCHEMA_STEPS } from '../../../src/store/sqlite/schema.ts';
import { quarantineContract, sampleHeld, sampleHeldRecipient } from '../quarantine-contract.ts';
import { sampleRecord } from '../sample-record.ts';

const folder = mkdtempSync(join(tmpdir(), 'postern-store-'));
let files = 0;
const newFile = () => join(folder, `${++files}.sqlite`);
after(() => rmSync(folder, { recursive: true }));

quarantineContract('SQLite', async () => openSqliteQuarantine(newFile()));

it('shares its file with the journal, whoever opens it first', async () => {
  const file = newFile();
  const [index, journal] = [openSqliteQuarantine(file), openSqliteJournal(file)];
  await journal.append([sampleRecord()]);
  await index.add([sampleHeld('a')]);
  const reader = openSqliteQuarantineReadOnly(file);
  assert.equal((await reader.byId('a'))?.id, 'a');
  await assert.rejects(reader.remove(['a']), /readonly/);
  for (const one of [reader, index, journal]) await one.close();
});

it('is added to a file that was written before there was a quarantine index', async () => {
  const file = newFile();
  await openSqliteJournal(file).close();
  const db = new DatabaseSync(file);
  db.exec('DROP TABLE held_copy; DROP TABLE held_recipient; PRAGMA user_version = 1');
  db.close();
  assert.throws(() => openSqliteQuarantineReadOnly(file), /older schema version 1; a start of the server/);
  const index = openSqliteQuarantine(file);
  await index.add([sampleHeld('a')]);
  await index.close();
  assert.ok(SCHEMA_STEPS.length >= 2);
});

it('of two connections that claim a copy one gets it', async () => {
  const file = newFile();
  const [one, two] = [openSqliteQuarantine(file), openSqliteQuarantine(file)];
  await one.add([sampleHeld('a')]);
  const claim = { id: 'a', n: null, from: 'held', to: 'releasing', now: 1 } as const;
  const got = await Promise.all([one.move(claim), two.move(claim)]);
  assert.deepEqual(
    got.map(n => n.length).toSorted((a, b) => a - b),
    [0, 1],
  );
  await one.close();
  await two.close();
});

it('every look-up goes by an index of its own among 20,000 copies, and sorts nothing', async () => {
  const file = newFile();
  const index = openSqliteQuarantine(file);
  await index.add(
    Array.from({ length: 20_000 }, (_, n) =>
      sampleHeld(`s${n}.1`, {
        time: n,
        sender: `sender${n % 500}@net${n % 100}.example`,
        recipients: [
          sampleHeldRecipient(`user${n % 1000}@dom${n % 50}.example.com`, {
            rule: `RULE${n % 20}`,
            state: n % 3 === 0 ? 'held' : 'released',
          }),
        ],
      }),
    ),
  );
  const deep = await index.list({ state: 'held' }, { time: 10_000, id: '', n: 0 }, 3);
  assert.deepEqual(
    deep.map(row => row.time),
    [9999, 9996, 9993],
  );
  await index.close();

  const db = new DatabaseSync(file);
  // The planner must do without ANALYZE, as it does in a running system, and with it.
  for (const analyze of ['', 'ANALYZE']) {
    db.exec(analyze);
    const wanted: Readonly<Record<string, string>> = {
      listAll: 'held_recipient_time',
      listState: 'held_recipient_state',
      listRule: 'held_recipient_rule',
      listAddress: 'held_recipient_address',
      listDomain: 'held_recipient_domain',
      listSender: 'held_recipient_sender',
      listSenderDomain: 'held_recipient_sender_domain',
      older: 'held_copy_time',
    };
    for (const [name, query] of Object.entries(quarantineQueries(sqliteCompiler<QuarantineTables>()))) {
      if (name.startsWith('insert')) continue;
      const plan = db.prepare(`EXPLAIN QUERY PLAN ${query.sql}`).all(...query.names.map(() => 1));
      const details = plan.map(step => String(step['detail'])).join('; ');
      assert.ok(!details.includes('TEMP B-TREE'), `${name}: ${details}`);
      assert.ok(name === 'counts' || !/\bSCAN\b/.test(details), `${name}: ${details}`);
      const used = wanted[name];
      if (used !== undefined) assert.match(details, new RegExp(`INDEX ${used} \\(`), `${name}: ${details}`);
    }
  }
  db.close();
});
