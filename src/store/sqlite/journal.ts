import type { DatabaseSync } from 'node:sqlite';
import type { VerdictRecord } from '../../model/record.ts';
import type { AddressKey } from '../journal-keys.ts';
import { addressKey, journalKeys, messageIdKey } from '../journal-keys.ts';
import type { JournalTables } from '../journal-queries.ts';
import { journalQueries } from '../journal-queries.ts';
import type { JournalStore } from '../journal-store.ts';
import { SqliteConnection } from './connection.ts';
import { openForReading, openForWriting } from './database.ts';
import { sqliteCompiler } from './dialect.ts';
import { prepare } from './statement.ts';

/** Sorts after every text that could follow a session's id. */
const LAST_CHAR = '\u{10FFFF}';

/** Records of shadow mode that are read at a time. */
const SHADOW_PAGE = 500;

const QUERIES = journalQueries(sqliteCompiler<JournalTables>());

/**
 * Opens the journal in `file` for its one writer, creating the file when there is none. Throws a StoreError that says
 * what is wrong. Calls block on the disk: this belongs in a thread of its own (src/journal/writer-thread.ts).
 */
export function openSqliteJournal(file: string): JournalStore {
  return new SqliteJournal(openForWriting(file), file);
}

/**
 * Opens the journal in `file` to look things up, also while a server writes it. Throws a StoreError that says what is
 * wrong; in particular when there is no such file yet.
 */
export function openSqliteJournalReadOnly(file: string): JournalStore {
  return new SqliteJournal(openForReading(file), file);
}

class SqliteJournal implements JournalStore {
  readonly #connection: SqliteConnection;
  readonly #statements: ReturnType<typeof statements>;

  constructor(db: DatabaseSync, file: string) {
    this.#connection = new SqliteConnection(db, file);
    this.#statements = statements(db);
  }

  async append(records: readonly VerdictRecord[]): Promise<void> {
    await this.appendJson(records.map(record => JSON.stringify(record)));
  }

  async appendJson(texts: readonly string[]): Promise<number> {
    return this.#connection.transaction(() => {
      const rows: AddressRow[] = [];
      let unreadable = 0;
      for (const text of texts) if (!this.#insert(text, rows)) unreadable++;
      // In the order of the index, so that each of its pages is touched once.
      rows.sort(byKey);
      for (const row of rows) this.#statements.insertAddress.run(row);
      return unreadable;
    });
  }

  async byId(id: string): Promise<VerdictRecord | null> {
    return this.#records(() => this.#statements.byId.all({ id }))[0] ?? null;
  }

  async byMessageId(messageId: string, limit: number): Promise<VerdictRecord[]> {
    const key = messageIdKey(messageId);
    return this.#records(() => this.#statements.byMessageId.all({ messageId: key, limit }));
  }

  async byAddress(address: string, limit: number): Promise<VerdictRecord[]> {
    const { domain, local } = addressKey(address);
    return this.#records(() =>
      local === ''
        ? this.#statements.byDomain.all({ domain, limit })
        : this.#statements.byAddress.all({ domain, local, limit }),
    );
  }

  async bySession(sessionId: string, limit: number): Promise<VerdictRecord[]> {
    const end = sessionId + LAST_CHAR;
    return this.#records(() => this.#statements.bySession.all({ session: sessionId, end, limit }));
  }

  async recent(limit: number): Promise<VerdictRecord[]> {
    return this.#records(() => this.#statements.recent.all({ limit }));
  }

  async *shadowRecords(fromMs: number): AsyncIterable<VerdictRecord> {
    let last = { time: Math.floor(fromMs), seq: -1 };
    for (;;) {
      const place = { time: last.time, seq: last.seq, limit: SHADOW_PAGE };
      const rows = this.#connection.guarded(() => this.#statements.shadowPage.all(place));
      for (const record of this.#records(() => rows)) if (typeof record.shadow === 'string') yield record;
      const end = rows.at(-1);
      if (end === undefined || rows.length < SHADOW_PAGE) return;
      last = end;
    }
  }

  async oldest(): Promise<number | null> {
    return this.#connection.guarded(() => this.#statements.oldest.first({})?.time ?? null);
  }

  async purge(beforeMs: number, batch: number): Promise<number> {
    const before = Math.floor(beforeMs);
    return this.#connection.transaction(() => {
      this.#statements.purgeAddresses.run({ before, batch });
      return this.#statements.purgeEvents.run({ before, batch });
    });
  }

  async close(): Promise<void> {
    this.#connection.close();
  }

  /** Inserts the event and adds its address rows to `rows`; false when `text` is no verdict record. */
  #insert(text: string, rows: AddressRow[]): boolean {
    const keys = journalKeys(text);
    if (keys === null) return false;
    const { id, session, time, messageId } = keys;
    const event = { id, session, time, message_id: messageId, record: text };
    const seq = this.#statements.insertEvent.insert(event);
    if (seq === null) return true;
    for (const { domain, local } of keys.addresses) rows.push({ domain, local, time, seq });
    return true;
  }

  #records(read: () => readonly { readonly record: string }[]): VerdictRecord[] {
    return this.#connection.guarded(() => read().map(row => JSON.parse(row.record) as VerdictRecord));
  }
}

interface AddressRow extends AddressKey {
  readonly [column: string]: string | number;
  readonly time: number;
  readonly seq: number;
}

function byKey(a: AddressKey, b: AddressKey): number {
  if (a.domain !== b.domain) return a.domain < b.domain ? -1 : 1;
  if (a.local !== b.local) return a.local < b.local ? -1 : 1;
  return 0;
}

function statements(db: DatabaseSync) {
  return {
    insertEvent: prepare(db, QUERIES.insertEvent),
    insertAddress: prepare(db, QUERIES.insertAddress),
    byId: prepare(db, QUERIES.byId),
    byMessageId: prepare(db, QUERIES.byMessageId),
    byAddress: prepare(db, QUERIES.byAddress),
    byDomain: prepare(db, QUERIES.byDomain),
    bySession: prepare(db, QUERIES.bySession),
    recent: prepare(db, QUERIES.recent),
    shadowPage: prepare(db, QUERIES.shadowPage),
    oldest: prepare(db, QUERIES.oldest),
    purgeAddresses: prepare(db, QUERIES.purgeAddresses),
    purgeEvents: prepare(db, QUERIES.purgeEvents),
  };
}
