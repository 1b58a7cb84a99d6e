import { setTimeout as wait } from 'node:timers/promises';
import { fieldValue, firstField, headerFields } from '../mail/header.ts';
import { receivedField } from '../mail/received.ts';
import { forgedTrustHeaders, withoutCuts } from '../mail/trust-headers.ts';
import type { Address } from '../model/address.ts';
import { address } from '../model/address.ts';
import type { Delivery, HopAnswer, NextHop } from '../model/delivery.ts';
import type { RecordedFinding } from '../model/finding.ts';
import type { Message, MessageFacts } from '../model/message.ts';
import { TIERS } from '../model/plugin.ts';
import type { EventName, RecordedRecipient } from '../model/record.ts';
import type { Reply } from '../model/reply.ts';
import type { DataFacts, MailFacts, RcptFacts } from '../model/session.ts';
import type { Verdict } from '../model/verdict.ts';
import { isRefusal } from '../model/verdict.ts';
import type { Answer, Conversation } from './conversation.ts';
import { addedHeaders } from './added-headers.ts';
import type { AcceptedRecipient } from './recipients.ts';
import { meantRecipient } from './recipients.ts';
import { recordedRecipient } from './record.ts';
import { REPLIES } from './replies.ts';
import { skippedTier } from './run-stage.ts';
import { settle } from './settle.ts';
import { StageFindings } from './stage-findings.ts';

/** A next hop that has been asked about recipients of this transaction. */
interface OpenDelivery {
  readonly delivery: Delivery;
  /** Indexes into the accepted recipients, in the order the hop accepted them. */
  readonly recipients: number[];
}

/** Between MAIL and the answer to the final dot. */
export class Transaction {
  readonly id: string;
  readonly facts: MailFacts;
  readonly startedAt: number;
  findings = new StageFindings();
  readonly #conversation: Conversation;
  readonly #accepted: AcceptedRecipient[] = [];
  readonly #deliveries = new Map<string, OpenDelivery>();
  #attempts = 0;
  #over = false;

  constructor(conversation: Conversation, facts: MailFacts, id: string) {
    this.#conversation = conversation;
    this.facts = facts;
    this.id = id;
    this.startedAt = conversation.now();
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
    const { settings, configuration, gateway, signal } = this.#conversation;
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
      const found = this.#conversation.stages.run({ stage: 'rcpt', tier, facts, effective, signal });
      const more = found instanceof Promise ? await found : found;
      if (more.length === 0) continue;
      own.push(...more);
      verdict = this.#conversation.judge([...before, ...own], effective);
    }
    if (isRefusal(verdict)) {
      await waitSeconds(verdict.delaySeconds, signal);
      return this.#refuseRecipient(recipient, startedAt, [...before, ...own], effective, verdict, null);
    }
    const suffix = settings.values.relayclient;
    const forwarded = suffix ? address(recipient.text + suffix) : recipient;
    const next = gateway.parts.router(configuration).route(forwarded);
    const open = this.#delivery(next);
    const answer = await open.delivery.addRecipient(forwarded);
    if (this.#over) {
      open.delivery.abort();
      return { reply: REPLIES.broken, eventId: this.id };
    }
    if (answer.kind !== 'accepted') {
      return this.#refuseRecipient(recipient, startedAt, [...before, ...own], effective, verdict, answer);
    }
    open.recipients.push(this.#accepted.length);
    this.#accepted.push({ recipient, forwarded, effective, verdict, findings: own, answer, hop: next.key });
    if (verdict.kind === 'continue') await waitSeconds(verdict.delaySeconds, signal);
    return { reply: REPLIES.recipientOk, eventId: this.id };
  }

