import type { Address } from '../model/address.ts';
import type { Delivery, DeliveryEnvelope, HopAnswer, NextHop } from '../model/delivery.ts';
import type { RecordedFinding } from '../model/finding.ts';
import type { Message } from '../model/message.ts';
import { REPLIES } from './replies.ts';

/** Rule of what failed on our side, for the record. */
export const FAULT_RULE = 'FAULT';

/** Stands for the answer of a hop that could not be asked because of a fault of ours. */
export const BROKEN_HOP: HopAnswer = { kind: 'failed', reply: REPLIES.broken, hop: 'none' };

/** A fault of ours as it stands in the record; it changes no verdict. */
export function faultFinding(stage: 'rcpt' | 'data' | 'message', error: unknown): RecordedFinding {
  const detail = error instanceof Error ? error.message : String(error);
  return { rule: FAULT_RULE, state: 'error', detail, stage, plugin: 'edge', ms: 0 };
}

/** A next hop that has been asked about recipients of the transaction. */
interface OpenDelivery {
  readonly key: string;
  readonly delivery: Delivery;
  /** Numbers of the recipients it has accepted, in that order. */
  readonly recipients: number[];
}

/** What a next hop said to a recipient. `fault`: why it could not be asked. */
export interface Asked {
  readonly answer: HopAnswer;
  readonly fault: RecordedFinding | null;
}

/** An answer, and the number of the recipient it is for. */
type Numbered = readonly [recipient: number, answer: HopAnswer];

/**
 * The next hops of one transaction: each is asked about its recipients while the client waits, and gets the message in
 * the end. Recipients go by their number in the transaction. Nothing here rejects: a hop that throws counts as one
 * that could not say.
 */
export class Deliveries {
  readonly #route: (recipient: Address) => NextHop;
  readonly #envelope: DeliveryEnvelope;
  readonly #report: (fault: RecordedFinding) => void;
  readonly #open = new Map<string, OpenDelivery>();
  #over = false;

  constructor(
    route: (recipient: Address) => NextHop,
    envelope: DeliveryEnvelope,
    report: (fault: RecordedFinding) => void,
  ) {
    this.#route = route;
    this.#envelope = envelope;
    this.#report = report;
  }

  /** Given up: no hop delivers anything any more. */
  get over(): boolean {
    return this.#over;
  }

  /** Asks the next hop of a recipient, which gets `number` if it is accepted. */
  async ask(recipient: Address, number: number): Promise<Asked> {
    let open: OpenDelivery | null = null;
    try {
      const next = this.#route(recipient);
      open = this.#open.get(next.key) ?? null;
      if (open === null) {
        open = { key: next.key, delivery: next.open(this.#envelope), recipients: [] };
        this.#open.set(next.key, open);
      }
      const answer = await open.delivery.addRecipient(recipient);
      if (this.#over) open.delivery.abort();
      else if (answer.kind === 'accepted') open.recipients.push(number);
      return { answer, fault: null };
    } catch (error) {
      return { answer: BROKEN_HOP, fault: faultFinding('rcpt', error) };
    }
  }

  /**
   * Sends to all hops at the same time. `added` gives the header block for a recipient, the same Buffer for those who
   * share one; null for who is not to get the message.
   */
  async send(
    addressOf: (recipient: number) => Address | null,
    added: (recipient: number) => Buffer | null,
    message: Message,
  ): Promise<readonly Numbered[]> {
    const all = [...this.#open.values()].map(open => this.#sendOne(open, addressOf, added, message));
    return (await Promise.all(all)).flat();
  }

  /** Gives up. Safe at any time, also afterwards. */
  abort(): void {
    this.#over = true;
    for (const { delivery } of this.#open.values()) delivery.abort();
    this.#open.clear();
  }

  async #sendOne(
    open: OpenDelivery,
    addressOf: (recipient: number) => Address | null,
    added: (recipient: number) => Buffer | null,
    message: Message,
  ): Promise<readonly Numbered[]> {
    const byHeader = new Map<Buffer, number[]>();
    for (const number of open.recipients) {
      const header = added(number);
      if (header === null) continue;
      const sharing = byHeader.get(header);
      if (sharing) sharing.push(number);
      else byHeader.set(header, [number]);
    }
    const [only] = byHeader;
    if (only !== undefined && only[1].length === open.recipients.length)
      return this.#transfer(open, only[0], message);
    // The hop has said yes to some who are not to get this message: the transaction with it begins anew, one for each
    // header block, one after the other.
    open.delivery.abort();
    this.#open.delete(open.key);
    const answers: Numbered[] = [];
    for (const [header, wanted] of byHeader)
      answers.push(...(await this.#sendAgain(open.key, wanted, addressOf, header, message)));
    return answers;
  }

  async #sendAgain(
    key: string,
    wanted: readonly number[],
    addressOf: (recipient: number) => Address | null,
    added: Buffer,
    message: Message,
  ): Promise<readonly Numbered[]> {
    const refused: Numbered[] = [];
    for (const number of wanted) {
      const address = addressOf(number);
      if (this.#over || address === null) return refused;
      const { answer, fault } = await this.ask(address, number);
      if (fault !== null) this.#report(fault);
      if (answer.kind !== 'accepted') refused.push([number, answer]);
    }
    const again = this.#open.get(key);
    if (again === undefined) return refused;
    const answers = await this.#transfer(again, added, message);
    this.#open.delete(key);
    return [...refused, ...answers];
  }

  async #transfer(
    { delivery, recipients }: OpenDelivery,
    added: Buffer,
    message: Message,
  ): Promise<readonly Numbered[]> {
    // Given up meanwhile: the message may be gone, and nobody waits for an answer.
    if (this.#over || recipients.length === 0) {
      delivery.abort();
      return [];
    }
    try {
      const answers = await delivery.send(added, message);
      return recipients.map((number, i): Numbered => [number, answers[i] ?? BROKEN_HOP]);
    } catch (error) {
      this.#report(faultFinding('message', error));
      return recipients.map((number): Numbered => [number, BROKEN_HOP]);
    }
  }
}
