import type { ClientSettings, Configuration } from '../control/configuration.ts';
import type { Effective } from '../control/effective.ts';
import type { Address } from '../model/address.ts';
import type { RecordedFinding } from '../model/finding.ts';
import type { Message } from '../model/message.ts';
import type { StageFacts } from '../model/plugin.ts';
import { TIERS } from '../model/plugin.ts';
import type { EventName, VerdictRecord } from '../model/record.ts';
import type { Reply } from '../model/reply.ts';
import type { Caller, Client, Helo, HeloFacts, MailFacts, MailParameters, Tls } from '../model/session.ts';
import type { SpfQuestion } from '../model/spf.ts';
import type { Stage } from '../model/stage.ts';
import type { Verdict } from '../model/verdict.ts';
import { isRefusal } from '../model/verdict.ts';
import { decide } from '../policy/decide.ts';
import type { Answer } from './answer.ts';
import { once } from './once.ts';
import type { House } from './parts.ts';
import { policyRules } from './policy-rules.ts';
import type { EventFacts } from './record.ts';
import { verdictRecord } from './record.ts';
import { REPLIES } from './replies.ts';
import type { StageTable } from './run-stage.ts';
import { skippedTier } from './run-stage.ts';
import { StageFindings } from './stage-findings.ts';
import type { TransactionSession } from './transaction.ts';
import { Transaction } from './transaction.ts';

/** Why work is aborted. With a reason of ours: the default one costs a stack trace. */
const GONE = 'the client is gone';

/**
 * One session, whatever protocol it speaks. The edge calls `connect`, then `helo`, `mail`, `rcpt`, `data` and
 * `message` in an order that its protocol allows; each gives the answer. Checks that have to ask around (DNS) begin
 * when their facts are known and are waited for when a verdict needs them, so that nobody waits twice.
 */
export class Conversation implements TransactionSession {
  readonly id: string;
  readonly gateway: House;
  readonly configuration: Configuration;
  readonly settings: Effective;
  readonly stages: StageTable;
  readonly client: Client | null;
  readonly #clientSettings: ClientSettings;
  readonly #caller: Caller | null;
  #abort: AbortController | null = null;
  #facts: HeloFacts;
  /** Findings at connect, and at the latest HELO. */
  #connect = new StageFindings();
  #helo = new StageFindings();
  #transaction: Transaction | null = null;
  #events = 0;
  #gone = false;

