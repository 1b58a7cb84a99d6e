import type { DatabaseSync } from 'node:sqlite';
import { addressKey } from '../journal-keys.ts';
import type { AddressKey } from '../journal-keys.ts';
import type {
  HeldEntry,
  HeldFilter,
  HeldMove,
  HeldPlace,
  HeldRow,
  QuarantineIndex,
} from '../quarantine-index.ts';
import type { QuarantineTables } from '../quarantine-queries.ts';
import { quarantineQueries } from '../quarantine-queries.ts';
import { SqliteConnection } from './connection.ts';
import { openForReading, openForWriting } from './database.ts';
import { sqliteCompiler } from './dialect.ts';
import { prepare } from './statement.ts';

const QUERIES = quarantineQueries(sqliteCompiler<QuarantineTables>());

/** The key of the null sender: no address has it, since the brackets are no part of one. */
const NULL_SENDER: AddressKey = { domain: '', local: '<>' };
const NO_KEY: AddressKey = { domain: '', local: '' };

/**
 * Opens the quarantine index in `file`, creating the file when there is none. Several processes may have it open and
 * wait for each other, a statement at a time. Throws a StoreError that says what is wrong. Calls block on the disk.
 */
export function openSqliteQuarantine(file: string): QuarantineIndex {
  return new SqliteQuarantine(openForWriting(file), file);
}

/** Opens it to look things up. Throws a StoreError that says what is wrong; in particular when there is no such file yet. */
export function openSqliteQuarantineReadOnly(file: string): QuarantineIndex {
  return new SqliteQuarantine(openForReading(file), file);
}

class SqliteQuarantine implements QuarantineIndex {
  readonly #connection: SqliteConnection;
  readonly #statements: ReturnType<typeof statements>;

  constructor(db: DatabaseSync, file: string) {
    this.#connection = new SqliteConnection(db, file);
    this.#statements = statements(db);
  }

