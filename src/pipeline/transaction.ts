import { setTimeout as wait } from 'node:timers/promises';
import type { Configuration } from '../control/configuration.ts';
import type { Effective } from '../control/effective.ts';
import type { HeaderFields } from '../mail/header.ts';
import { fieldValue, firstField, headerFields } from '../mail/header.ts';
import { queuedField, receivedField } from '../mail/received.ts';
import { forgedTrustHeaders, withoutCuts } from '../mail/trust-headers.ts';
import type { Address } from '../model/address.ts';
import { address } from '../model/address.ts';
import type { ArcOutcome } from '../model/authentication.ts';
import type { HopAnswer } from '../model/delivery.ts';
import type { RecordedFinding } from '../model/finding.ts';
import type { Message, MessageFacts } from '../model/message.ts';
import { TIERS } from '../model/plugin.ts';
import type { RecordedRecipient, VerdictRecord } from '../model/record.ts';
import type { DataFacts, MailFacts, RcptFacts } from '../model/session.ts';
import type { Verdict } from '../model/verdict.ts';
import { isRefusal } from '../model/verdict.ts';
import { addedHeaders, foundHeaders, foundSignatures } from './added-headers.ts';
import type { Answer } from './answer.ts';
import { authenticationResults } from './authentication-results.ts';
import { Deliveries, FAULT_RULE, faultFinding } from './deliveries.ts';
import type { HeldRecipient, House } from './parts.ts';
import type { AcceptedRecipient } from './recipients.ts';
import { meantRecipient } from './recipients.ts';
import type { EventFacts } from './record.ts';
import { recordedRecipient } from './record.ts';
import { GroupFindings, groupsOf, joined, refusalOfAll, strictestForAll } from './groups.ts';
import { messageFacts } from './message-facts.ts';
import { onceEach } from './once.ts';
import type { Outcome } from './outcome.ts';
import {
  HOP_REFUSED_RULE,
  heldByPolicy,
  outcomeOf,
  refusedByVerdicts,
  refusedForAll,
  ruleOf,
} from './outcome.ts';
import { REPLIES } from './replies.ts';
import type { StageTable } from './run-stage.ts';
import { skippedTier } from './run-stage.ts';
import { sealed } from './seal.ts';
import { StageFindings } from './stage-findings.ts';

/** Bytes of the Subject that a record has: enough to know the mail by. */
const MAX_SUBJECT = 200;

/** A message, and what is known of it before any check. */
interface MessageAbout {
  readonly message: Message;
  readonly messageId: string | null;
  readonly subject: string | null;
}

/** What a transaction needs of the session that it belongs to. */
export interface TransactionSession {
  readonly gateway: House;
  readonly configuration: Configuration;
  readonly settings: Effective;
  readonly stages: StageTable;
  /** Aborted when the client is gone. */
  readonly signal: AbortSignal;
  now(): number;
  /** Findings at connect and HELO; and what to wait for until they are complete, null for nothing. */
  sessionFindings(): RecordedFinding[];
  pendingSession(): Promise<unknown> | null;
  judge(findings: readonly RecordedFinding[], effective: Effective): Verdict;
  /** The record that `event` would leave. */
  draft(event: EventFacts): VerdictRecord;
  record(event: EventFacts): void;
}

/** Between MAIL and the answer to the final dot. */
export class Transaction {
  readonly id: string;
  readonly facts: MailFacts;
  readonly startedAt: number;
  findings = new StageFindings();
  readonly #groupFindings = new GroupFindings();
  readonly #conversation: TransactionSession;
  readonly #accepted: AcceptedRecipient[] = [];
  readonly #deliveries: Deliveries;
  /** One set of settings for all, known from the beginning. */
  readonly #shared: Effective | null;
  #attempts = 0;
  #seal = '';

