import type { ExpressionBuilder, Kysely } from 'kysely';
import { sql } from 'kysely';
import type { HeldState } from '../model/held-state.ts';
import { compileQuery } from './compiled-query.ts';

/** The tables of the quarantine index, the same in every driver. Text compares byte by byte. */
export interface QuarantineTables {
  held_copy: {
    id: string;
    /** Epoch milliseconds. */
    time: number;
    sender: string | null;
    client_ip: string | null;
    message_id: string | null;
    subject: string;
    size: number;
    /** 1, or 0 when the contents were removed. */
    has_content: number;
  };
  /** One row for each recipient. What lists are searched by is in it, too, so that each search has an index of its own. */
  held_recipient: {
    id: string;
    n: number;
    time: number;
    state: HeldState;
    since: number;
    rule: string;
    verdict: string;
    address: string;
    /** The keys of journal-keys.ts. */
    domain: string;
    local: string;
    sender_domain: string;
    sender_local: string;
  };
}

/** What the lists take. `''` and the widest times restrict nothing. */
const LIST = {
  beforeTime: 0,
  beforeId: '',
  beforeN: 0,
  from: 0,
  state: '',
  rule: '',
  domain: '',
  local: '',
  senderDomain: '',
  senderLocal: '',
  limit: 0,
};

/** Columns that a list may be restricted by, and the parameter of each. */
const SEARCHED = {
  state: 'state',
  rule: 'rule',
  domain: 'domain',
  local: 'local',
  sender_domain: 'senderDomain',
  sender_local: 'senderLocal',
} as const;

type Searched = keyof typeof SEARCHED;

/** All queries on the index, compiled for the dialect of `db`. */
export function quarantineQueries(db: Kysely<QuarantineTables>) {
  type Tables = ExpressionBuilder<QuarantineTables, 'held_copy' | 'held_recipient'>;

  /** A list that is found by these columns, newest first; the other restrictions are looked at row by row. */
  const list = (...by: readonly Searched[]) =>
    compileQuery(LIST, p =>
      db
        .selectFrom('held_recipient')
        .innerJoin('held_copy', 'held_copy.id', 'held_recipient.id')
        .select([
          'held_recipient.id',
          'held_recipient.n',
          'held_recipient.time',
          'held_recipient.state',
          'held_recipient.since',
          'held_recipient.rule',
          'held_recipient.verdict',
          'held_recipient.address',
          'held_copy.sender',
          'held_copy.client_ip',
          'held_copy.message_id',
          'held_copy.subject',
          'held_copy.size',
        ])
        .where((eb: Tables) =>
          eb.and([
            ...Object.entries(SEARCHED).map(([name, parameter]) => {
              const column = sql.ref(`held_recipient.${name}`);
              return by.includes(name as Searched)
                ? sql<boolean>`${column} = ${p[parameter]}`
                : sql<boolean>`(${p[parameter]} = '' or ${column} = ${p[parameter]})`;
            }),
            sql<boolean>`(held_recipient.time, held_recipient.id, held_recipient.n) < (${p.beforeTime}, ${p.beforeId}, ${p.beforeN})`,
            eb('held_recipient.time', '>=', p.from),
          ]),
        )
        .orderBy('held_recipient.time', 'desc')
        .orderBy('held_recipient.id', 'desc')
        .orderBy('held_recipient.n', 'desc')
        .limit(p.limit),
    );

  const MOVE = { id: '', from: state(), to: state(), now: 0, sinceBefore: 0 };
  return {
    insertCopy: compileQuery(
      {
        id: '',
        time: 0,
        sender: textOrNull(),
        client_ip: textOrNull(),
        message_id: textOrNull(),
        subject: '',
        size: 0,
        has_content: 0,
      },
      row =>
        db
          .insertInto('held_copy')
          .values(row)
          .onConflict(conflict => conflict.column('id').doNothing()),
    ),
    insertRecipient: compileQuery(
      {
        id: '',
        n: 0,
        time: 0,
        state: state(),
        since: 0,
        rule: '',
        verdict: '',
        address: '',
        domain: '',
        local: '',
        sender_domain: '',
        sender_local: '',
      },
      row =>
        db
          .insertInto('held_recipient')
          .values(row)
          .onConflict(conflict => conflict.columns(['id', 'n']).doNothing()),
    ),
    setCopy: compileQuery({ id: '', subject: '', has_content: 0 }, ({ id, ...row }) =>
      db.updateTable('held_copy').set(row).where('id', '=', id),
    ),
    setState: compileQuery({ id: '', n: 0, state: state(), since: 0, releasingSince: 0 }, p =>
      db
        .updateTable('held_recipient')
        .set({ state: p.state, since: p.since })
        .where('id', '=', p.id)
        .where('n', '=', p.n)
        .where(
          sql<boolean>`not (state = 'releasing' and ${p.state} = 'held' and since >= ${p.releasingSince})`,
        ),
    ),
    copy: compileQuery({ id: '' }, ({ id }) => db.selectFrom('held_copy').selectAll().where('id', '=', id)),
    recipients: compileQuery({ id: '' }, ({ id }) =>
      db
        .selectFrom('held_recipient')
        .select(['address', 'rule', 'verdict', 'state', 'since'])
        .where('id', '=', id)
        .orderBy('n'),
    ),
    listAll: list(),
    listState: list('state'),
    listRule: list('rule'),
    listAddress: list('domain', 'local'),
    listDomain: list('domain'),
    listSender: list('sender_domain', 'sender_local'),
    listSenderDomain: list('sender_domain'),
    counts: compileQuery({}, () =>
      db
        .selectFrom('held_recipient')
        .select(['state', ({ fn }) => fn.countAll<number>().as('count')])
        .groupBy('state'),
    ),
    ids: compileQuery({ after: '', limit: 0 }, ({ after, limit }) =>
      db.selectFrom('held_copy').select('id').where('id', '>', after).orderBy('id').limit(limit),
    ),
    older: compileQuery({ has_content: 0, before: 0, afterTime: 0, afterId: '', limit: 0 }, p =>
      db
        .selectFrom('held_copy')
        .select(['time', 'id'])
        .where('has_content', '=', p.has_content)
        .where('time', '<', p.before)
        .where(sql<boolean>`(time, id) > (${p.afterTime}, ${p.afterId})`)
        .orderBy('time')
        .orderBy('id')
        .limit(p.limit),
    ),
    moveAll: compileQuery(MOVE, p =>
      db
        .updateTable('held_recipient')
        .set({ state: p.to, since: p.now })
        .where('id', '=', p.id)
        .where('state', '=', p.from)
        .where('since', '<', p.sinceBefore)
        .returning('n'),
    ),
    moveOne: compileQuery({ ...MOVE, n: 0 }, p =>
      db
        .updateTable('held_recipient')
        .set({ state: p.to, since: p.now })
        .where('id', '=', p.id)
        .where('n', '=', p.n)
        .where('state', '=', p.from)
        .where('since', '<', p.sinceBefore)
        .returning('n'),
    ),
    removeRecipients: compileQuery({ id: '' }, ({ id }) =>
      db.deleteFrom('held_recipient').where('id', '=', id),
    ),
    removeCopy: compileQuery({ id: '' }, ({ id }) => db.deleteFrom('held_copy').where('id', '=', id)),
  };
}

/** Example values for compileQuery whose types are wider than what a literal would have. */
function textOrNull(): string | null {
  return null;
}

function state(): HeldState {
  return 'held';
}