  async add(entries: readonly HeldEntry[]): Promise<void> {
    this.#connection.transaction(() => {
      for (const entry of entries) this.#insert(entry);
    });
  }

  async set(entry: HeldEntry, releasingSince: number): Promise<void> {
    const { id } = entry;
    this.#connection.transaction(() => {
      this.#insert(entry);
      this.#statements.setCopy.run({ id, subject: entry.subject, has_content: entry.hasContent ? 1 : 0 });
      for (const [n, { state, since }] of entry.recipients.entries())
        this.#statements.setState.run({ id, n, state, since, releasingSince });
    });
  }

  async byId(id: string): Promise<HeldEntry | null> {
    return this.#connection.guarded(() => {
      const copy = this.#statements.copy.first({ id });
      if (copy === undefined) return null;
      return {
        id,
        time: copy.time,
        sender: copy.sender,
        clientIp: copy.client_ip,
        messageId: copy.message_id,
        subject: copy.subject,
        size: copy.size,
        hasContent: copy.has_content === 1,
        recipients: this.#statements.recipients.all({ id }).map(row => ({ ...row })),
      };
    });
  }

  async list(filter: HeldFilter, after: HeldPlace | null, limit: number): Promise<HeldRow[]> {
    const recipient = filter.recipient === undefined ? NO_KEY : addressKey(filter.recipient);
    const sender =
      filter.sender === undefined ? NO_KEY : filter.sender === '<>' ? NULL_SENDER : addressKey(filter.sender);
    const values = {
      // Nothing is before the first recipient of the copy `''`.
      beforeTime: after?.time ?? filter.before ?? Number.MAX_SAFE_INTEGER,
      beforeId: after?.id ?? '',
      beforeN: after?.n ?? 0,
      from: filter.from ?? 0,
      state: filter.state ?? '',
      rule: filter.rule ?? '',
      domain: recipient.domain,
      local: recipient.local,
      senderDomain: sender.domain,
      senderLocal: sender.local,
      limit,
    };
    return this.#connection.guarded(() =>
      this.#list(values)
        .all(values)
        .map(({ client_ip, message_id, ...row }) => ({ ...row, clientIp: client_ip, messageId: message_id })),
    );
  }

  async counts() {
    return this.#connection.guarded(() =>
      Object.fromEntries(this.#statements.counts.all({}).map(({ state, count }) => [state, count])),
    );
  }

  async ids(after: string, limit: number): Promise<string[]> {
    return this.#connection.guarded(() => this.#statements.ids.all({ after, limit }).map(row => row.id));
  }

  async older(
    hasContent: boolean,
    before: number,
    after: Pick<HeldPlace, 'time' | 'id'> | null,
    limit: number,
  ) {
    return this.#connection.guarded(() =>
      this.#statements.older
        .all({
          has_content: hasContent ? 1 : 0,
          before,
          afterTime: after?.time ?? -1,
          afterId: after?.id ?? '',
          limit,
        })
        .map(row => ({ ...row })),
    );
  }

  async move({ n, sinceBefore = Number.MAX_SAFE_INTEGER, ...move }: HeldMove): Promise<number[]> {
    const rows = this.#connection.transaction(() =>
      n === null
        ? this.#statements.moveAll.all({ ...move, sinceBefore })
        : this.#statements.moveOne.all({ ...move, sinceBefore, n }),
    );
    return rows.map(row => row.n).toSorted((a, b) => a - b);
  }

  async dropContent(id: string): Promise<void> {
    this.#connection.transaction(() => this.#statements.setCopy.run({ id, subject: '', has_content: 0 }));
  }

  async remove(ids: readonly string[]): Promise<void> {
    this.#connection.transaction(() => {
      for (const id of ids) {
        this.#statements.removeRecipients.run({ id });
        this.#statements.removeCopy.run({ id });
      }
    });
  }

  async close(): Promise<void> {
    this.#connection.close();
  }

  #insert(entry: HeldEntry): void {
    const { id, time, sender, subject, size } = entry;
    this.#statements.insertCopy.run({
      id,
      time,
      sender,
      client_ip: entry.clientIp,
      message_id: entry.messageId,
      subject,
      size,
      has_content: entry.hasContent ? 1 : 0,
    });
    const from = sender === null ? NULL_SENDER : addressKey(sender);
    for (const [n, recipient] of entry.recipients.entries()) {
      const { domain, local } = addressKey(recipient.address);
      this.#statements.insertRecipient.run({
        id,
        n,
        time,
        state: recipient.state,
        since: recipient.since,
        rule: recipient.rule,
        verdict: recipient.verdict,
        address: recipient.address,
        domain,
        local,
        sender_domain: from.domain,
        sender_local: from.local,
      });
    }
  }

  /** The list by what leaves the fewest rows to look at. */
  #list(by: {
    readonly local: string;
    readonly domain: string;
    readonly senderLocal: string;
    readonly senderDomain: string;
    readonly rule: string;
    readonly state: string;
  }) {
    const s = this.#statements;
    if (by.local !== '') return s.listAddress;
    if (by.domain !== '') return s.listDomain;
    if (by.senderLocal !== '') return s.listSender;
    if (by.senderDomain !== '') return s.listSenderDomain;
    if (by.rule !== '') return s.listRule;
    return by.state === '' ? s.listAll : s.listState;
  }
}

function statements(db: DatabaseSync) {
  return {
    insertCopy: prepare(db, QUERIES.insertCopy),
    insertRecipient: prepare(db, QUERIES.insertRecipient),
    setCopy: prepare(db, QUERIES.setCopy),
    setState: prepare(db, QUERIES.setState),
    copy: prepare(db, QUERIES.copy),
    recipients: prepare(db, QUERIES.recipients),
    listAll: prepare(db, QUERIES.listAll),
    listState: prepare(db, QUERIES.listState),
    listRule: prepare(db, QUERIES.listRule),
    listAddress: prepare(db, QUERIES.listAddress),
    listDomain: prepare(db, QUERIES.listDomain),
    listSender: prepare(db, QUERIES.listSender),
    listSenderDomain: prepare(db, QUERIES.listSenderDomain),
    counts: prepare(db, QUERIES.counts),
    ids: prepare(db, QUERIES.ids),
    older: prepare(db, QUERIES.older),
    moveAll: prepare(db, QUERIES.moveAll),
    moveOne: prepare(db, QUERIES.moveOne),
    removeRecipients: prepare(db, QUERIES.removeRecipients),
    removeCopy: prepare(db, QUERIES.removeCopy),
  };
}
