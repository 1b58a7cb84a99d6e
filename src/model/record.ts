import type { RecordedFinding } from './finding.ts';
import type { Caller, Client, Helo, Tls } from './session.ts';
import type { Origin } from './origin.ts';

/** What an event was; one closed list, documented in docs/events.md. */
export const EVENTS = {
  'connection-refused':
    'a client was turned away before its first command (limit, deny line, early talker, PROXY)',
  'recipient-refused': 'one recipient was refused or deferred at RCPT',
  'sender-refused': 'a refusal was spoken at HELO or MAIL because `refuseat` says so',
  'message-refused': 'the message was refused or deferred at DATA or after the final dot',
  'message-accepted': 'every recipient of the message has a next hop that said 250',
  'message-held': 'some or all recipients got a durable quarantine copy instead',
  'message-discarded': 'accepted and thrown away because a rule says discard',
  'message-abandoned':
    'whoever queues a message through us took it back before its end (aborted, too big, client gone); nothing came of it',
  'quarantine-released': 'a held copy was sent to its next hop at an administrator’s word',
  'quarantine-not-released': 'a held copy was to be released, and some next hop did not take it',
  'quarantine-deleted': 'a held copy was deleted at an administrator’s word',
} as const;

export type EventName = keyof typeof EVENTS;

/**
 * What became of a recipient's copy. `accepted` at RCPT, and the message has not come; the others say it for good. A
 * copy that the policy refuses is `held` when other recipients got theirs: the client has one answer.
 */
export type RecipientOutcome = 'accepted' | 'delivered' | 'held' | 'discarded' | 'refused' | 'deferred';

/** One recipient in a record. */
export interface RecordedRecipient {
  readonly address: string;
  /** What the policy said: continue, defer, reject, quarantine or discard. */
  readonly verdict: string;
  readonly outcome: RecipientOutcome;
  /** The rule that decided, or null when nothing did. */
  readonly rule: string | null;
  /** The hop and what it said, when it was asked. */
  readonly hop: string | null;
  readonly hopReply: string | null;
  /** Settings of the recipient's own, from simcontrol. */
  readonly settings?: readonly RecordedSetting[];
}

/** A setting in force that is not the shipped default: its value as text, and where it stands. */
export interface RecordedSetting {
  readonly name: string;
  readonly value: string;
  readonly origin: Origin;
}

/**
 * A verdict record: all that is needed to explain one event, and to take the decision again. Strings from outside are
 * byte strings; whoever prints them escapes them.
 */
export interface VerdictRecord {
  readonly id: string;
  readonly sessionId: string;
  readonly event: EventName;
  /** Milliseconds since the epoch. */
  readonly time: number;
  readonly durationMs: number;
  readonly edge: string;
  readonly client: Client | null;
  /** Who queued the message through us; absent for what came over SMTP. */
  readonly caller?: Caller;
  readonly relayClient: boolean;
  readonly helo: Helo | null;
  readonly tls: Tls | null;
  /** null: the null sender; undefined: no MAIL yet. */
  readonly sender?: string | null;
  readonly recipients: readonly RecordedRecipient[];
  readonly messageId: string | null;
  /** The beginning of the Subject field as it stands, unfolded; null: there is none; undefined: no message yet. */
  readonly subject?: string | null;
  readonly size: number | null;
  /** CRC-32 of the message's bytes, eight hex digits. */
  readonly crc32: string | null;
  readonly findings: readonly RecordedFinding[];
  readonly score: number;
  /** The rule that decided the event, or null. */
  readonly rule: string | null;
  /** The reply as the client read it. */
  readonly reply: string;
  /** Settings in force for all recipients that are not the shipped default. */
  readonly settings: readonly RecordedSetting[];
  /** What the old filter said in shadow mode (`exit 0`, `signal 9`), when all this changed nothing. */
  readonly shadow?: string;
  /** Which generation of the configuration decided. */
  readonly configuration: string;
}

/** Takes records; must return at once and never throw. */
export interface Journal {
  write(record: VerdictRecord): void;
}
