import type { Socket } from 'node:net';
import { basename } from 'node:path';
import { LineEnds } from '../mail/line-ends.ts';
import type { SpoolLimits } from '../mail/message-writer.ts';
import { takeTurns } from '../mail/turns.ts';
import type { Address } from '../model/address.ts';
import { address } from '../model/address.ts';
import type { Message } from '../model/message.ts';
import type { Caller } from '../model/session.ts';
import { reply } from '../model/reply.ts';
import type { Answer } from '../pipeline/answer.ts';
import type { Conversation } from '../pipeline/conversation.ts';
import type { Gateway } from '../pipeline/gateway.ts';
import { allSeenTo, MAX_HEADER_BLOCK, no, yes } from './answers.ts';
import type { QueueEnvelope } from './envelope.ts';
import { EnvelopeReader } from './envelope.ts';
import type { Frame } from './frames.ts';
import { FrameReader, frames } from './frames.ts';
import type { HandBack } from './hand-back.ts';
import { QueueMessage } from './queue-message.ts';
import type { Bringer } from './received-by-qmail.ts';
import { bringer } from './received-by-qmail.ts';

/** The version of what is spoken here. */
const PROTOCOL = '1';

/** Bytes. An envelope of 10,000 recipients has some 400 kB. */
const MAX_ENVELOPE = 16 * 1024 * 1024;

/** Each costs some 1.6 kB while it is judged, and has to fit into a held copy's head. */
const MAX_RECIPIENTS = 30_000;

const TOO_MANY = reply(452, '4.5.3', `more than ${MAX_RECIPIENTS} recipients (#4.5.3)`);

/** So many recipients are judged without giving others their turn. */
const FEW = 20;

/** Variables of one environment. */
const MAX_VARIABLES = 300;

/** qmail-smtpd waits 1200 s for its client, and whoever asks us waits with it; milliseconds. */
const IDLE_MS = 1_800_000;

const BROKEN = reply(451, '4.3.0', 'mail server temporarily rejected message (#4.3.0)');
const NOT_STORED = reply(451, '4.3.0', 'the message could not be stored, try again later (#4.3.0)');
const LOOP = reply(
  451,
  '4.3.5',
  'postern-queue is to queue the message itself; ask the administrator (#4.3.5)',
);

/** What a session needs from whoever accepts it. */
export interface QueueParts {
  readonly gateway: Gateway;
  readonly handBack: HandBack;
  /** The same house, for looking at mail without any effect; what it would have recorded goes to `said`. */
  readonly shadow: (said: (record: ShadowRecord) => void) => Gateway;
  spool(): SpoolLimits;
  readonly version: string;
  /** For the log: what a program that asks has got wrong. */
  garbage(text: string): void;
  /** For the log: what should not happen. */
  problem(sessionId: string, error: unknown): void;
}

/** A record that has not been written. */
export type ShadowRecord = Parameters<Gateway['parts']['journal']['write']>[0];

/** What the protocol does not allow. */
class Garbage extends Error {}

/** One question of one postern-queue: a message, its envelope, the environment; and the answer. */
export class QueueSession {
  readonly #socket: Socket;
  readonly #parts: QueueParts;
  readonly #ended: () => void;
  readonly #reader = new FrameReader();
  readonly #variables = new Map<string, string>();
  readonly #envelope = new EnvelopeReader(MAX_ENVELOPE, MAX_RECIPIENTS);
  #caller: Caller | null = null;
  #message: QueueMessage | null = null;
  #state: 'version' | 'about' | 'message' | 'envelope' | 'deciding' | 'over' = 'version';
  #shadow = false;
  /** Shadow mode: what the old filter said. */
  readonly #outcome = Promise.withResolvers<string>();
  #conversation: Conversation | null = null;
  /** Nobody is there any more to hear an answer that has not been given. */
  #gone = false;