  /** The checks that need the whole recipient list. Null: go ahead. */
  async data(): Promise<Answer | null> {
    const facts: DataFacts = { ...this.facts, recipients: this.#accepted.map(r => r.recipient) };
    await this.#runShared('data', facts);
    const verdicts = this.#accepted.map(r => this.#verdict(r));
    const refusal = this.#refusalOfAll(verdicts);
    if (refusal === null) return null;
    return this.#finish('message-refused', null, verdicts, null, refusal.reply, refusal.rule);
  }

  /** Checks the message, delivers it, holds what must be held, and answers. */
  async message(received: Message): Promise<Answer> {
    const { settings } = this.#conversation;
    const { headerfields, me, datatime } = settings.values;
    let message = received;
    const header = headerFields(received.header, headerfields);
    const forged = forgedTrustHeaders(header, me);
    if (forged.length > 0) message = await withoutCuts(received, forged);
    const facts: MessageFacts = {
      ...this.facts,
      recipients: this.#accepted.map(r => r.recipient),
      message,
    };
    await this.#runShared('message', facts);
    const verdicts = this.#accepted.map(r => this.#verdict(r));
    const refusal = this.#refusalOfAll(verdicts);
    const messageId = messageIdOf(header);
    const about = { message, messageId };
    if (refusal !== null)
      return this.#finish('message-refused', about, verdicts, null, refusal.reply, refusal.rule);
    const outcome = await within(datatime, this.#deliver(message, verdicts));
    if (outcome === 'late') {
      return this.#finish('message-refused', about, verdicts, null, REPLIES.tooSlow, null);
    }
    return this.#finish(outcome.event, about, verdicts, outcome.answers, outcome.reply, outcome.rule);
  }

  /** Ends the transaction; no hop delivers anything after this. */
  abort(): void {
    this.#over = true;
    for (const { delivery } of this.#deliveries.values()) delivery.abort();
    this.#deliveries.clear();
  }

  #delivery(next: NextHop): OpenDelivery {
    let open = this.#deliveries.get(next.key);
    if (open === undefined) {
      const { sender, parameters } = this.facts;
      open = { delivery: next.open({ sender, parameters, eventId: this.id }), recipients: [] };
      this.#deliveries.set(next.key, open);
    }
    return open;
  }

  /** Runs a stage whose facts are the same for all recipients, cheap tiers first, as long as somebody is undecided. */
  async #runShared<G extends 'data' | 'message'>(
    stage: G,
    facts: G extends 'data' ? DataFacts : MessageFacts,
  ): Promise<void> {
    const { stages, settings, signal } = this.#conversation;
    for (const tier of TIERS) {
      if (stages.plugins(stage, tier).length === 0) continue;
      if (this.#refusalOfAll(this.#accepted.map(r => this.#verdict(r))) !== null) {
        this.findings.add(skippedTier(stages, stage, tier));
        continue;
      }
      const found = stages.run({ stage, tier, facts: facts as never, effective: settings, signal });
      this.findings.add(found instanceof Promise ? await found : found);
    }
  }

  #verdict(r: AcceptedRecipient): Verdict {
    return this.#conversation.judge(
      [...this.#conversation.sessionFindings(), ...this.findings.done, ...r.findings],
      r.effective,
    );
  }

