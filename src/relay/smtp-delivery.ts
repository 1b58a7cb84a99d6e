import type { Address } from '../model/address.ts';
import type { Delivery, DeliveryEnvelope, HopAnswer } from '../model/delivery.ts';
import type { Message } from '../model/message.ts';
import { reply } from '../model/reply.ts';
import type { Reply } from '../model/reply.ts';
import { answerOf, isPositive, LACKS, TROUBLE } from './answers.ts';
import type { Connection, Features } from './connection.ts';
import type { Protocol, Timeouts } from './greeting.ts';
import { writeMessage } from './message-data.ts';
import type { RefusalCache } from './refusal-cache.ts';

/** Where connections for a delivery come from and go back to. */
export interface ConnectionSource {
  /** Two sources with one key lead to the same hop. */
  readonly key: string;
  /** The hop in words, for answers that no connection gave. */
  readonly name: string;
  readonly protocol: Protocol;
  readonly timeouts: Timeouts;
  /** A connection on which no transaction is open; `fresh`: not one that has idled. Otherwise what to answer. */
  acquire(fresh: boolean): Promise<Connection | HopAnswer>;
  /** Takes back a connection on which no transaction is open. */
  release(connection: Connection): void;
}

const BAD_ADDRESS = reply(553, '5.1.3', 'address holds bytes that no SMTP command can carry');

/**
 * One message to an SMTP or LMTP hop (RFC 5321, RFC 2033). The recipients are asked one by one, MAIL together with the
 * first where the hop has PIPELINING; DATA is said in `send` only. Trouble with the connection fails the operation in
 * flight and all later ones; only MAIL and the first RCPT are tried a second time, when an idle connection turns out
 * to be stale.
 */
export class SmtpDelivery implements Delivery {
  readonly #source: ConnectionSource;
  readonly #envelope: DeliveryEnvelope;
  readonly #refusals: RefusalCache;
  readonly #accepted: string[] = [];
  #connection: Connection | null = null;
  /** The answer to every further recipient, once MAIL or the connection has failed. */
  #settled: HopAnswer | null = null;
  #inFlight = false;
  #ended = false;

  constructor(source: ConnectionSource, envelope: DeliveryEnvelope, refusals: RefusalCache) {
    this.#source = source;
    this.#envelope = envelope;
    this.#refusals = refusals;
  }