  /** `ended` is called once, when all is over. */
  constructor(socket: Socket, parts: QueueParts, ended: () => void) {
    this.#socket = socket;
    this.#parts = parts;
    this.#ended = ended;
    socket.setTimeout(IDLE_MS, () => socket.destroy());
    socket.on('data', chunk => this.#received(chunk));
    socket.on('error', () => undefined);
    socket.on('close', () => this.#closed());
  }

  /** Ends it; postern-queue takes that for a temporary failure. */
  destroy(): void {
    this.#socket.destroy();
  }

  #received(chunk: Buffer): void {
    try {
      for (const frame of this.#reader.push(chunk)) this.#take(frame);
    } catch (error) {
      if (!(error instanceof Garbage || error instanceof RangeError)) throw error;
      this.#parts.garbage(error.message);
      this.#socket.destroy();
    }
  }

  #take({ type, payload }: Frame): void {
    switch (this.#state) {
      case 'version':
        if (type !== 'V' || payload.toString('latin1') !== PROTOCOL)
          throw new Garbage(`${type} in place of version ${PROTOCOL}`);
        this.#state = 'about';
        return;
      case 'about':
        return this.#about(type, payload);
      case 'message':
        return this.#messageBytes(type, payload);
      case 'envelope':
        return this.#envelopeBytes(type, payload);
      case 'deciding':
        if (!this.#shadow || type !== 'O') throw new Garbage(`${type} after the end of the envelope`);
        this.#outcome.resolve(payload.toString('latin1', 0, 40));
        return;
      case 'over':
    }
  }

  #about(type: string, payload: Buffer): void {
    if (type === 'P') {
      this.#state = 'over';
      this.#socket.end(Buffer.concat(frames('P', Buffer.from(this.#parts.version))));
    } else if (type === 'S') this.#shadow = true;
    else if (type === 'E') {
      const text = payload.toString('latin1');
      const equals = text.indexOf('=');
      if (equals < 1 || this.#variables.size >= MAX_VARIABLES)
        throw new Garbage('not a variable, or too many');
      const [name, value] = [text.slice(0, equals), text.slice(equals + 1)];
      // qmail-dk in front of us finds us in DKQUEUE: that is not who comes after us.
      if (!(NEXT_VARIABLES.includes(name) && isOurselves(value))) this.#variables.set(name, value);
    } else if (type === 'M' || type === 'm') {
      this.#state = 'message';
      this.#message = new QueueMessage(this.#parts.spool());
      this.#messageBytes(type, payload);
    } else if (type === 'I') this.#caller = callerOf(payload.toString('latin1'));
    else throw new Garbage(`${type} before the message`);
  }

  #messageBytes(type: string, payload: Buffer): void {
    if (type === 'm') {
      this.#state = 'envelope';
      return;
    }
    if (type !== 'M') throw new Garbage(`${type} in the message`);
    const wait = this.#message?.write(payload) ?? null;
    if (wait === null) return;
    this.#socket.pause();
    void wait.then(() => this.#socket.resume());
  }

  #envelopeBytes(type: string, payload: Buffer): void {
    if (type === 'R') return this.#envelope.push(payload);
    if (type !== 'r') throw new Garbage(`${type} in the envelope`);
    const envelope = this.#envelope.finish();
    if (envelope === null) throw new Garbage('the envelope has no end');
    this.#state = 'deciding';
    if (this.#envelope.tooMany) {
      this.#message?.discard();
      return this.#answer(no(TOO_MANY, null));
    }
    this.#decide(envelope)
      .catch((error: unknown) => {
        if (!this.#gone) this.#parts.problem(this.#conversation?.id ?? '', error);
        this.#answer(no(BROKEN, null));
      })
      .finally(() => {
        if (this.#gone && !this.#shadow) this.#conversation?.abandoned('before the answer');
      });
  }

  async #decide(envelope: QueueEnvelope): Promise<void> {
    const incoming = this.#message as QueueMessage;
    let message: Message;
    try {
      message = await incoming.finish();
    } catch (error) {
      this.#parts.problem('', error);
      return this.#answer(no(NOT_STORED, null));
    }
    if (this.#shadow) return this.#look(message, envelope);
    const by = bringer(this.#variables, message.header.toString('latin1'));
    const conversation = this.#parts.gateway.openFor({ ...by, caller: this.#caller }, this.#variables);
    // Nobody to decide about; qmail-queue takes that.
    if (envelope.recipients.length === 0) {
      message.release();
      return this.#answer(yes(Buffer.alloc(0), conversation.settings.values.qmailqueue, envelope));
    }
    // Before anything is held or promised.
    if (envelope.recipients.some(recipient => isOurselves(nextProgram(conversation, recipient)))) {
      message.release();
      this.#parts.problem(conversation.id, new Error('qmailqueue names postern-queue itself'));
      return this.#answer(no(LOOP, null));
    }
    const { reply: said, eventId } = await this.#asked(conversation, by, message, envelope);
    const handed = this.#parts.handBack.take(eventId);
    if (said.code >= 400) return this.#answer(no(said, eventId));
    if (handed === null) return this.#answer(allSeenTo());
    const lf = new LineEnds();
    const block = Buffer.concat([lf.toLf(handed.added), lf.end()]);
    if (block.length > MAX_HEADER_BLOCK) throw new Error(`a header block of ${block.length} bytes`);
    const next = nextProgram(conversation, handed.recipients[0] ?? '');
    this.#answer(yes(block, next, { sender: envelope.sender, recipients: handed.recipients }));
  }

  /** `#ask`; the message is released, whatever comes of it. */
  async #asked(
    conversation: Conversation,
    by: Bringer,
    message: Message,
    envelope: QueueEnvelope,
  ): Promise<Answer> {
    try {
      return await this.#ask(conversation, by, message, envelope);
    } finally {
      message.release();
    }
  }

  /** Everything that a session and a transaction go through, in one go. */
  async #ask(
    conversation: Conversation,
    { client, helo, tls }: Bringer,
    message: Message,
    { sender, recipients }: QueueEnvelope,
  ): Promise<Answer> {
    this.#conversation = conversation;
    if (client === null) conversation.skip('connect', 'the message came over no network');
    else await conversation.connect(0);
    if (helo === null) conversation.skip('helo', 'what the client said is not told');
    else await conversation.helo(helo, tls);
    const parameters = { size: null, body: null, smtputf8: false } as const;
    const all = recipients.map(address);
    await conversation.mail(sender === '' ? null : address(sender), parameters, all);
    const refused = await this.#refusedBefore(conversation, all);
    return refused ?? conversation.message(message);
  }

  /** Everybody, and the checks that need all of them. Null: the message is next. */
  async #refusedBefore(conversation: Conversation, recipients: readonly Address[]): Promise<Answer | null> {
    const turns = recipients.length > FEW ? takeTurns(conversation.signal) : null;
    for (const recipient of recipients) {
      const answer = await conversation.rcpt(recipient);
      if (answer.reply.code >= 400) return answer;
      if (turns?.over() === true) await turns.yield();
    }
    return conversation.data();
  }

  /** Shadow mode: looks without any effect, and writes down what came of it beside what the old filter said. */
  async #look(message: Message, envelope: QueueEnvelope): Promise<void> {
    const { journal } = this.#parts.gateway.parts;
    const records: ShadowRecord[] = [];
    const gateway = this.#parts.shadow(record => records.push(record));
    const by = bringer(this.#variables, message.header.toString('latin1'));
    if (envelope.recipients.length === 0) message.release();
    else {
      const conversation = gateway.openFor({ ...by, caller: this.#caller }, this.#variables);
      const { eventId } = await this.#asked(conversation, by, message, envelope);
      this.#parts.handBack.take(eventId);
    }
    const said = await this.#outcome.promise;
    for (const record of records) journal.write({ ...record, shadow: said });
    this.#socket.end();
  }

  #answer(bytes: readonly Buffer[]): void {
    if (this.#shadow) return;
    this.#state = 'over';
    this.#socket.end(Buffer.concat(bytes));
  }

  #closed(): void {
    // A message has begun, and its envelope has not come to its end.
    const begun = this.#state === 'message' || this.#state === 'envelope';
    this.#gone = this.#state === 'deciding';
    this.#outcome.resolve('not told');
    if (begun) this.#message?.discard();
    if (begun && !this.#shadow) {
      const by = bringer(this.#variables, '');
      this.#parts.gateway
        .openFor({ ...by, caller: this.#caller }, this.#variables)
        .abandoned(
          this.#state === 'envelope' ? 'before the end of the envelope' : 'before the end of the message',
        );
    }
    if (!this.#shadow) this.#conversation?.close();
    this.#state = 'over';
    this.#ended();
  }
}

/** Variables that name the program after us. */
const NEXT_VARIABLES: readonly string[] = ['QMAILQUEUE_NEXT', 'DKQUEUE', 'DKIMQUEUE'];

function isOurselves(program: string): boolean {
  return basename(program) === 'postern-queue';
}

/** Null for what is not `uid=1 gid=2 pid=3 ppid=4`. */
function callerOf(text: string): Caller | null {
  const [, uid, gid, pid, ppid] = (
    /^uid=(\d{1,10}) gid=(\d{1,10}) pid=(\d{1,10}) ppid=(\d{1,10})$/.exec(text) ?? []
  ).map(Number);
  if (uid === undefined || gid === undefined || pid === undefined || ppid === undefined) return null;
  return { uid, gid, pid, ppid };
}

/** The program that queues the message: that of the first recipient, as simcontrol, tcp.smtp or the site has it. */
function nextProgram({ configuration, settings }: Conversation, recipient: string): string {
  return configuration.forRecipient(settings, address(recipient)).values.qmailqueue;
}
