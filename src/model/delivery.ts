import type { Address } from './address.ts';
import type { Message } from './message.ts';
import type { MailParameters } from './session.ts';
import type { Reply } from './reply.ts';

/**
 * The answer of a next hop. `accepted` is a promise of the hop; `refused` is its permanent no; `failed` covers
 * everything else: a 4xx, no connection, garbage, a time-out.
 */
export interface HopAnswer {
  readonly kind: 'accepted' | 'refused' | 'failed';
  /** What to tell the client: the hop's own words where it had any. */
  readonly reply: Reply;
  /** Which hop, for the record: `smtp 127.0.0.1:2526`, `lmtp /run/lmtp`, `maildir var/Maildir`. */
  readonly hop: string;
}

/** What a delivery needs to know of the envelope before the first recipient. */
export interface DeliveryEnvelope {
  readonly sender: Address | null;
  readonly parameters: MailParameters;
  /** Id of the transaction, for the hop's own log or file name. */
  readonly eventId: string;
}

/**
 * One message on its way to one next hop, in two steps, so that the hop can refuse a recipient while the client still
 * waits at RCPT. Calls come one at a time: addRecipient any number of times, then send or abort, once.
 */
export interface Delivery {
  addRecipient(recipient: Address): Promise<HopAnswer>;
  /**
   * Sends `added` (our header block, CRLF lines) followed by the message's bytes to the recipients accepted so far.
   * One answer a recipient, in the order they were accepted. Never rejects: trouble is `failed`.
   */
  send(added: Buffer, message: Message): Promise<readonly HopAnswer[]>;
  /** Gives up; the hop must not deliver anything. Safe to call at any time, also after send. */
  abort(): void;
}

/** Where mail for a recipient goes. Two recipients with the same key share one delivery. */
export interface NextHop {
  readonly key: string;
  open(envelope: DeliveryEnvelope): Delivery;
}

/** Picks the next hop of a recipient domain; null when there is no route to it. */
export interface Router {
  route(recipient: Address): NextHop;
}
