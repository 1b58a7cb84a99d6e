import type { Address } from '../model/address.ts';
import { address } from '../model/address.ts';
import type { HopAnswer, Router } from '../model/delivery.ts';
import type { EventName, RecordedRecipient, VerdictRecord } from '../model/record.ts';
import { BROKEN_HOP, Deliveries } from '../pipeline/deliveries.ts';
import { replyText } from '../pipeline/record.ts';
import type { HeldHead } from './format.ts';
import type { Claim, Quarantine } from './quarantine.ts';

export interface ReleaseOptions {
  /** The recipients' numbers in the envelope; null: all whose copies are held. */
  readonly numbers: readonly number[] | null;
  /** Send one copy to this address in place of the recipients. */
  readonly to: Address | null;
  /** Also what was being released when its process died, though it may arrive twice. */
  readonly again: boolean;
}

/** What the next hop said to one recipient's copy. */
export interface ReleasedCopy {
  readonly n: number;
  /** The recipient; where the copy went is `to`. */
  readonly address: string;
  readonly to: string;
  readonly answer: HopAnswer;
}

/** A release that has come to its end. */
export interface Release {
  readonly copies: readonly ReleasedCopy[];
  /** The event for the journal; null when nothing was there to be released. */
  readonly record: VerdictRecord | null;
}

/**
 * Sends the stored bytes (our header block and the message) with the original envelope to the next hops that `routerOf`
 * has for it; no check looks at it again. What a hop takes is released; everything else is held as before, with the hop's words in
 * the record. Rejects when the copy cannot be had, or its bytes are not what was received; then nothing was sent.
 *
 * As with any SMTP client, a hop that took the message and whose answer got lost gets it again with the next release.
 */
export async function release(
  quarantine: Quarantine,
  routerOf: (head: HeldHead) => Router,
  id: string,
  { numbers, to, again }: ReleaseOptions,
  now: () => number,
): Promise<Release> {
  const startedAt = now();
  const claim = await quarantine.claim(id, numbers, again);
  try {
    if (claim.numbers.length === 0) return { copies: [], record: null };
    const copies = await sent(claim, routerOf(claim.head), to);
    await claim.finish(answered(copies, 'accepted'), 'released');
    await claim.finish(answered(copies, 'failed', 'refused'), 'held');
    const all = copies.every(copy => copy.answer.kind === 'accepted');
    const event = all ? 'quarantine-released' : 'quarantine-not-released';
    return {
      copies,
      record: recordOf(claim.head, event, recipientsOf(claim.head, copies), startedAt, now()),
    };
  } finally {
    await claim.close();
  }
}

/** The event of a deletion, for the journal. */
export function deletionRecord(head: HeldHead, deleted: readonly number[], now: number): VerdictRecord {
  const recipients = deleted.map(
    (n): RecordedRecipient => ({
      address: head.recipients[n]?.address ?? '',
      verdict: head.recipients[n]?.verdict ?? '',
      outcome: 'discarded',
      rule: head.recipients[n]?.rule ?? null,
      hop: null,
      hopReply: null,
    }),
  );
  return recordOf(head, 'quarantine-deleted', recipients, now, now);
}

/** Sends to all whose copies were claimed, each hop asked about its recipients first. */
async function sent(claim: Claim, router: Router, to: Address | null): Promise<readonly ReleasedCopy[]> {
  const { head, message } = claim;
  const recipientOf = (n: number) => to ?? address(head.recipients[n]?.forwarded ?? '');
  // One copy for all, when it goes to somebody else.
  const asked = to === null ? claim.numbers : claim.numbers.slice(0, 1);
  const deliveries = new Deliveries(
    recipient => router.route(recipient),
    {
      sender: head.sender === null ? null : address(head.sender),
      parameters: head.parameters,
      eventId: head.id,
    },
    () => undefined,
  );
  const answers = new Map<number, HopAnswer>();
  try {
    for (const n of asked) {
      const { answer } = await deliveries.ask(recipientOf(n), n);
      if (answer.kind !== 'accepted') answers.set(n, answer);
    }
    const said = await deliveries.send(recipientOf, () => message.added, message.message);
    for (const [n, answer] of said) answers.set(n, answer);
  } finally {
    deliveries.abort();
  }
  return claim.numbers.map(n => ({
    n,
    address: head.recipients[n]?.address ?? '',
    to: recipientOf(n).text,
    answer: answers.get(to === null ? n : (asked[0] ?? n)) ?? BROKEN_HOP,
  }));
}

function answered(copies: readonly ReleasedCopy[], ...kinds: readonly HopAnswer['kind'][]): number[] {
  return copies.filter(copy => kinds.includes(copy.answer.kind)).map(copy => copy.n);
}

function recipientsOf(head: HeldHead, copies: readonly ReleasedCopy[]): readonly RecordedRecipient[] {
  return copies.map(({ n, to, answer }) => ({
    address: to,
    verdict: head.recipients[n]?.verdict ?? '',
    outcome: answer.kind === 'accepted' ? 'delivered' : 'held',
    rule: head.recipients[n]?.rule ?? null,
    hop: answer.hop,
    hopReply: replyText(answer.reply),
  }));
}

/** The record of the held message with what is different now. Its id begins with the session's, as all of its events. */
function recordOf(
  { id, record }: HeldHead,
  event: EventName,
  recipients: readonly RecordedRecipient[],
  startedAt: number,
  now: number,
): VerdictRecord {
  return {
    ...record,
    id: `${id}.${now.toString(36)}`,
    event,
    time: now,
    durationMs: now - startedAt,
    edge: 'quarantine',
    recipients,
    findings: [],
    rule: null,
    settings: [],
    reply: '',
  };
}
