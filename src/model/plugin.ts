import type { Dns } from './dns.ts';
import type { Finding } from './finding.ts';
import type { MessageFacts } from './message.ts';
import type { ConnectFacts, DataFacts, HeloFacts, MailFacts, RcptFacts } from './session.ts';
import type { Stage } from './stage.ts';

/** Which facts a stage function sees: what its stage knows and no more. */
export interface StageFacts {
  readonly connect: ConnectFacts;
  readonly helo: HeloFacts;
  readonly mail: MailFacts;
  readonly rcpt: RcptFacts;
  readonly data: DataFacts;
  readonly message: MessageFacts;
}

/** Cost of a plugin, cheap first. A tier runs together; the policy judges after each. */
export const TIERS = ['local', 'dns', 'scanner'] as const;

export type Tier = (typeof TIERS)[number];

/** What a plugin is handed besides the facts of its stage. `S` is the settings it declared, with their values. */
export interface Tools<S> {
  readonly settings: S;
  /** Where the value of a setting stands, `control/databytes:1`. */
  readonly origin: (name: keyof S) => string;
  readonly dns: Dns;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Aborted when the client is gone or the stage's deadline has passed. */
  readonly signal: AbortSignal;
}

/** One line of documentation for each rule a plugin can report. */
export interface RuleInfo {
  readonly doc: string;
}

export type Findings<R extends string> = readonly Finding<R>[];

/** What a stage function returns; a plain array when there is nothing to wait for, which keeps the hot path free of promises. */
export type StageResult<R extends string> = Findings<R> | Promise<Findings<R>>;

type StageFunctions<R extends string, S> = {
  readonly [G in Stage]?: (facts: StageFacts[G], tools: Tools<S>) => StageResult<R>;
};

/**
 * A check. It returns findings; it does not answer the client, does not log, imports no other plugin.
 * `All` is the table of every setting's value, `K` the names it reads, `R` the rules it reports.
 */
export interface Plugin<All, K extends keyof All = keyof All, R extends string = string>
  extends StageFunctions<R, Pick<All, K>> {
  /** Its name in the log, its file, its test and its doc page. */
  readonly name: string;
  readonly doc: string;
  readonly tier: Tier;
  readonly rules: Readonly<Record<R, RuleInfo>>;
  readonly settings: readonly K[];
  /**
   * What an `error` finding, an exception or a passed deadline of this plugin means for the mail, unless `actions`
   * says otherwise for the rule: go on with the finding in the record, or defer.
   */
  readonly onError: 'continue' | 'defer';
  /** Relay clients and authenticated users are not checked: the findings are `skipped(relay client)`. */
  readonly sparesRelayClients: boolean;
  /** Why it does not look behind qmail-smtpd: the findings are `skipped(…)` then. Without it, it looks. */
  readonly notBehindQmail?: string;
}
