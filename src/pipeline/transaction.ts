import { setTimeout as wait } from 'node:timers/promises';
import type { Configuration } from '../control/configuration.ts';
import type { Effective } from '../control/effective.ts';
import type { HeaderFields } from '../mail/header.ts';
import { fieldValue, firstField, headerFields } from '../mail/header.ts';
import { receivedField } from '../mail/received.ts';
import { forgedTrustHeaders, withoutCuts } from '../mail/trust-headers.ts';
import type { Address } from '../model/address.ts';
import { address } from '../model/address.ts';
import type { HopAnswer } from '../model/delivery.ts';
import type { RecordedFinding } from '../model/finding.ts';
import { readMime } from '../mail/mime/read-mime.ts';
import type { Message, MessageFacts } from '../model/message.ts';
import type { MimeLimits } from '../model/mime.ts';
import { TIERS } from '../model/plugin.ts';
import type { EventName, RecordedRecipient, VerdictRecord } from '../model/record.ts';
import type { Reply } from '../model/reply.ts';
import type { DataFacts, MailFacts, RcptFacts } from '../model/session.ts';
import type { Verdict } from '../model/verdict.ts';
import { isRefusal } from '../model/verdict.ts';
import { addedHeaders } from './added-headers.ts';
import type { Answer } from './answer.ts';
import { BROKEN_HOP, Deliveries, FAULT_RULE, faultFinding } from './deliveries.ts';
import type { House } from './parts.ts';
import type { AcceptedRecipient } from './recipients.ts';
import { meantRecipient } from './recipients.ts';
import type { EventFacts } from './record.ts';
import { recordedRecipient } from './record.ts';
import { REPLIES } from './replies.ts';
import type { StageTable } from './run-stage.ts';
import { skippedTier } from './run-stage.ts';
import { settle } from './settle.ts';
import { StageFindings } from './stage-findings.ts';

/** What came of a message: the event, what to say, and what each recipient's hop said. */
interface Outcome {
  readonly event: EventName;
  readonly reply: Reply;
  readonly rule: string | null;
  readonly verdicts: readonly Verdict[];
  readonly answers: readonly (HopAnswer | null)[] | null;
}

/** A message, and what is known of it before any check. */
interface MessageAbout {
  readonly message: Message;
  readonly messageId: string | null;
}

