import type { Address } from '../model/address.ts';
import type { Delivery, DeliveryEnvelope, HopAnswer, NextHop, Router } from '../model/delivery.ts';
import { reply } from '../model/reply.ts';

/** What goes back to the one who brought a message. */
export interface HandedBack {
  /** Our header block, CRLF lines. */
  readonly added: Buffer;
  readonly recipients: readonly string[];
}

const HOP = 'qmail-queue';
const WILL_GO: HopAnswer = { kind: 'accepted', reply: reply(250, '2.1.5', 'ok'), hop: HOP };
const HANDED: HopAnswer = {
  kind: 'accepted',
  reply: reply(250, '2.0.0', 'handed back for the queue'),
  hop: HOP,
};

/**
 * The next hop of a message that goes back to whoever brought it: everybody is accepted, and what would be sent is put
 * aside under the id of the transaction, until somebody takes it.
 */
export class HandBack implements Router {
  readonly #waiting = new Map<string, HandedBack>();
  readonly #hop: NextHop = {
    key: HOP,
    open: envelope => new HandBackDelivery(envelope, this.#waiting),
  };

  route(): NextHop {
    return this.#hop;
  }

  /** What the transaction gives back, once; null when nobody is to get the message. */
  take(transactionId: string): HandedBack | null {
    const handed = this.#waiting.get(transactionId) ?? null;
    this.#waiting.delete(transactionId);
    return handed;
  }
}

class HandBackDelivery implements Delivery {
  readonly #envelope: DeliveryEnvelope;
  readonly #waiting: Map<string, HandedBack>;
  readonly #recipients: string[] = [];

  constructor(envelope: DeliveryEnvelope, waiting: Map<string, HandedBack>) {
    this.#envelope = envelope;
    this.#waiting = waiting;
  }

  addRecipient(recipient: Address): Promise<HopAnswer> {
    this.#recipients.push(recipient.text);
    return Promise.resolve(WILL_GO);
  }

  send(added: Buffer): Promise<readonly HopAnswer[]> {
    this.#waiting.set(this.#envelope.eventId, { added, recipients: this.#recipients });
    return Promise.resolve(this.#recipients.map(() => HANDED));
  }

  // What was given up is not taken, and goes with the transaction.
  abort(): void {}
}