  /** One answer for all: refused only when everybody's verdict refuses, and only for now when anybody's is for now. */
  #refusalOfAll(verdicts: readonly Verdict[]): { rule: string; reply: Reply } | null {
    if (verdicts.length === 0) return null;
    let chosen: Extract<Verdict, { kind: 'defer' | 'reject' }> | null = null;
    for (const verdict of verdicts) {
      if (!isRefusal(verdict)) return null;
      if (chosen === null || (chosen.kind === 'reject' && verdict.kind === 'defer')) chosen = verdict;
    }
    return chosen;
  }

  async #deliver(
    message: Message,
    verdicts: readonly Verdict[],
  ): Promise<{ event: EventName; reply: Reply; rule: string | null; answers: (HopAnswer | null)[] }> {
    const { settings, client, gateway } = this.#conversation;
    const answers: (HopAnswer | null)[] = this.#accepted.map(() => null);
    const pass = (i: number) => verdicts[i]?.kind === 'continue';
    const heldBack = verdicts.flatMap((v, i) => (v.kind === 'quarantine' || isRefusal(v) ? [i] : []));
    const added = Buffer.from(this.#added(verdicts, settings.values.me), 'latin1');
    const hold = async (indexes: readonly number[], rule: string, id: string): Promise<boolean> => {
      if (indexes.length === 0) return true;
      const held = {
        id,
        sender: this.facts.sender,
        recipients: indexes.map(i => (this.#accepted[i] as AcceptedRecipient).recipient),
        rule,
        client,
        helo: this.facts.helo?.name ?? null,
        time: this.#conversation.now(),
      };
      return gateway.parts.hold(held, added, message).then(
        () => true,
        () => false,
      );
    };
    // Quarantine first: what is promised to be held is on the disk before any hop has said yes.
    const heldRule = ruleOf(verdicts[heldBack[0] ?? -1]);
    if (!(await hold(heldBack, heldRule ?? 'HELD', this.id))) {
      return { event: 'message-refused', reply: REPLIES.quarantineFailed, rule: heldRule, answers };
    }
    const sent = await Promise.all(
      [...this.#deliveries.values()].map(open => this.#send(open, pass, added, message)),
    );
    for (const part of sent) for (const [i, answer] of part) answers[i] = answer;
    const passing = answers.flatMap((answer, i) => (pass(i) && answer !== null ? [{ i, answer }] : []));
    const settlement = settle(passing.map(p => p.answer));
    if (settlement.kind === 'failed')
      return { event: 'message-refused', reply: settlement.reply, rule: null, answers };
    if (settlement.kind === 'refused' && heldBack.length === 0 && passing.length === this.#accepted.length) {
      return { event: 'message-refused', reply: settlement.reply, rule: null, answers };
    }
    // Some hops said yes, or a copy is held: those that said no cannot be told to the client any more.
    const refused =
      settlement.kind === 'refused'
        ? passing.map(p => p.i)
        : settlement.hold.map(n => (passing[n] as { i: number }).i);
    if (!(await hold(refused, 'NEXT_HOP_REFUSED', `${this.id}.refused`))) {
      return { event: 'message-refused', reply: REPLIES.quarantineFailed, rule: null, answers };
    }
    const anyHeld = heldBack.length + refused.length > 0;
    const anyAccepted = passing.length > refused.length;
    const event = anyHeld ? 'message-held' : anyAccepted ? 'message-accepted' : 'message-discarded';
    return {
      event,
      reply: REPLIES.ok,
      rule: heldRule ?? ruleOf(verdicts.find(v => v.kind === 'discard')),
      answers,
    };
  }

  /** Sends to those of a hop's recipients that pass; when some do not, the transaction with the hop begins anew. */
  async #send(
    open: OpenDelivery,
    pass: (i: number) => boolean,
    added: Buffer,
    message: Message,
  ): Promise<[number, HopAnswer][]> {
    const wanted = open.recipients.filter(pass);
    if (wanted.length === 0) {
      open.delivery.abort();
      return [];
    }
    let { delivery } = open;
    const early: [number, HopAnswer][] = [];
    let accepted = wanted;
    if (wanted.length < open.recipients.length) {
      delivery.abort();
      const first = this.#accepted[wanted[0] as number] as AcceptedRecipient;
      const { configuration, gateway } = this.#conversation;
      const { sender, parameters } = this.facts;
      delivery = gateway.parts
        .router(configuration)
        .route(first.forwarded)
        .open({ sender, parameters, eventId: this.id });
      accepted = [];
      for (const i of wanted) {
        const answer = await delivery.addRecipient((this.#accepted[i] as AcceptedRecipient).forwarded);
        if (answer.kind === 'accepted') accepted.push(i);
        else early.push([i, answer]);
      }
      if (accepted.length === 0) {
        delivery.abort();
        return early;
      }
    }
    const answers = await delivery.send(added, message);
    return [...early, ...accepted.map((i, n): [number, HopAnswer] => [i, answers[n] as HopAnswer])];
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

  #finish(
    event: EventName,
    about: { readonly message: Message; readonly messageId: string | null } | null,
    verdicts: readonly Verdict[],
    answers: readonly (HopAnswer | null)[] | null,
    reply: Reply,
    rule: string | null,
  ): Answer {
    const first = verdicts[0];
    this.#conversation.record({
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
      sha256: about?.message.sha256 ?? null,
      settings: this.#accepted[0]?.effective ?? this.#conversation.settings,
    });
    return { reply, eventId: this.id };
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

function ruleOf(verdict: Verdict | undefined): string | null {
  return verdict === undefined || verdict.kind === 'continue' ? null : verdict.rule;
}

function messageIdOf(header: ReturnType<typeof headerFields>): string | null {
  const field = firstField(header, 'message-id');
  return field === null ? null : fieldValue(header, field, 998);
}

/** Waits; ends early, without an error, when the client is gone. */
async function waitSeconds(seconds: number, signal: AbortSignal): Promise<void> {
  if (seconds > 0) await wait(seconds * 1000, undefined, { signal }).catch(() => undefined);
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