  async addRecipient(recipient: Address): Promise<HopAnswer> {
    const { key, name } = this.#source;
    const sender = this.#envelope.sender?.text ?? '';
    if (!isSendable(recipient.text) || !isSendable(sender)) return answerOf(BAD_ADDRESS, name);
    const known = this.#refusals.get(key, recipient.text);
    if (known !== null) return known;
    if (this.#settled !== null) return this.#settled;
    if (this.#ended) return answerOf(TROUBLE.givenUp, name);
    this.#inFlight = true;
    const said =
      this.#connection === null ? await this.#begin(recipient) : await this.#ask(this.#connection, recipient);
    this.#inFlight = false;
    return said ?? this.#broken();
  }

  async send(added: Buffer, message: Message): Promise<readonly HopAnswer[]> {
    const connection = this.#connection;
    if (connection === null || this.#ended || this.#accepted.length === 0) {
      const none = answerOf(TROUBLE.givenUp, this.#source.name);
      this.abort();
      return this.#accepted.map(() => none);
    }
    const refusal = lack(connection.features, added, message);
    if (refusal !== null) {
      this.abort();
      return this.#everyone(answerOf(refusal, connection.hop));
    }
    this.#inFlight = true;
    const answers = await this.#transfer(connection, added, message);
    this.#inFlight = false;
    this.#ended = true;
    return answers;
  }

  abort(): void {
    if (this.#ended && !this.#inFlight) return;
    this.#ended = true;
    const connection = this.#connection;
    this.#connection = null;
    if (connection === null) return;
    if (this.#inFlight || !connection.usable) connection.destroy(TROUBLE.givenUp);
    else void this.#reset(connection);
  }

  /** Gets a connection and opens the transaction with the first recipient; null when the connection broke. */
  async #begin(recipient: Address): Promise<HopAnswer | null> {
    for (let fresh = false; ; fresh = true) {
      const got = await this.#source.acquire(fresh);
      if ('kind' in got) return this.#settle(got);
      if (this.#ended) {
        this.#source.release(got);
        return this.#settle(answerOf(TROUBLE.givenUp, got.hop));
      }
      this.#connection = got;
      const said = await this.#openTransaction(got, recipient);
      if (said !== 'stale') return said;
      this.#connection = null;
      void got.quit();
      if (this.#ended) return this.#settle(answerOf(TROUBLE.givenUp, got.hop));
    }
  }

  /** MAIL and the first RCPT. `stale`: the connection had idled and the hop wants no more of it. */
  async #openTransaction(connection: Connection, recipient: Address): Promise<HopAnswer | null | 'stale'> {
    const { features, hop } = connection;
    if (this.#envelope.parameters.smtputf8 && !features.smtputf8)
      return this.#settle(answerOf(LACKS.smtputf8, hop));
    const ms = this.#source.timeouts.reply;
    const mail = mailCommand(this.#envelope, features);
    const rcpt = rcptCommand(recipient);
    connection.command(features.pipelining ? mail + rcpt : mail, features.pipelining ? 2 : 1);

    const toMail = await connection.read(ms);
    if (toMail === null) return connection.reused ? 'stale' : null;
    if (!isPositive(toMail)) {
      // The pipelined RCPT has its own answer, which says nothing.
      if (features.pipelining && connection.usable) await connection.read(ms);
      if (connection.reused && toMail.code >= 400 && toMail.code < 500) return 'stale';
      return this.#settle(answerOf(toMail, hop));
    }
    if (!features.pipelining) connection.command(rcpt);
    const toRcpt = await connection.read(ms);
    if (connection.reused && (toRcpt === null || toRcpt.code === 421)) return 'stale';
    return toRcpt === null ? null : this.#note(connection, recipient, toRcpt);
  }

  /** One more RCPT; null when the connection broke. */
  async #ask(connection: Connection, recipient: Address): Promise<HopAnswer | null> {
    connection.command(rcptCommand(recipient));
    const said = await connection.read(this.#source.timeouts.reply);
    return said === null ? null : this.#note(connection, recipient, said);
  }

  #note(connection: Connection, recipient: Address, said: Reply): HopAnswer {
    const answer = answerOf(said, connection.hop);
    if (answer.kind === 'accepted') this.#accepted.push(recipient.text);
    else this.#refusals.note(this.#source.key, recipient.text, answer, said.enhanced !== '');
    if (said.code === 421) this.#settled = answer;
    return answer;
  }

  /** DATA, the message, and the answers. */
  async #transfer(connection: Connection, added: Buffer, message: Message): Promise<readonly HopAnswer[]> {
    const { timeouts, protocol } = this.#source;
    const { hop } = connection;
    connection.command('DATA\r\n');
    const go = await connection.read(timeouts.reply);
    if (go === null) return this.#everyone(this.#broken());
    if (go.code !== 354) {
      if (isPositive(go) || !connection.usable) connection.destroy(TROUBLE.givenUp);
      else void this.#reset(connection);
      return this.#everyone(notAccepted(go, hop));
    }
    const replies = protocol === 'lmtp' ? this.#accepted.length : 1;
    const trouble = await writeMessage(connection, added, message, replies, timeouts.reply);
    if (trouble !== null) return this.#everyone(notAccepted(trouble, hop));

    const answers: HopAnswer[] = [];
    while (answers.length < replies) {
      const said = await connection.read(timeouts.final);
      if (said === null) break;
      // A yes to a message that has not left us yet cannot be meant.
      if (connection.unsent > 0) answers.push(notAccepted(said, hop));
      else answers.push(answerOf(said, hop));
    }
    if (answers.length === replies && connection.unsent === 0) this.#source.release(connection);
    else connection.destroy(TROUBLE.givenUp);
    const [only] = answers;
    if (protocol === 'smtp' && only !== undefined) return this.#everyone(only);
    while (answers.length < this.#accepted.length) answers.push(this.#broken());
    return answers;
  }

  /** Ends the transaction at the hop and gives the connection back, in the background. */
  async #reset(connection: Connection): Promise<void> {
    connection.command('RSET\r\n');
    const said = await connection.read(this.#source.timeouts.reply);
    if (said !== null && isPositive(said)) this.#source.release(connection);
    else connection.destroy(TROUBLE.givenUp);
  }

  #settle(answer: HopAnswer): HopAnswer {
    this.#settled = answer;
    return answer;
  }

  /** The answer of a connection that broke, or of none. */
  #broken(): HopAnswer {
    const connection = this.#connection;
    const trouble = connection?.trouble ?? TROUBLE.givenUp;
    return this.#settle(answerOf(trouble, connection?.hop ?? this.#source.name));
  }

  #everyone(answer: HopAnswer): readonly HopAnswer[] {
    return this.#accepted.map(() => answer);
  }
}

/** What the hop said in the middle of the data, where a yes cannot be meant. */
function notAccepted(said: Reply, hop: string): HopAnswer {
  const answer = answerOf(said, hop);
  return answer.kind === 'accepted'
    ? answerOf(TROUBLE.garbage(`reply ${said.code} before the end of the data`), hop)
    : answer;
}

/** Why the hop cannot be given this message, when that is known before DATA. */
function lack(features: Features, added: Buffer, message: Message): Reply | null {
  if (message.eightBit && !features.eightBitMime) return LACKS.eightBit;
  if (features.sizeLimit > 0 && message.size + added.length > features.sizeLimit) return LACKS.size;
  return null;
}

function mailCommand(envelope: DeliveryEnvelope, features: Features): string {
  const { size, body, smtputf8 } = envelope.parameters;
  let line = `MAIL FROM:<${envelope.sender?.text ?? ''}>`;
  if (size !== null && size > 0 && features.size) line += ` SIZE=${size}`;
  if (body === '8BITMIME' && features.eightBitMime) line += ' BODY=8BITMIME';
  if (smtputf8) line += ' SMTPUTF8';
  return `${line}\r\n`;
}

function rcptCommand(recipient: Address): string {
  return `RCPT TO:<${recipient.text}>\r\n`;
}

/** False for an address that would end the command and begin another. */
function isSendable(text: string): boolean {
  return !text.includes('\r') && !text.includes('\n') && !text.includes('\0');
}