  constructor(
    conversation: TransactionSession,
    facts: MailFacts,
    id: string,
    recipients: readonly Address[] | null,
  ) {
    this.#conversation = conversation;
    this.facts = facts;
    this.id = id;
    this.startedAt = conversation.now();
    const { configuration, gateway, settings } = conversation;
    // With `recipients=last`, and everybody known: nobody is judged by settings that will not count in the end.
    this.#shared =
      recipients !== null && settings.values.recipients === 'last'
        ? configuration.forMessage(settings, facts.sender, recipients)
        : null;
    this.#deliveries = new Deliveries(
      recipient => gateway.parts.router(configuration).route(recipient),
      { sender: facts.sender, parameters: facts.parameters, eventId: id },
      found => this.findings.add([found]),
    );
  }

  /** Recipients accepted so far. */
  get accepted(): number {
    return this.#accepted.length;
  }

  recorded(): RecordedRecipient[] {
    return this.#accepted.map(r => recordedRecipient(r, r.verdict, 'accepted', r.answer));
  }

  /** Checks a recipient under its own settings, then asks its next hop. */
  async rcpt(said: Address): Promise<Answer> {
    this.#attempts++;
    const { settings, configuration, gateway } = this.#conversation;
    const startedAt = this.#conversation.now();
    const recipient = meantRecipient(said, settings, gateway.parts.isOwnAddress);
    const effective = this.#shared ?? configuration.forRecipient(settings, recipient);
    const facts: RcptFacts = {
      ...this.facts,
      recipient,
      unqualified: said.domain === '',
      attempts: this.#attempts,
      accepted: this.#accepted.length,
    };
    const pending = this.#conversation.pendingSession();
    if (pending) await pending;
    if (this.findings.pending) await this.findings.pending;
    const before = [...this.#conversation.sessionFindings(), ...this.findings.done];
    const own: RecordedFinding[] = [];
    let verdict: Verdict = this.#conversation.judge(before, effective);
    for (const tier of TIERS) {
      if (isRefusal(verdict)) {
        own.push(...skippedTier(this.#conversation.stages, 'rcpt', tier));
        continue;
      }
      const found = this.#conversation.stages.run({
        stage: 'rcpt',
        tier,
        facts,
        effective,
        owner: this.#conversation,
      });
      const more = found instanceof Promise ? await found : found;
      if (more.length === 0) continue;
      own.push(...more);
      verdict = this.#conversation.judge([...before, ...own], effective);
    }
    const { handsBack } = this;
    if (isRefusal(verdict) && !handsBack) {
      await this.#wait(verdict.delaySeconds);
      return this.#refuseRecipient(recipient, startedAt, [...before, ...own], effective, verdict, null);
    }
    const suffix = settings.values.relayclient;
    // What goes back is what came: qmail-smtpd has put the suffix there itself.
    const changed = suffix ? address(recipient.text + suffix) : recipient;
    const forwarded = handsBack ? said : changed;
    const { answer, fault } = await this.#deliveries.ask(forwarded, this.#accepted.length);
    if (this.#deliveries.over) return { reply: REPLIES.broken, eventId: this.id };
    if (fault !== null) own.push(fault);
    if (answer.kind !== 'accepted') {
      return this.#refuseRecipient(recipient, startedAt, [...before, ...own], effective, verdict, answer);
    }
    this.#accepted.push({ recipient, forwarded, effective, verdict, findings: own, answer });
    if (verdict.kind === 'continue') await this.#wait(verdict.delaySeconds);
    return { reply: REPLIES.recipientOk, eventId: this.id };
  }

  /** The checks that need the whole recipient list. Null: go ahead. */
  async data(): Promise<Answer | null> {
    const trouble = this.#conversation.gateway.parts.storageTrouble();
    if (trouble !== null) {
      this.findings.add([faultFinding('data', trouble)]);
      return this.#finish(refusedForAll(REPLIES.storageLow, FAULT_RULE, this.#verdicts()), null);
    }
    this.#shareSettings();
    await this.#runShared('data', { ...this.facts, recipients: this.#recipients() });
    const refused = refusedByVerdicts(this.#verdicts(), false);
    return refused === null ? null : this.#finish(refused, null);
  }

  /** Checks the message, delivers it, holds what must be held, and answers. Never rejects. */
  async message(received: Message): Promise<Answer> {
    const { headerfields, datatime } = this.#conversation.settings.values;
    const header = headerFields(received.header, headerfields);
    const about = aboutMessage(received, header);
    const outcome = await within(datatime, this.#settled(received, header)).catch((error: unknown) => {
      this.findings.add([faultFinding('message', error)]);
      return refusedForAll(REPLIES.broken, FAULT_RULE, this.#atRcpt());
    });
    if (outcome !== 'late') return this.#finish(outcome, about);
    this.abort();
    return this.#finish(refusedForAll(REPLIES.tooSlow, null, this.#atRcpt()), about);
  }

  /** What comes of the message. When this takes too long, `abort` ends what it is still doing. */
  async #settled(received: Message, header: HeaderFields): Promise<Outcome> {
    const { settings, signal } = this.#conversation;
    // What goes back goes back as it came.
    const { me } = settings.values;
    const forged = this.handsBack ? [] : forgedTrustHeaders(header, me, this.#toldFields());
    const message = forged.length > 0 ? await withoutCuts(received, forged) : received;
    const { parts } = this.#conversation.gateway;
    const recipients = this.#recipients();
    const facts = messageFacts(
      { ...this.facts, recipients },
      {
        received,
        message,
        eventId: this.id,
        // Behind qmail, qmail-smtpd has put its own there.
        head: () => (this.handsBack ? '' : this.#traceFields()),
        spoolFolder: parts.spoolFolder(),
        signal,
      },
      settings.values,
      parts.services,
    );
    await this.#runShared('message', facts);
    const each = settings.values.recipients === 'strictest' ? strictestForAll : undefined;
    const verdicts = each?.(this.#verdicts()) ?? this.#verdicts();
    const refused = refusedByVerdicts(verdicts, this.#answersEach);
    if (verdicts.some(isSpamRefused)) await this.#keepCopy(message);
    if (refused !== null) return refused;
    await this.#sealWith(message, () => facts.authentication.arc());
    return this.#deliver(aboutMessage(message, header), verdicts);
  }

  /** Beginnings of fields that we add ourselves, so that nobody else's may stand there. A relay client may be a filter of ours. */
  #toldFields(): readonly string[] {
    const { spamd, rspamd, spamheaders, dkverify, dkstatus } = this.#conversation.settings.values;
    if (this.facts.relayClient) return [];
    return [
      ...(spamheaders && spamd.length + rspamd.length > 0 ? ['x-spam-'] : []),
      ...(dkverify !== null && dkstatus ? ['domainkey-status'] : []),
    ];
  }

  /** Adds our ARC set to the header block, where `arcseal` asks for it: of mail from elsewhere. */
  async #sealWith(message: Message, chain: () => Promise<ArcOutcome>): Promise<void> {
    if (this.facts.relayClient || this.facts.client === null) return;
    const { settings, gateway } = this.#conversation;
    const { services } = gateway.parts;
    const seal = await sealed(message, this.#everyFinding(), chain, settings.values, services);
    if (seal === null) return;
    this.#seal = seal.fields;
    this.findings.add([seal.finding]);
  }

  /** simscan's `quarantinedir`: a copy of refused spam, of which nothing is promised. */
  async #keepCopy(message: Message): Promise<void> {
    const { parts } = this.#conversation.gateway;
    if (parts.keepCopy === undefined || this.#conversation.settings.values.quarantinedir === '') return;
    const about = { rule: 'SPAM', stage: 'message', plugin: 'spam', ms: 0 } as const;
    try {
      const path = await parts.keepCopy(message);
      this.findings.add([{ ...about, state: 'pass', detail: `a copy is in ${path}` }]);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      this.findings.add([{ ...about, state: 'error', detail: `no copy in quarantinedir: ${why}` }]);
    }
  }

  /** Return-Path and Received, as whoever delivers the message would put them on top (RFC 5321 4.4). */
  #traceFields(): string {
    const sender = this.facts.sender?.text ?? '';
    return `Return-Path: <${sender.replace(/[^\x20-\x7e]/g, '?')}>\r\n${this.#received()}`;
  }

  #received(): string {
    const { me } = this.#conversation.settings.values;
    const only = this.#accepted.length === 1 ? (this.#accepted[0] as AcceptedRecipient).recipient.text : null;
    const { smtputf8 } = this.facts.parameters;
    const now = this.#conversation.now();
    if (this.handsBack) return queuedField(me, this.id, now);
    return receivedField({ ...this.facts, smtputf8 }, me, this.id, now, only);
  }

  get handsBack(): boolean {
    return this.#conversation.gateway.parts.handsBack === true;
  }

  /** The client asked for an answer for each recipient, and there is more than one. */
  get #answersEach(): boolean {
    return this.facts.parameters.prdr === true && this.#accepted.length > 1;
  }

  /** `recipients=last`: one set of settings for everybody, as simscan has it. */
  #shareSettings(): void {
    const { settings, configuration } = this.#conversation;
    if (settings.values.recipients !== 'last' || this.#shared !== null) return;
    const effective = configuration.forMessage(settings, this.facts.sender, this.#recipients());
    for (const [i, accepted] of this.#accepted.entries()) this.#accepted[i] = { ...accepted, effective };
  }

  /** Ends the transaction; no hop delivers anything after this. */
  abort(): void {
    this.#deliveries.abort();
  }

  /** Waits; ends early, without an error, when the client is gone. */
  async #wait(seconds: number): Promise<void> {
    if (seconds <= 0) return;
    const { signal } = this.#conversation;
    await wait(seconds * 1000, undefined, { signal }).catch(() => undefined);
  }

  #recipients(): Address[] {
    return this.#accepted.map(r => r.recipient);
  }

  /** Recipients without findings of their own that matter share the verdict of their settings: there may be thousands. */
  #verdicts(): Verdict[] {
    const shared = new Map<Effective, Verdict>();
    return this.#accepted.map(r => {
      if (r.findings.some(matters)) return this.#verdict(r);
      let verdict = shared.get(r.effective);
      if (verdict === undefined) shared.set(r.effective, (verdict = this.#verdict(r)));
      return verdict;
    });
  }

  #atRcpt(): Verdict[] {
    return this.#accepted.map(r => r.verdict);
  }

  /**
   * Runs a stage whose facts are the same for all recipients, cheap tiers first, as long as somebody is undecided: once
   * for recipients with the same settings.
   */
  async #runShared<G extends 'data' | 'message'>(
    stage: G,
    facts: G extends 'data' ? DataFacts : MessageFacts,
  ): Promise<void> {
    const { stages } = this.#conversation;
    const groups = groupsOf(this.#accepted);
    const [first, ...others] = groups;
    for (const tier of TIERS) {
      if (first === undefined || stages.plugins(stage, tier).length === 0) continue;
      if (refusalOfAll(this.#verdicts()) !== null) {
        this.findings.add(skippedTier(stages, stage, tier));
        continue;
      }
      const run = { stage, tier, facts: facts as never, owner: this.#conversation };
      if (others.length === 0) {
        const found = stages.run({ ...run, effective: first.effective });
        this.findings.add(found instanceof Promise ? await found : found);
        continue;
      }
      const { shared, own } = await stages.runGroups(run, [
        first.effective,
        ...others.map(group => group.effective),
      ]);
      this.findings.add(shared);
      for (const [i, group] of groups.entries()) this.#groupFindings.add(group, own[i] ?? []);
    }
  }

  #verdict(r: AcceptedRecipient): Verdict {
    return this.#conversation.judge(
      [
        ...this.#conversation.sessionFindings(),
        ...this.findings.done,
        ...this.#groupFindings.of(r.effective),
        ...r.findings,
      ],
      r.effective,
    );
  }

  async #deliver(about: MessageAbout, verdicts: readonly Verdict[]): Promise<Outcome> {
    const answers: (HopAnswer | null)[] = this.#accepted.map(() => null);
    const heldBack = heldByPolicy(verdicts, this.#answersEach);
    const heldRule = ruleOf(verdicts[heldBack[0] ?? -1]);
    const notHeld = (rule: string | null) => refusedForAll(REPLIES.quarantineFailed, rule, verdicts, answers);
    const ours = this.#ourHeader();
    const passing = verdicts.flatMap((verdict, i) => (verdict.kind === 'continue' ? [i] : []));
    const shared = this.handsBack ? ours(joined(verdicts), passing) : null;
    // Quarantine first: what is promised to be held is on the disk before any hop has said yes.
    if (!(await this.#hold(heldBack, this.id, verdicts, ours(null, heldBack), about)))
      return notHeld(heldRule);
    const sent = await this.#deliveries.send(
      i => this.#accepted[i]?.forwarded ?? null,
      i => (verdicts[i]?.kind === 'continue' ? (shared ?? ours(verdicts[i], [i])) : null),
      about.message,
    );
    for (const [i, answer] of sent) answers[i] = answer;
    const { outcome, hold } = outcomeOf(verdicts, answers, this.#answersEach);
    const held = await this.#hold(hold, `${this.id}.refused`, verdicts, ours(null, hold), about);
    return held ? outcome : notHeld(null);
  }

  /** True when the recipients have a durable copy; why there is none goes into the record. */
  async #hold(
    indexes: readonly number[],
    id: string,
    verdicts: readonly Verdict[],
    added: Buffer,
    about: MessageAbout,
  ): Promise<boolean> {
    if (indexes.length === 0) return true;
    if (this.#deliveries.over) return false;
    const recipients = indexes.map(i => heldRecipient(this.#accepted[i] as AcceptedRecipient, verdicts[i]));
    const outcomes = verdicts.map((_, i) =>
      indexes.includes(i) ? ('held' as const) : ('accepted' as const),
    );
    const rule = recipients[0]?.rule ?? null;
    const outcome: Outcome = {
      event: 'message-held',
      reply: REPLIES.ok,
      each: null,
      rule,
      verdicts,
      outcomes,
      answers: null,
    };
    const record = this.#conversation.draft(this.#event(outcome, about));
    const { sender, parameters } = this.facts;
    try {
      const held = { id, sender, parameters, recipients, record };
      await this.#conversation.gateway.parts.hold(held, added, about.message);
      return true;
    } catch (error) {
      this.findings.add([faultFinding('message', error)]);
      return false;
    }
  }

  /** Our header block for a verdict on some recipients, with what was found for them; the same Buffer for the same text. */
  #ourHeader(): (verdict: Verdict | null, recipients: readonly number[]) => Buffer {
    const received = this.#received();
    const found = foundHeaders(this.#findingsForAll());
    const own = onceEach((group: Effective) => foundHeaders(this.#groupFindings.of(group)));
    const { me, authresults } = this.#conversation.settings.values;
    const results = authresults ? authenticationResults(this.#everyFinding(), me) : '';
    const signatures = foundSignatures(this.#everyFinding());
    const made = new Map<string, Buffer>();
    return (verdict, recipients) => {
      const groups = new Set(recipients.flatMap(i => this.#accepted[i]?.effective ?? []));
      const theirs = found + [...new Set([...groups].map(own))].join('');
      const text = received + this.#seal + results + theirs + addedHeaders(verdict) + signatures;
      let block = made.get(text);
      if (block === undefined) {
        block = Buffer.from(text, 'latin1');
        made.set(text, block);
      }
      return block;
    };
  }

  #refuseRecipient(
    recipient: Address,
    startedAt: number,
    findings: readonly RecordedFinding[],
    effective: AcceptedRecipient['effective'],
    verdict: Verdict,
    answer: HopAnswer | null,
  ): Answer {
    const reply = answer === null && isRefusal(verdict) ? verdict.reply : (answer as HopAnswer).reply;
    const eventId = `${this.id}.${this.#attempts}`;
    this.#conversation.record({
      id: eventId,
      event: 'recipient-refused',
      startedAt,
      reply,
      rule: isRefusal(verdict) ? verdict.rule : null,
      findings,
      sender: this.facts.sender?.text ?? null,
      recipients: [
        recordedRecipient(
          { recipient, effective },
          verdict,
          reply.code < 500 ? 'deferred' : 'refused',
          answer,
        ),
      ],
      settings: effective,
    });
    return { reply, eventId };
  }

  #finish(outcome: Outcome, about: MessageAbout | null): Answer {
    this.#conversation.record(this.#event(outcome, about));
    const { reply, each } = outcome;
    return { reply, eventId: this.id, ...(each === null ? {} : { each }) };
  }

  #event(
    { event, reply, rule, verdicts, outcomes, answers }: Outcome,
    about: MessageAbout | null,
  ): EventFacts {
    const first = verdicts[0];
    return {
      id: this.id,
      event,
      startedAt: this.startedAt,
      reply,
      rule,
      findings: this.#allFindings(),
      score: first && 'score' in first ? first.score : 0,
      sender: this.facts.sender?.text ?? null,
      recipients: this.#accepted.map((r, i) =>
        recordedRecipient(r, verdicts[i] ?? r.verdict, outcomes[i] ?? 'accepted', answers?.[i] ?? r.answer),
      ),
      messageId: about?.messageId ?? null,
      ...(about === null ? {} : { subject: about.subject }),
      size: about?.message.size ?? null,
      crc32: about ? about.message.crc32.toString(16).padStart(8, '0') : null,
      settings: this.#conversation.settings,
    };
  }

  *#everyFinding(): Iterable<RecordedFinding> {
    yield* this.#findingsForAll();
    yield* this.#groupFindings.all();
  }

  /** Without those that only the settings of a group brought about. */
  *#findingsForAll(): Iterable<RecordedFinding> {
    yield* this.#conversation.sessionFindings();
    yield* this.findings.done;
    for (const { findings } of this.#accepted) yield* findings;
  }

  /** All findings for the record; of each recipient after the first only what may have decided something. */
  #allFindings(): RecordedFinding[] {
    const shared = [
      ...this.#conversation.sessionFindings(),
      ...this.findings.done,
      ...this.#groupFindings.all(),
    ];
    if (this.#accepted.length === 1) return [...shared, ...(this.#accepted[0]?.findings ?? [])];
    for (const [i, { findings, recipient }] of this.#accepted.entries()) {
      const recipients = [recipient.text];
      for (const finding of findings)
        if (i === 0 || matters(finding)) shared.push({ ...finding, recipients });
    }
    return shared;
  }
}

/** simscan copies refused spam, thrown away or not, and nothing else. */
function isSpamRefused(verdict: Verdict): boolean {
  return 'rule' in verdict && (verdict.rule === 'SPAM_HITS' || verdict.rule === 'SPAM_DROPPED');
}

/** It can decide something. */
function matters({ state }: RecordedFinding): boolean {
  return state === 'hit' || state === 'error';
}

function heldRecipient(
  { recipient, forwarded }: AcceptedRecipient,
  verdict: Verdict | undefined,
): HeldRecipient {
  const held = verdict?.kind === 'quarantine' || (verdict !== undefined && isRefusal(verdict));
  return {
    address: recipient,
    forwarded,
    rule: ruleOf(verdict) ?? HOP_REFUSED_RULE,
    verdict: held ? verdict.kind : 'hop-refused',
  };
}

function aboutMessage(message: Message, header: HeaderFields): MessageAbout {
  const first = (name: string, limit: number) => {
    const field = firstField(header, name);
    return field === null ? null : fieldValue(header, field, limit);
  };
  return { message, messageId: first('message-id', 998), subject: first('subject', MAX_SUBJECT) };
}

/** What `work` gives, or `late` when it takes longer than that; the work itself goes on, and is aborted by the caller. */
async function within<T>(seconds: number, work: Promise<T>): Promise<T | 'late'> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<'late'>(resolve => {
    timer = setTimeout(resolve, seconds * 1000, 'late');
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
