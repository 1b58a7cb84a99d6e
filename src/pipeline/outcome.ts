import type { HopAnswer } from '../model/delivery.ts';
import type { EventName, RecipientOutcome } from '../model/record.ts';
import type { Reply } from '../model/reply.ts';
import type { Verdict } from '../model/verdict.ts';
import { isRefusal } from '../model/verdict.ts';
import { BROKEN_HOP } from './deliveries.ts';
import { refusalOfAll } from './groups.ts';
import { REPLIES } from './replies.ts';
import { settle } from './settle.ts';

/** Why a copy is held that a next hop did not want after others had got theirs. */
export const HOP_REFUSED_RULE = 'NEXT_HOP_REFUSED';

/** What came of a message: the event, what to say, and what became of each recipient's copy. */
export interface Outcome {
  readonly event: EventName;
  readonly reply: Reply;
  /** A reply for each recipient, when the client asked for them. */
  readonly each: readonly Reply[] | null;
  readonly rule: string | null;
  readonly verdicts: readonly Verdict[];
  readonly outcomes: readonly RecipientOutcome[];
  readonly answers: readonly (HopAnswer | null)[] | null;
}

/** Nobody gets the message, and the client hears why: `reply`, or each recipient's own reason when it asked for those. */
export function refusedForAll(
  reply: Reply,
  rule: string | null,
  verdicts: readonly Verdict[],
  answers: readonly (HopAnswer | null)[] | null = null,
): Outcome {
  const outcomes = verdicts.map((): RecipientOutcome => (reply.code < 500 ? 'deferred' : 'refused'));
  return { event: 'message-refused', reply, each: null, rule, verdicts, outcomes, answers };
}

/** The verdicts refuse the message for everybody; null when they do not. */
export function refusedByVerdicts(verdicts: readonly Verdict[], each: boolean): Outcome | null {
  const refusal = refusalOfAll(verdicts);
  if (refusal === null) return null;
  const outcome = refusedForAll(refusal.reply, refusal.rule, verdicts);
  if (!each) return outcome;
  const replies = verdicts.map(v => (isRefusal(v) ? v.reply : refusal.reply));
  return { ...outcome, each: replies, outcomes: replies.map(outcomeOfReply) };
}

/** Who is held by the policy: the quarantined, and the refused where the client has one answer for all. */
export function heldByPolicy(verdicts: readonly Verdict[], each: boolean): number[] {
  return verdicts.flatMap((v, i) => (v.kind === 'quarantine' || (isRefusal(v) && !each) ? [i] : []));
}

/**
 * What to say when those who pass have been sent to their next hops and the policy's copies are held. `hold` are the
 * recipients that still have to be held before it may be said: their hops refused what other hops took.
 */
export function outcomeOf(
  verdicts: readonly Verdict[],
  answers: readonly (HopAnswer | null)[],
  each: boolean,
): { readonly outcome: Outcome; readonly hold: readonly number[] } {
  return each ? eachForItself(verdicts, answers) : oneForAll(verdicts, answers);
}

function oneForAll(
  verdicts: readonly Verdict[],
  answers: readonly (HopAnswer | null)[],
): { outcome: Outcome; hold: readonly number[] } {
  const passing = verdicts.flatMap((v, i) => (v.kind === 'continue' ? [i] : []));
  const held = heldByPolicy(verdicts, false);
  // Nobody is promised anything that no hop has promised.
  const settlement = settle(passing.map(i => answers[i] ?? BROKEN_HOP));
  if (settlement.kind === 'failed' || (settlement.kind === 'refused' && passing.length === verdicts.length)) {
    return { outcome: refusedForAll(settlement.reply, null, verdicts, answers), hold: [] };
  }
  // Some hops said yes, or a copy is held: those that said no cannot be told to the client any more.
  const refused = settlement.kind === 'refused' ? passing : settlement.hold.map(n => passing[n] as number);
  const outcomes = verdicts.map((v, i): RecipientOutcome => {
    if (v.kind === 'discard') return 'discarded';
    return held.includes(i) || refused.includes(i) ? 'held' : 'delivered';
  });
  const rule = ruleOf(verdicts[held[0] ?? -1]) ?? (refused.length > 0 ? HOP_REFUSED_RULE : null);
  return { outcome: said(REPLIES.ok, null, rule, verdicts, outcomes, answers), hold: refused };
}

function eachForItself(
  verdicts: readonly Verdict[],
  answers: readonly (HopAnswer | null)[],
): { outcome: Outcome; hold: readonly number[] } {
  const each = verdicts.map((v, i): Reply => {
    if (isRefusal(v)) return v.reply;
    if (v.kind !== 'continue') return REPLIES.ok;
    const answer = answers[i] ?? BROKEN_HOP;
    return answer.kind === 'accepted' ? REPLIES.ok : answer.reply;
  });
  const outcomes = verdicts.map((v, i): RecipientOutcome => {
    if (v.kind === 'quarantine') return 'held';
    if (v.kind === 'discard') return 'discarded';
    return outcomeOfReply(each[i] ?? REPLIES.broken);
  });
  const no = each.filter(reply => reply.code >= 400);
  const reply =
    no.length < each.length ? REPLIES.ok : (no.find(r => r.code < 500) ?? no[0] ?? REPLIES.broken);
  const first = verdicts.find(v => v.kind !== 'continue');
  return { outcome: said(reply, each, ruleOf(first), verdicts, outcomes, answers), hold: [] };
}

function said(
  reply: Reply,
  each: readonly Reply[] | null,
  rule: string | null,
  verdicts: readonly Verdict[],
  outcomes: readonly RecipientOutcome[],
  answers: readonly (HopAnswer | null)[],
): Outcome {
  const event = eventOf(reply, outcomes);
  const decided = event === 'message-discarded' ? ruleOf(verdicts[0]) : rule;
  return { event, reply, each, rule: decided, verdicts, outcomes, answers };
}

function eventOf(reply: Reply, outcomes: readonly RecipientOutcome[]): EventName {
  if (reply.code >= 400) return 'message-refused';
  if (outcomes.includes('held')) return 'message-held';
  return outcomes.includes('delivered') ? 'message-accepted' : 'message-discarded';
}

function outcomeOfReply({ code }: Reply): RecipientOutcome {
  if (code < 400) return 'delivered';
  return code < 500 ? 'deferred' : 'refused';
}

/** The rule that decided, when one did. */
export function ruleOf(verdict: Verdict | undefined): string | null {
  return verdict === undefined || verdict.kind === 'continue' ? null : verdict.rule;
}
