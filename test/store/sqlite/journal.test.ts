import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, describe, it } from 'node:test';
import type { JournalTables } from '../../../src/store/journal-queries.ts';
import { journalQueries } from '../../../src/store/journal-queries.ts';
import { StoreError } from '../../../src/store/journal-store.ts';
import { sqliteCompiler } from '../../../src/store/sqlite/dialect.ts';
import { openSqliteJournal, openSqliteJournalReadOnly } from '../../../src/store/sqlite/journal.ts';
import { SCHEMA_VERSION } from '../../../src/store/sqlite/schema.ts';
import { journalContract } from '../contract.ts';
import { sampleRecipient, sampleRecord } from '../sample-record.ts';

const folder = mkdtempSync(join(tmpdir(), 'postern-store-'));
let files = 0;
const newFile = () => join(folder, `${++files}.sqlite`);
after(() => rmSync(folder, { recursive: true }));

journalContract('SQLite', async () => openSqliteJournal(newFile()));

describe('the SQLite file', () => {
  it('is for its owner alone, with what SQLite puts beside it', async () => {
    const file = newFile();
    const store = openSqliteJournal(file);
    await store.append([sampleRecord()]);
    for (const suffix of ['', '-wal', '-shm']) {
      assert.equal(statSync(file + suffix).mode & 0o777, 0o600, suffix);
    }
    await store.close();
  });

  it('keeps the mode that an administrator gave it', async () => {
    const file = newFile();
    await openSqliteJournal(file).close();
    chmodSync(file, 0o640);
    await openSqliteJournal(file).close();
    assert.equal(statSync(file).mode & 0o777, 0o640);
  });

  it('is refused when a newer Postern, another program or no database wrote it', async () => {
    const newer = newFile();
    await openSqliteJournal(newer).close();
    change(newer, `PRAGMA user_version = ${SCHEMA_VERSION + 1}`);
    const foreign = newFile();
    change(foreign, 'CREATE TABLE t (a)');
    const text = newFile();
    writeFileSync(text, 'not a database, but long enough to be looked at as one. '.repeat(50));
    const cases: readonly [string, RegExp][] = [
      [newer, new RegExp(`schema version ${SCHEMA_VERSION + 1}, written by a newer Postern`)],
      [foreign, /database of another program/],
      [text, /file is not a database/],
      [folder, /EISDIR|is not a file/],
      [join(folder, 'missing', 'x.sqlite'), /ENOENT|no such file/],
    ];
    for (const [file, expected] of cases) {
      for (const open of [openSqliteJournal, openSqliteJournalReadOnly]) {
        assert.throws(
          () => open(file),
          error =>
            error instanceof StoreError && expected.test(error.message) && error.message.includes(file),
          file,
        );
      }
    }
  });

  it('says clearly that there is nothing to read yet', () => {
    assert.throws(() => openSqliteJournalReadOnly(newFile()), /no such file: nothing has been recorded/);
    const empty = newFile();
    writeFileSync(empty, '');
    assert.throws(() => openSqliteJournalReadOnly(empty), /is empty: nothing has been recorded/);
  });

  it('can be read while it is written, and not written by a reader', async () => {
    const file = newFile();
    const writer = openSqliteJournal(file);
    await writer.append([sampleRecord()]);
    const reader = openSqliteJournalReadOnly(file);
    await writer.append([sampleRecord({ id: 's1.2' })]);
    assert.equal((await reader.recent(10)).length, 2);
    await assert.rejects(reader.append([sampleRecord({ id: 's1.3' })]), /readonly/);
    await assert.rejects(reader.purge(Number.MAX_SAFE_INTEGER, 1), StoreError);
    await reader.close();
    await writer.append([sampleRecord({ id: 's1.4' })]);
    await writer.close();
    const later = openSqliteJournalReadOnly(file);
    assert.equal((await later.recent(10)).length, 3);
    await later.close();
  });

  it('is not written on when it was moved away', async () => {
    const file = newFile();
    const store = openSqliteJournal(file);
    renameSync(file, `${file}.old`);
    await assert.rejects(store.append([sampleRecord()]), /was moved or removed/);
    await store.close();
  });

  it('can be looked into with sqlite3(1)', async () => {
    const file = newFile();
    const store = openSqliteJournal(file);
    await store.append([sampleRecord({ rule: 'badhelo' })]);
    const db = new DatabaseSync(file, { readOnly: true });
    const row = db
      .prepare('SELECT time, event, client_ip, sender, first_recipient, rule FROM event_list')
      .get();
    assert.deepEqual(Object.values(row ?? {}), [
      '2026-07-31T03:12:44.123Z',
      'message-accepted',
      '192.0.2.7',
      'alice@example.net',
      'bob@example.com',
      'badhelo',
    ]);
    db.close();
    await store.close();
  });
});

it('no look-up reads a whole table of 10,000 records, nor sorts them', async () => {
  const file = newFile();
  const store = openSqliteJournal(file);
  const records = Array.from({ length: 10_000 }, (_, n) =>
    sampleRecord({
      id: `s${n}.1`,
      sessionId: `s${n}`,
      time: n,
      sender: `sender${n}@net${n % 100}.example`,
      recipients: [sampleRecipient(`user${n % 1000}@example.com`)],
      messageId: `<${n}@example.net>`,
    }),
  );
  await store.append(records);
  assert.equal((await store.byAddress('user7@example.com', 100)).length, 10);
  assert.equal((await store.byAddress('@net42.example', 1000)).length, 100);
  await store.close();

  const db = new DatabaseSync(file, { readOnly: true });
  const queries = journalQueries(sqliteCompiler<JournalTables>());
  // A domain's records come out of the index by address; only their numbers are sorted.
  const sorting = new Set(['byDomain', 'bySession']);
  for (const [name, query] of Object.entries(queries)) {
    if (name.startsWith('insert')) continue;
    const plan = db.prepare(`EXPLAIN QUERY PLAN ${query.sql}`).all(...query.names.map(() => 1));
    for (const step of plan) {
      const detail = String(step['detail']);
      const whole = /^SCAN (?!found\b)(?!events USING (COVERING )?INDEX events_time)/.test(detail);
      assert.ok(!whole, `${name}: ${detail}`);
      assert.ok(sorting.has(name) || !detail.includes('TEMP B-TREE'), `${name}: ${detail}`);
    }
  }
  db.close();
});

function change(file: string, sql: string): void {
  const db = new DatabaseSync(file);
  db.exec(sql);
  db.close();
}
