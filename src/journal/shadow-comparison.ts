import type { EventName, VerdictRecord } from '../model/record.ts';

/** What the old filter's exit status told qmail-smtpd (qmail-queue.md 3 and 4). */
export type OldAnswer = 'passed' | 'refused' | 'own-text' | 'temporary' | 'crashed';

/** What Postern would have done with the message. */
export type OurAnswer = 'passed' | 'held' | 'discarded' | 'refused' | 'deferred';

/** Disagreements of one kind and one cause. */
export interface ShadowGroup {
  /** The rule of ours that decided; where we pass, what the old filter said (`exit 31`). */
  readonly cause: string;
  readonly ours: OurAnswer;
  readonly old: OldAnswer;
  /** One line for people. */
  readonly meaning: string;
  readonly count: number;
  /** Event ids for `postern explain`, the newest first; three at the most. */
  readonly ids: readonly string[];
}

/** What came of all messages that were looked at in shadow mode. */
export interface ShadowReport {
  readonly messages: number;
  /** When the first and the last of them came, epoch milliseconds; null when there are none. */
  readonly from: number | null;
  readonly to: number | null;
  readonly agreed: number;
  readonly disagreed: number;
  /** Messages of which one of the two answers is not known. */
  readonly notCompared: number;
  /** The largest first. */
  readonly groups: readonly ShadowGroup[];
}

/** Event ids of a group that are kept. */
const MOST_IDS = 3;

const OURS: Readonly<Record<OurAnswer, string>> = {
  passed: 'Postern passes it on',
  held: 'Postern holds it, for some recipients or all',
  discarded: 'Postern throws it away',
  refused: 'Postern refuses it for good',
  deferred: 'Postern tells the sender to come again',
};

const OLD: Readonly<Record<OldAnswer, string>> = {
  passed: 'the old filter passed it, or dropped it by its own design',
  refused: 'the old filter refused it for good',
  'own-text': 'the old filter refused it with its own text',
  temporary: 'the old filter told the sender to come again',
  crashed: 'the old filter crashed',
};

/**
 * What of the old filter agrees with what of ours. Whether its own text was a refusal for good is known to nobody but
 * the caller that read it, so that it agrees with both; a crash is told to the sender as a temporary failure.
 */
const AGREES: Readonly<Record<OurAnswer, readonly OldAnswer[]>> = {
  passed: ['passed'],
  held: [],
  discarded: [],
  refused: ['refused', 'own-text'],
  deferred: ['temporary', 'crashed', 'own-text'],
};

/** Events that end with a 250. */
const TAKEN: ReadonlyMap<EventName, OurAnswer> = new Map([
  ['message-accepted', 'passed'],
  ['message-held', 'held'],
  ['message-discarded', 'discarded'],
]);

/**
 * The class of what postern-queue told of the old filter's end, `exit N` or `signal N`: 0 passed, 11 to 40 refused for
 * good, 82 and 88 refused with a text of its own (permanent or temporary: the text says so, and we do not see it), all
 * else temporary (qmail-queue.md 3 and 4). Null: it was not told.
 */
export function oldAnswer(told: string): OldAnswer | null {
  const [, how, digits] = /^(exit|signal) ([0-9]{1,3})$/.exec(told) ?? [];
  const number = Number(digits);
  if (how === undefined || number > 255) return null;
  if (how === 'signal') return 'crashed';
  if (number === 0) return 'passed';
  if (number === 82 || number === 88) return 'own-text';
  return number >= 11 && number <= 40 ? 'refused' : 'temporary';
}

/** What the record says that we would have done; null when it is about no message's end. */
export function ourAnswer({ event, reply }: Pick<VerdictRecord, 'event' | 'reply'>): OurAnswer | null {
  const refused = event === 'message-refused' || event === 'recipient-refused';
  if (refused) return reply.startsWith('5') ? 'refused' : 'deferred';
  return TAKEN.get(event) ?? null;
}

/**
 * Compares the verdicts of shadow mode with what the old filter said. Reads `records`, the oldest first, one by one and
 * keeps none of them. Rejects when reading does.
 */
export async function compareShadow(records: AsyncIterable<VerdictRecord>): Promise<ShadowReport> {
  const groups = new Map<string, ShadowGroup>();
  let [messages, agreed, notCompared] = [0, 0, 0];
  let from: number | null = null;
  let to: number | null = null;
  for await (const record of records) {
    messages++;
    from ??= record.time;
    to = record.time;
    const old = oldAnswer(record.shadow ?? '');
    const ours = ourAnswer(record);
    if (old === null || ours === null) notCompared++;
    else if (AGREES[ours].includes(old)) agreed++;
    else addTo(groups, record, ours, old);
  }
  const sorted = [...groups.values()].toSorted(byCount);
  const disagreed = messages - agreed - notCompared;
  return { messages, from, to, agreed, disagreed, notCompared, groups: sorted };
}

function addTo(
  groups: Map<string, ShadowGroup>,
  { id, rule, shadow = '' }: VerdictRecord,
  ours: OurAnswer,
  old: OldAnswer,
): void {
  const cause = ours === 'passed' ? shadow : (rule ?? 'no rule');
  const key = `${ours} ${old} ${cause}`;
  const { count = 0, ids = [] } = groups.get(key) ?? {};
  groups.set(key, {
    cause,
    ours,
    old,
    meaning: `${OURS[ours]}; ${OLD[old]}`,
    count: count + 1,
    ids: [id, ...ids].slice(0, MOST_IDS),
  });
}

function byCount(a: ShadowGroup, b: ShadowGroup): number {
  if (a.count !== b.count) return b.count - a.count;
  return a.cause < b.cause ? -1 : 1;
}
