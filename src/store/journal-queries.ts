import type { Generated, Kysely } from 'kysely';
import { sql } from 'kysely';
import { compileQuery } from './compiled-query.ts';

/** The tables of the journal, the same in every driver. Text compares byte by byte. */
export interface JournalTables {
  events: {
    /** Number of the record, rising; only a link between the two tables. */
    seq: Generated<number>;
    id: string;
    session: string;
    /** Epoch milliseconds. */
    time: number;
    message_id: string | null;
    /** The whole record, JSON. */
    record: string;
  };
  /** One row for each address of a record; see journal-keys.ts. */
  event_address: {
    domain: string;
    local: string;
    time: number;
    seq: number;
  };
}

/**
 * All queries on the journal, compiled for the dialect of `db`. Newest first is by time; the number only breaks ties,
 * since batches of several workers arrive in any order.
 */
export function journalQueries(db: Kysely<JournalTables>) {
  const newestRecords = db
    .selectFrom('events')
    .select('record')
    .orderBy('time', 'desc')
    .orderBy('seq', 'desc');
  const newestOfAddress = db
    .selectFrom('event_address')
    .innerJoin('events', 'events.seq', 'event_address.seq')
    .select('events.record')
    .orderBy('event_address.time', 'desc')
    .orderBy('event_address.seq', 'desc');
  const oldestEvents = db.selectFrom('events').select('seq').orderBy('time').orderBy('seq');
  return {
    /** Inserts nothing when the id is known already. */
    insertEvent: compileQuery({ id: '', session: '', time: 0, message_id: textOrNull(), record: '' }, row =>
      db
        .insertInto('events')
        .values(row)
        .onConflict(conflict => conflict.column('id').doNothing())
        .returning('seq'),
    ),
    insertAddress: compileQuery({ domain: '', local: '', time: 0, seq: 0 }, row =>
      db.insertInto('event_address').values(row),
    ),
    byId: compileQuery({ id: '' }, ({ id }) => db.selectFrom('events').select('record').where('id', '=', id)),
    byMessageId: compileQuery({ messageId: '', limit: 0 }, ({ messageId, limit }) =>
      newestRecords.where('message_id', '=', messageId).limit(limit),
    ),
    byAddress: compileQuery({ domain: '', local: '', limit: 0 }, ({ domain, local, limit }) =>
      newestOfAddress.where('domain', '=', domain).where('local', '=', local).limit(limit),
    ),
    // Once each, however many addresses of the domain a record has. Reads the whole domain's part of the index.
    byDomain: compileQuery({ domain: '', limit: 0 }, ({ domain, limit }) =>
      db
        .selectFrom(
          db
            .selectFrom('event_address')
            .select(['time', 'seq'])
            .distinct()
            .where('domain', '=', domain)
            .orderBy('time', 'desc')
            .orderBy('seq', 'desc')
            .limit(limit)
            .as('found'),
        )
        .innerJoin('events', 'events.seq', 'found.seq')
        .select('events.record')
        .orderBy('found.time', 'desc')
        .orderBy('found.seq', 'desc'),
    ),
    // A session's id begins the ids of its events (src/model/session.ts), so that it needs no index of its own.
    bySession: compileQuery({ session: '', end: '', limit: 0 }, ({ session, end, limit }) =>
      newestRecords
        .where('id', '>=', session)
        .where('id', '<', end)
        .where('session', '=', session)
        .limit(limit),
    ),
    recent: compileQuery({ limit: 0 }, ({ limit }) => newestRecords.limit(limit)),
    // No index: shadow mode is for some weeks, and a column of its own would cost something for ever.
    shadowPage: compileQuery({ time: 0, seq: 0, limit: 0 }, ({ time, seq, limit }) =>
      db
        .selectFrom('events')
        .select(['time', 'seq', 'record'])
        .where(sql<boolean>`(time, seq) > (${time}, ${seq})`)
        .where(sql<boolean>`record ->> 'shadow' is not null`)
        .orderBy('time')
        .orderBy('seq')
        .limit(limit),
    ),
    oldest: compileQuery({}, () => db.selectFrom('events').select(({ fn }) => fn.min('time').as('time'))),
    // Both purges must choose the same records, the addresses first.
    purgeAddresses: compileQuery({ before: 0, batch: 0 }, ({ before, batch }) =>
      db.deleteFrom('event_address').where('seq', 'in', oldestEvents.where('time', '<', before).limit(batch)),
    ),
    purgeEvents: compileQuery({ before: 0, batch: 0 }, ({ before, batch }) =>
      db.deleteFrom('events').where('seq', 'in', oldestEvents.where('time', '<', before).limit(batch)),
    ),
  };
}

/** An example value for compileQuery whose type is wider than what a literal would have. */
function textOrNull(): string | null {
  return null;
}
