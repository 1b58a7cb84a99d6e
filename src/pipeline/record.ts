import type { Effective } from '../control/effective.ts';
import type { Address } from '../model/address.ts';
import type { RecordedFinding } from '../model/finding.ts';
import type { EventName, RecipientOutcome, RecordedRecipient, VerdictRecord } from '../model/record.ts';
import type { Reply } from '../model/reply.ts';
import type { HeloFacts } from '../model/session.ts';
import type { Verdict } from '../model/verdict.ts';

/** What one event adds to what is known of its session. */
export interface EventFacts {
  readonly id: string;
  readonly event: EventName;
  readonly startedAt: number;
  readonly reply: Reply | null;
  readonly rule: string | null;
  readonly findings: readonly RecordedFinding[];
  readonly score?: number;
  readonly sender?: string | null;
  readonly recipients?: readonly RecordedRecipient[];
  readonly messageId?: string | null;
  readonly subject?: string | null;
  readonly size?: number | null;
  readonly crc32?: string | null;
  readonly settings: Effective;
}

/** Puts a verdict record together. */
export function verdictRecord(
  session: HeloFacts,
  edge: string,
  configuration: string,
  event: EventFacts,
  now: number,
): VerdictRecord {
  return {
    id: event.id,
    sessionId: session.sessionId,
    event: event.event,
    time: now,
    durationMs: Math.max(0, now - event.startedAt),
    edge,
    client: session.client,
    relayClient: session.relayClient,
    helo: session.helo,
    tls: session.tls,
    ...(event.sender === undefined ? {} : { sender: event.sender }),
    recipients: event.recipients ?? [],
    messageId: event.messageId ?? null,
    ...(event.subject === undefined ? {} : { subject: event.subject }),
    size: event.size ?? null,
    crc32: event.crc32 ?? null,
    findings: event.findings,
    score: event.score ?? 0,
    rule: event.rule,
    reply: event.reply === null ? '' : replyText(event.reply),
    settings: event.settings.changed,
    configuration,
  };
}

/** A reply on one line, without event id. */
export function replyText(reply: Reply): string {
  const status = reply.enhanced === '' ? '' : `${reply.enhanced} `;
  return `${reply.code} ${status}${reply.lines.join(' / ')}`;
}

/** A recipient as the record shows it. */
export function recordedRecipient(
  { recipient, effective }: { readonly recipient: Address; readonly effective: Effective },
  verdict: Verdict,
  outcome: RecipientOutcome,
  answer: { readonly hop: string; readonly reply: Reply } | null,
): RecordedRecipient {
  return {
    address: recipient.text,
    verdict: verdict.kind,
    outcome,
    rule: verdict.kind === 'continue' ? null : verdict.rule,
    hop: answer?.hop ?? null,
    hopReply: answer === null ? null : replyText(answer.reply),
    ...(effective.ownOfRecipient.length > 0 ? { settings: effective.ownOfRecipient } : {}),
  };
}