  /** `queued`: who queues a message through us, with the settings of its environment in place of those of tcp.smtp. */
  constructor(
    gateway: House,
    configuration: Configuration,
    client: Client | null,
    queued: {
      readonly caller: Caller | null;
      readonly authenticated: boolean;
      readonly effective: Effective;
    } | null,
  ) {
    this.gateway = gateway;
    this.configuration = configuration;
    this.client = client;
    this.id = gateway.parts.newId();
    const identity = { ip: client?.ip ?? '', host: client?.reverseName ?? null, info: client?.ident ?? null };
    this.#caller = queued?.caller ?? null;
    this.#clientSettings =
      queued === null
        ? configuration.forClient(identity)
        : { action: 'allow', rule: null, effective: queued.effective };
    this.settings = this.#clientSettings.effective;
    this.stages = gateway.stages(this.settings.values.checks);
    this.#facts = {
      sessionId: this.id,
      client,
      relayClient: this.settings.values.relayclient !== null || queued?.authenticated === true,
      startedAt: this.now(),
      earlyBytes: 0,
      helo: null,
      tls: null,
    };
  }

  get facts(): HeloFacts {
    return this.#facts;
  }

  get transaction(): Transaction | null {
    return this.#transaction;
  }

  /** Aborted when the client is gone. Made for the first who asks: most sessions have nothing to abort. */
  get signal(): AbortSignal {
    if (this.#abort === null) {
      this.#abort = new AbortController();
      if (this.#gone) this.#abort.abort(GONE);
    }
    return this.#abort.signal;
  }

  now(): number {
    return this.gateway.parts.services.now();
  }

  /** True when tcp.smtp says `deny` for this client. */
  get denied(): boolean {
    return this.#clientSettings.action === 'deny';
  }

  /** Begins the checks of the connection. A reply only when refusals are spoken at once (`refuseat`). */
  connect(earlyBytes: number): Answer | null | Promise<Answer | null> {
    this.#facts = { ...this.#facts, earlyBytes };
    this.#connect = this.#begin('connect', this.#facts);
    return this.#speakNow(this.#connect);
  }

  /** The client has said its name; also after STARTTLS. */
  helo(helo: Helo, tls: Tls | null): Answer | null | Promise<Answer | null> {
    this.reset();
    this.#facts = { ...this.#facts, helo, tls };
    this.#helo = this.#begin('helo', this.#facts);
    return this.#speakNow(this.#helo);
  }

  /** TLS has begun: what was said before it counts no more (RFC 3207 4.2). */
  startedTls(tls: Tls): void {
    this.reset();
    this.#facts = { ...this.#facts, helo: null, tls };
    this.#helo = new StageFindings();
  }

  /** The facts of a stage of the session are not known: its checks say so. */
  skip(stage: 'connect' | 'helo', why: string): void {
    const findings = stage === 'connect' ? this.#connect : this.#helo;
    for (const tier of TIERS) findings.add(skippedTier(this.stages, stage, tier, why));
  }

  /** A transaction begins. `recipients`: all that will come, where that is known. */
  mail(
    sender: Address | null,
    parameters: MailParameters,
    recipients: readonly Address[] | null = null,
  ): Answer | Promise<Answer> {
    this.reset();
    const facts: MailFacts = {
      ...this.#facts,
      sender,
      parameters,
      spf: once(() => this.gateway.parts.services.spf(this.#spfQuestion(sender))),
    };
    const transaction = new Transaction(this, facts, this.#eventId(), recipients);
    transaction.findings = this.#begin('mail', facts);
    this.#transaction = transaction;
    const accepted = { reply: REPLIES.senderOk, eventId: transaction.id };
    const spoken = this.#speakNow(transaction.findings);
    if (spoken instanceof Promise) return spoken.then(refusal => refusal ?? accepted);
    return spoken ?? accepted;
  }

  /** A recipient. `mail` must have been answered with 250 before. */
  rcpt(said: Address): Promise<Answer> {
    return (this.#transaction as Transaction).rcpt(said);
  }

  /** The client wants to send the message: null when it may. */
  data(): Promise<Answer | null> {
    return (this.#transaction as Transaction).data();
  }

  /** The message is here. The transaction is over afterwards, and the message released. Never rejects. */
  async message(message: Message): Promise<Answer> {
    const transaction = this.#transaction as Transaction;
    this.#transaction = null;
    try {
      return await transaction.message(message);
    } finally {
      transaction.abort();
      message.release();
    }
  }

  /** The edge refuses something by itself (a limit, a protocol fault); recorded like every other refusal. */
  refuse(event: EventName, rule: string, detail: string, reply: Reply): Answer {
    const transaction = this.#transaction;
    const eventId = transaction?.id ?? (event === 'connection-refused' ? this.id : this.#eventId());
    const finding: RecordedFinding = {
      rule,
      state: 'hit',
      detail,
      stage: edgeStage(event),
      plugin: 'edge',
      ms: 0,
    };
    this.record({
      id: eventId,
      event,
      startedAt: transaction?.startedAt ?? this.#facts.startedAt,
      reply,
      rule,
      findings: [...this.sessionFindings(), ...(transaction?.findings.done ?? []), finding],
      settings: this.settings,
      ...(transaction
        ? { sender: transaction.facts.sender?.text ?? null, recipients: transaction.recorded() }
        : {}),
    });
    if (event === 'message-refused') this.reset();
    return { reply, eventId };
  }

  /** Whoever brought a message took it back before all of it was here. Nothing comes of it but a record. */
  abandoned(detail: string): void {
    const finding = {
      rule: 'ABANDONED',
      state: 'hit',
      detail,
      stage: 'message',
      plugin: 'edge',
      ms: 0,
    } as const;
    this.record({
      id: this.#eventId(),
      event: 'message-abandoned',
      startedAt: this.#facts.startedAt,
      reply: null,
      rule: 'ABANDONED',
      findings: [finding],
      settings: this.settings,
    });
  }

  /** tcp.smtp denies this client: recorded; whether anything is said is the edge's business. */
  deny(): Answer {
    const rule = this.#clientSettings.rule;
    return this.refuse('connection-refused', 'TCPRULES_DENY', rule?.place ?? '', REPLIES.denied);
  }

  /** Forgets the transaction; the next hops hear nothing more of it. */
  reset(): void {
    this.#transaction?.abort();
    this.#transaction = null;
  }

  /** The client is gone. */
  close(): void {
    this.reset();
    this.#gone = true;
    this.#abort?.abort(GONE);
  }

  /** Findings of the session so far; those that are still being looked for are not among them. */
  sessionFindings(): RecordedFinding[] {
    return [...this.#connect.done, ...this.#helo.done];
  }

  /** Waits until every check of the session has answered; nothing to wait for: null. */
  pendingSession(): Promise<unknown> | null {
    if (this.#connect.pending === null && this.#helo.pending === null) return null;
    return Promise.all([this.#connect.pending, this.#helo.pending]);
  }

  judge(findings: readonly RecordedFinding[], effective: Effective): Verdict {
    return decide(findings, policyRules(effective, this.gateway.deferring));
  }

  draft(event: EventFacts): VerdictRecord {
    const { edge } = this.gateway.parts;
    const record = verdictRecord(this.#facts, edge, this.configuration.generation, event, this.now());
    return this.#caller === null ? record : { ...record, caller: this.#caller };
  }

  record(event: EventFacts): void {
    this.gateway.parts.journal.write(this.draft(event));
  }

  #spfQuestion(sender: Address | null): SpfQuestion {
    const ip = this.client?.ip ?? '';
    const { me, spfrules, spfguess, spfexp, spfheader } = this.settings.values;
    return {
      ip,
      ownAddress: this.gateway.parts.isOwnAddress(ip),
      helo: this.#facts.helo?.name ?? '',
      sender: sender?.text ?? '',
      receiver: me,
      rules: spfrules,
      guess: spfguess,
      explanation: spfexp,
      header: spfheader,
    };
  }

  /** Ids of events begin with the session's, which is how a session's events are found. */
  #eventId(): string {
    return `${this.id}.${++this.#events}`;
  }

  /** Starts every tier of a stage whose verdict is spoken later. */
  #begin<G extends Stage>(stage: G, facts: StageFacts[G]): StageFindings {
    const findings = new StageFindings();
    for (const tier of TIERS) {
      const run = { stage, tier, facts, effective: this.settings, owner: this };
      findings.add(this.stages.run(run));
    }
    return findings;
  }

  #speakNow(findings: StageFindings): Answer | null | Promise<Answer | null> {
    if (this.settings.values.refuseat === 'rcpt' || this.gateway.parts.handsBack === true) return null;
    if (findings.pending === null) return this.#spoken(findings);
    return findings.pending.then(() => this.#spoken(findings));
  }

  #spoken(findings: StageFindings): Answer | null {
    const all = [...this.sessionFindings(), ...(this.#transaction ? findings.done : [])];
    const verdict = this.judge(all, this.settings);
    if (!isRefusal(verdict)) return null;
    const transaction = this.#transaction;
    const eventId = transaction?.id ?? this.#eventId();
    const last = all.at(-1);
    this.record({
      id: eventId,
      event: last?.stage === 'connect' ? 'connection-refused' : 'sender-refused',
      startedAt: this.#facts.startedAt,
      reply: verdict.reply,
      rule: verdict.rule,
      findings: all,
      settings: this.settings,
      ...(transaction ? { sender: transaction.facts.sender?.text ?? null } : {}),
    });
    this.reset();
    return { reply: verdict.reply, eventId };
  }
}

function edgeStage(event: EventName): Stage {
  switch (event) {
    case 'connection-refused':
      return 'connect';
    case 'sender-refused':
      return 'mail';
    case 'recipient-refused':
      return 'rcpt';
    case 'message-abandoned':
    case 'message-accepted':
    case 'message-discarded':
    case 'message-held':
    case 'message-refused':
    case 'quarantine-deleted':
    case 'quarantine-not-released':
    case 'quarantine-released':
      return 'message';
  }
}
