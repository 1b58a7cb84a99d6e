import type { Configuration } from '../control/configuration.ts';
import type { Address } from '../model/address.ts';
import type { Router } from '../model/delivery.ts';
import type { Message } from '../model/message.ts';
import type { Journal, VerdictRecord } from '../model/record.ts';
import type { MailParameters } from '../model/session.ts';
import type { AnyPlugin, Services, StageTable } from './run-stage.ts';

/** A recipient whose copy is held. */
export interface HeldRecipient {
  readonly address: Address;
  /** What the next hop is asked for: with the suffix of RELAYCLIENT. */
  readonly forwarded: Address;
  /** The rule that decided. */
  readonly rule: string;
  /** What the policy said: the refused are held when others got the message, because the client has one answer. */
  readonly verdict: 'quarantine' | 'reject' | 'defer' | 'hop-refused';
}

/** A copy of a message that goes to the quarantine. */
export interface Held {
  readonly id: string;
  readonly sender: Address | null;
  readonly parameters: MailParameters;
  readonly recipients: readonly HeldRecipient[];
  /** What is known of the message at this moment; the reply and the other hops' answers are not. */
  readonly record: VerdictRecord;
}

/** What the pipeline needs from outside; the entry points wire it. */
export interface GatewayParts {
  /** Name of the edge, for the record: `smtp` or `qmail`. */
  readonly edge: string;
  /**
   * What passes goes back to whoever brought it (QMAILQUEUE): one copy for everybody, its bytes untouched, and one answer
   * at the end, that for the recipients included.
   */
  readonly handsBack?: boolean;
  readonly plugins: readonly AnyPlugin[];
  readonly services: Services;
  configuration(): Configuration;
  /** The next hops of a configuration. */
  router(configuration: Configuration): Router;
  readonly journal: Journal;
  /** Stores durably, or rejects. `added` is our header block. */
  hold(held: Held, added: Buffer, message: Message): Promise<void>;
  /** Puts a plain copy of a message into `quarantinedir`, and gives its path; or rejects. Absent: nobody does. */
  keepCopy?(message: Message): Promise<string>;
  /** Folder for unlinked files, as of this moment. */
  spoolFolder(): string;
  /** Why no more mail can be stored at present (disk low), or null. Asked before DATA. */
  storageTrouble(): string | null;
  /** Ids of sessions and events: short, unique, in order of time. */
  newId(): string;
  /** True for the addresses of this host. */
  readonly isOwnAddress: (ip: string) => boolean;
}

/** The gateway as a conversation sees it. */
export interface House {
  readonly parts: GatewayParts;
  /** Plugins whose errors defer the mail unless `actions` says otherwise. */
  readonly deferring: ReadonlySet<string>;
  /** The plugins that `checks` asks for. Relay control is not a matter of choice. */
  stages(checks: readonly string[]): StageTable;
}