const HOP_REFUSED_RULE = 'NEXT_HOP_REFUSED';

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
  readonly #conversation: TransactionSession;
  readonly #accepted: AcceptedRecipient[] = [];
  readonly #deliveries: Deliveries;
  #attempts = 0;

  constructor(conversation: TransactionSession, facts: MailFacts, id: string) {
    this.#conversation = conversation;
    this.facts = facts;
    this.id = id;
    this.startedAt = conversation.now();
    const { configuration, gateway } = conversation;
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
    return this.#accepted.map(r => recordedRecipient(r.recipient, r.verdict, r.answer));
  }

  /** Checks a recipient under its own settings, then asks its next hop. */
  async rcpt(said: Address): Promise<Answer> {
    this.#attempts++;
    const { settings, configuration, gateway } = this.#conversation;
    const startedAt = this.#conversation.now();
    const recipient = meantRecipient(said, settings, gateway.parts.isOwnAddress);
    const effective = configuration.forRecipient(settings, recipient);
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
    if (isRefusal(verdict)) {
      await this.#wait(verdict.delaySeconds);
      return this.#refuseRecipient(recipient, startedAt, [...before, ...own], effective, verdict, null);
    }
    const suffix = settings.values.relayclient;
    const forwarded = suffix ? address(recipient.text + suffix) : recipient;
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
    await this.#runShared('data', { ...this.facts, recipients: this.#recipients() });
    const verdicts = this.#verdicts();
    const refusal = refusalOfAll(verdicts);
    return refusal === null ? null : this.#finish(this.#refused(refusal.reply, refusal.rule, verdicts), null);
  }

  /** Checks the message, delivers it, holds what must be held, and answers. Never rejects. */
  async message(received: Message): Promise<Answer> {
    const { headerfields, datatime } = this.#conversation.settings.values;
    const header = headerFields(received.header, headerfields);
    const about = { message: received, messageId: messageIdOf(header) };
    const outcome = await within(datatime, this.#settled(received, header)).catch((error: unknown) => {
      this.findings.add([faultFinding('message', error)]);
      return this.#refused(REPLIES.broken, FAULT_RULE);
    });
    if (outcome !== 'late') return this.#finish(outcome, about);
    this.abort();
    return this.#finish(this.#refused(REPLIES.tooSlow, null), about);
  }

  /** What comes of the message. When this takes too long, `abort` ends what it is still doing. */
  async #settled(received: Message, header: HeaderFields): Promise<Outcome> {
    const forged = forgedTrustHeaders(header, this.#conversation.settings.values.me);
    const message = forged.length > 0 ? await withoutCuts(received, forged) : received;
    const mime = once(() => readMime(message, this.#mimeLimits(), this.#conversation.signal));
    await this.#runShared('message', { ...this.facts, recipients: this.#recipients(), message, mime });
    const verdicts = this.#verdicts();
    const refusal = refusalOfAll(verdicts);
    return refusal === null
      ? this.#deliver({ message, messageId: messageIdOf(header) }, verdicts)
      : this.#refused(refusal.reply, refusal.rule, verdicts);
  }

  #mimeLimits(): MimeLimits {
    const { values } = this.#conversation.settings;
    return {
      depth: values.mimedepth,
      parts: values.mimeparts,
      headerBytes: values.headerbytes,
      headerFields: values.headerfields,
      archiveDepth: values.archivedepth,
      archiveEntries: values.archiveentries,
      archiveBytes: values.archivebytes,
      archiveRatio: values.archiveratio,
      spoolFolder: this.#conversation.gateway.parts.spoolFolder(),
    };
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

  #verdicts(): Verdict[] {
    return this.#accepted.map(r => this.#verdict(r));
  }

  #refused(reply: Reply, rule: string | null, verdicts: readonly Verdict[] = []): Outcome {
    return { event: 'message-refused', reply, rule, verdicts, answers: null };
  }

  /** Runs a stage whose facts are the same for all recipients, cheap tiers first, as long as somebody is undecided. */
  async #runShared<G extends 'data' | 'message'>(
    stage: G,
    facts: G extends 'data' ? DataFacts : MessageFacts,
  ): Promise<void> {
    const { stages, settings } = this.#conversation;
    for (const tier of TIERS) {
      if (stages.plugins(stage, tier).length === 0) continue;
      if (refusalOfAll(this.#verdicts()) !== null) {
        this.findings.add(skippedTier(stages, stage, tier));
        continue;
      }
      const found = stages.run({
        stage,
        tier,
        facts: facts as never,
        effective: settings,
        owner: this.#conversation,
      });
      this.findings.add(found instanceof Promise ? await found : found);
    }
  }

  #verdict(r: AcceptedRecipient): Verdict {
    return this.#conversation.judge(
      [...this.#conversation.sessionFindings(), ...this.findings.done, ...r.findings],
      r.effective,
    );
  }

  async #deliver(about: MessageAbout, verdicts: readonly Verdict[]): Promise<Outcome> {
    const { message } = about;
    const { settings } = this.#conversation;
    const answers: (HopAnswer | null)[] = this.#accepted.map(() => null);
    const passes = (i: number) => verdicts[i]?.kind === 'continue';
    const heldBack = verdicts.flatMap((v, i) => (v.kind === 'quarantine' || isRefusal(v) ? [i] : []));
    const added = Buffer.from(this.#added(verdicts, settings.values.me), 'latin1');
    const notHeld = { event: 'message-refused', reply: REPLIES.quarantineFailed, verdicts, answers } as const;
    // Quarantine first: what is promised to be held is on the disk before any hop has said yes.
    const heldRule = ruleOf(verdicts[heldBack[0] ?? -1]);
    if (!(await this.#hold(heldBack, heldRule ?? 'HELD', this.id, verdicts, added, about)))
      return { ...notHeld, rule: heldRule };
    const sent = await this.#deliveries.send(
      i => this.#accepted[i]?.forwarded ?? null,
      passes,
      added,
      message,
    );
    for (const [i, answer] of sent) answers[i] = answer;
    const passing = [...answers.keys()].filter(passes);
    // Nobody is promised anything that no hop has promised.
    const settlement = settle(passing.map(i => answers[i] ?? BROKEN_HOP));
    const hopRefused = { event: 'message-refused', rule: null, verdicts, answers } as const;
    if (settlement.kind === 'failed') return { ...hopRefused, reply: settlement.reply };
    if (settlement.kind === 'refused' && passing.length === this.#accepted.length)
      return { ...hopRefused, reply: settlement.reply };
    // Some hops said yes, or a copy is held: those that said no cannot be told to the client any more.
    const refused = settlement.kind === 'refused' ? passing : settlement.hold.map(n => passing[n] as number);
    if (!(await this.#hold(refused, HOP_REFUSED_RULE, `${this.id}.refused`, verdicts, added, about)))
      return { ...notHeld, rule: null };
    const shared = { reply: REPLIES.ok, verdicts, answers };
    if (heldBack.length + refused.length > 0)
      return { ...shared, event: 'message-held', rule: heldRule ?? HOP_REFUSED_RULE };
    if (passing.length > 0) return { ...shared, event: 'message-accepted', rule: null };
    return { ...shared, event: 'message-discarded', rule: ruleOf(verdicts[0]) };
  }

  /** True when the recipients have a durable copy; why there is none goes into the record. */
  async #hold(
    indexes: readonly number[],
    rule: string,
    id: string,
    verdicts: readonly Verdict[],
    added: Buffer,
    about: MessageAbout,
  ): Promise<boolean> {
    const { message } = about;
    if (indexes.length === 0) return true;
    if (this.#deliveries.over) return false;
    const recipients = indexes.map(i => {
      const { recipient, forwarded } = this.#accepted[i] as AcceptedRecipient;
      const verdict = verdicts[i];
      return {
        address: recipient,
        forwarded,
        rule: ruleOf(verdict) ?? rule,
        verdict:
          verdict?.kind === 'quarantine' || (verdict && isRefusal(verdict))
            ? verdict.kind
            : ('hop-refused' as const),
      };
    });
    const record = this.#conversation.draft(
      this.#event({ event: 'message-held', reply: REPLIES.ok, rule, verdicts, answers: null }, about),
    );
    try {
      const { sender, parameters } = this.facts;
      await this.#conversation.gateway.parts.hold(
        { id, sender, parameters, recipients, record },
        added,
        message,
      );
      return true;
    } catch (error) {
      this.findings.add([faultFinding('message', error)]);
      return false;
    }
  }

  #added(verdicts: readonly Verdict[], me: string): string {
    const only = this.#accepted.length === 1 ? (this.#accepted[0] as AcceptedRecipient).recipient.text : null;
    const { smtputf8 } = this.facts.parameters;
    const received = receivedField({ ...this.facts, smtputf8 }, me, this.id, this.#conversation.now(), only);
    return received + addedHeaders(verdicts);
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
      recipients: [recordedRecipient(recipient, verdict, answer)],
      settings: effective,
    });
    return { reply, eventId };
  }

  #finish(outcome: Outcome, about: MessageAbout | null): Answer {
    this.#conversation.record(this.#event(outcome, about));
    return { reply: outcome.reply, eventId: this.id };
  }

  #event({ event, reply, rule, verdicts, answers }: Outcome, about: MessageAbout | null): EventFacts {
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
        recordedRecipient(r.recipient, verdicts[i] ?? r.verdict, answers?.[i] ?? r.answer),
      ),
      messageId: about?.messageId ?? null,
      size: about?.message.size ?? null,
      crc32: about ? about.message.crc32.toString(16).padStart(8, '0') : null,
      settings: this.#accepted[0]?.effective ?? this.#conversation.settings,
    };
  }

  /** All findings for the record; of each recipient after the first only what was not a plain pass. */
  #allFindings(): RecordedFinding[] {
    const shared = [...this.#conversation.sessionFindings(), ...this.findings.done];
    return this.#accepted.reduce<RecordedFinding[]>((all, r, i) => {
      all.push(...(i === 0 ? r.findings : r.findings.filter(finding => finding.state !== 'pass')));
      return all;
    }, shared);
  }
}

/** One answer for all: refused only when everybody's verdict refuses, and only for now when anybody's is for now. */
function refusalOfAll(verdicts: readonly Verdict[]): { rule: string; reply: Reply } | null {
  let chosen: Extract<Verdict, { kind: 'defer' | 'reject' }> | null = null;
  for (const verdict of verdicts) {
    if (!isRefusal(verdict)) return null;
    if (chosen === null || (chosen.kind === 'reject' && verdict.kind === 'defer')) chosen = verdict;
  }
  return chosen;
}

function ruleOf(verdict: Verdict | undefined): string | null {
  return verdict === undefined || verdict.kind === 'continue' ? null : verdict.rule;
}

function messageIdOf(header: HeaderFields): string | null {
  const field = firstField(header, 'message-id');
  return field === null ? null : fieldValue(header, field, 998);
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

/** `make` with its first answer remembered: asked twice, it does its work once. */
function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | null = null;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}
