import type { Socket } from 'node:net';
import type { SecureContext } from 'node:tls';
import { TLSSocket } from 'node:tls';
import type { SettingValues } from '../control/settings.ts';
import type { SpoolLimits } from '../mail/message-writer.ts';
import type { Reply } from '../model/reply.ts';
import { reply } from '../model/reply.ts';
import type { Tls } from '../model/session.ts';
import type { Answer } from '../pipeline/answer.ts';
import type { Conversation } from '../pipeline/conversation.ts';
import type { Command, Verb } from './command.ts';
import { parseCommand, VERBS } from './command.ts';
import { MessageReception } from './message-reception.ts';
import { needsUtf8, parseMailParameters, parsePath } from './path.ts';
import { renderReply } from './render.ts';
import { SMTP } from './replies.ts';

/** What a session needs besides its conversation. */
export interface SessionSurroundings {
  /** The certificate of this moment; null: no STARTTLS. */
  secureContext(): SecureContext | null;
  readonly spoolFolder: string;
  /** True when the process is draining: sessions end at the next quiet point. */
  draining(): boolean;
  now(): number;
  /** The session is over and its socket closed. */
  ended(session: SmtpSession): void;
  /** Something of ours broke; for the log. */
  problem(sessionId: string, error: unknown): void;
}

/** How long a TLS handshake may take; milliseconds. */
const HANDSHAKE_MS = 30_000;
/** How long a client may take to close after we have said the last word, milliseconds. */
const LINGER_MS = 2000;
/** A client that pipelines more than this while we are busy is not read any further for the moment. */
const MAX_WAITING_INPUT = 128 * 1024;
/** DATA may be slow for so long before `datarate` counts, milliseconds. */
const RATE_GRACE_MS = 30_000;

/**
 * The SMTP dialogue with one client (RFC 5321), over a socket that the listener has accepted and identified. It knows
 * the protocol; every decision about mail is the conversation's. Commands are taken one at a time, answers of a
 * pipelined group leave together.
 */
export class SmtpSession {
  readonly conversation: Conversation;
  readonly #around: SessionSurroundings;
  readonly #settings: SettingValues;
  #socket: Socket;
  #input: Buffer | null = null;
  #output = '';
  #busy = false;
  #over = false;
  #skippingLine = false;
  #reception: MessageReception | null = null;
  #receptionStart = 0;
  #errors = 0;
  #messages = 0;
  #greeted = false;
  /** The client sends no more, but may still listen. */
  #sentAll = false;

  constructor(socket: Socket, conversation: Conversation, around: SessionSurroundings) {
    this.#socket = socket;
    this.conversation = conversation;
    this.#around = around;
    this.#settings = conversation.settings.values;
  }

  /** Greets the client and begins to listen. `early` is what it sent before. */
  start(early: Buffer): void {
    this.#attach(this.#socket);
    if (early.length > 0) this.#input = early;
    this.#sentAll = this.#socket.readableEnded;
    const refusal = this.conversation.connect(early.length);
    this.#wait(refusal, answer => {
      if (answer !== null)
        this.#say({ ...answer.reply, code: bannerCode(answer.reply.code), close: true }, answer.eventId);
      else this.#say(reply(220, '', `${this.#greeting()} ESMTP`));
    });
    this.#pump();
  }

  /** Called every second or so: deadlines that no single read knows of. */
  tick(now: number): void {
    if (this.#over || this.#busy) return;
    const { sessiontime, datarate } = this.#settings;
    const reception = this.#reception;
    if (reception === null) {
      if (now - this.conversation.facts.startedAt > sessiontime * 1000) this.#end(SMTP.sessionTooLong);
      return;
    }
    const ms = now - this.#receptionStart;
    if (datarate > 0 && ms > RATE_GRACE_MS && reception.received < (datarate * ms) / 1000) {
      reception.discard();
      const detail = `${reception.received} bytes in ${ms} ms`;
      const said = this.conversation.refuse('message-refused', 'DATARATE', detail, SMTP.tooSlow);
      this.#end(said.reply, said.eventId);
    }
  }

  /** Ends the session at once, when it is quiet, or after the answer it is waiting for. */
  drain(): void {
    if (!this.#busy && this.#reception === null && this.conversation.transaction === null)
      this.#end(SMTP.shuttingDown);
  }

  /** Cuts the connection. */
  destroy(): void {
    this.#socket.destroy();
  }

  get #idleMs(): number {
    return Math.max(1, this.#settings.timeoutsmtpd) * 1000;
  }

  #attach(socket: Socket): void {
    socket.setTimeout(this.#idleMs);
    socket.on('data', chunk => this.#received(chunk));
    socket.on('end', () => {
      this.#sentAll = true;
      if (!this.#busy) this.#pump();
    });
    socket.on('drain', () => {
      if (!this.#busy || (this.#input?.length ?? 0) <= MAX_WAITING_INPUT) this.#listen();
    });
    socket.on('timeout', () => {
      // Over, but the client does not take our last word.
      if (this.#over) socket.destroy();
      // While we are the slow one, the client has nothing to say.
      else if (!this.#busy) this.#end(SMTP.timeout);
    });
    socket.on('error', () => undefined);
    socket.on('close', () => this.#closed());
  }

  #closed(): void {
    if (!this.#socket.destroyed) return;
    this.#over = true;
    this.#reception?.discard();
    this.#reception = null;
    this.#input = null;
    this.conversation.close();
    this.#around.ended(this);
  }

  #received(chunk: Buffer): void {
    if (this.#over) return;
    this.#input = this.#input === null ? chunk : Buffer.concat([this.#input, chunk]);
    if (!this.#busy) this.#pump();
    else if (this.#input.length > MAX_WAITING_INPUT) this.#socket.pause();
  }

  /** Listens again, unless the client has not yet read what we said last. */
  #listen(): void {
    if (this.#socket.isPaused() && !this.#socket.writableNeedDrain) this.#socket.resume();
  }

  /** Takes commands and message bytes from the input until it is empty or an answer has to be waited for. */
  #pump(): void {
    while (!this.#busy && !this.#over && this.#input !== null) {
      if (this.#reception !== null) this.#takeData(this.#reception);
      else if (!this.#takeLine()) break;
    }
    if (this.#busy) return;
    this.#flush();
    if (this.#sentAll && !this.#over) this.#close();
  }

  /** False when no whole line is there. */
  #takeLine(): boolean {
    const input = this.#input as Buffer;
    const end = input.indexOf(10);
    const limit = this.#settings.commandlength;
    if (end < 0) {
      if (this.#skippingLine) this.#input = null;
      else if (input.length > limit) {
        this.#input = null;
        this.#skippingLine = true;
      }
      return false;
    }
    this.#input = end + 1 < input.length ? input.subarray(end + 1) : null;
    if (this.#skippingLine || end >= limit) {
      this.#skippingLine = false;
      this.#say(SMTP.lineTooLong);
    } else if (input[end - 1] !== 13) this.#say(SMTP.bareLineEnd);
    else this.#command(parseCommand(input.toString('latin1', 0, end - 1)));
    return true;
  }

  #command({ verb, argument }: Command): void {
    if (verb === null) return this.#say(SMTP.unknown);
    if (VERBS[verb] === 'none' && argument !== '') return this.#say(SMTP.noArguments);
    SmtpSession.#handlers[verb](this, argument);
  }

  static readonly #handlers: Readonly<Record<Verb, (session: SmtpSession, argument: string) => void>> = {
    HELO: (session, argument) => session.#helo('HELO', argument),
    EHLO: (session, argument) => session.#helo('EHLO', argument),
    MAIL: (session, argument) => session.#mail(argument),
    RCPT: (session, argument) => session.#rcpt(argument),
    DATA: session => session.#data(),
    RSET: session => {
      session.conversation.reset();
      session.#say(SMTP.flushed);
    },
    NOOP: session => session.#say(SMTP.noop),
    VRFY: session => session.#say(SMTP.vrfy),
    EXPN: session => session.#say(SMTP.unknown),
    HELP: session => session.#say(SMTP.help),
    QUIT: session => session.#quit(),
    STARTTLS: session => session.#startTls(),
  };

  #helo(verb: 'HELO' | 'EHLO', name: string): void {
    if (name === '') return this.#say(SMTP.heloNeedsName);
    const refusal = this.conversation.helo({ verb, name }, this.conversation.facts.tls);
    this.#wait(refusal, answer => {
      if (answer !== null) return this.#say(answer.reply, answer.eventId);
      this.#greeted = true;
      this.#say({ code: 250, enhanced: '', lines: verb === 'EHLO' ? this.#keywords() : [this.#greeting()] });
    });
  }

  #keywords(): string[] {
    const { databytes, replies } = this.#settings;
    const lines = [this.#greeting(), 'PIPELINING', `SIZE ${databytes}`, '8BITMIME', 'SMTPUTF8', 'PRDR'];
    if (replies === 'enhanced') lines.push('ENHANCEDSTATUSCODES');
    if (this.conversation.facts.tls === null && this.#around.secureContext() !== null) lines.push('STARTTLS');
    return lines;
  }

  #mail(argument: string): void {
    const { requirehelo, databytes, maxmessages } = this.#settings;
    if (requirehelo && !this.#greeted) return this.#say(SMTP.heloFirst);
    if (this.conversation.transaction !== null) return this.#say(SMTP.mailAgain);
    if (maxmessages > 0 && this.#messages >= maxmessages) return this.#end(SMTP.tooManyMessages);
    if (this.#around.draining()) return this.#end(SMTP.shuttingDown);
    const path = parsePath(argument, 'FROM');
    if (path.kind === 'bad')
      return this.#say(reply(path.code, path.enhanced, `${path.text} (#${path.enhanced})`));
    const parsed = parseMailParameters(path.parameters);
    if (parsed.kind === 'bad') return this.#say(reply(555, '5.5.4', `${parsed.text} (#5.5.4)`));
    const { parameters } = parsed;
    if (!parameters.smtputf8 && needsUtf8(path.address)) return this.#say(SMTP.needsUtf8);
    if (databytes > 0 && parameters.size !== null && parameters.size > databytes + databytes / 8 + 65_536) {
      // SIZE counts CRLF where databytes counts LF, so only what cannot fit is refused before it is seen.
      const answer = this.conversation.refuse(
        'sender-refused',
        'DATABYTES',
        `SIZE=${parameters.size}`,
        SMTP.tooBig,
      );
      return this.#say(answer.reply, answer.eventId);
    }
    this.#wait(this.conversation.mail(path.address, parameters), answer => this.#sayShortly(answer));
  }

  #rcpt(argument: string): void {
    const { transaction } = this.conversation;
    if (transaction === null) return this.#say(SMTP.mailFirst);
    const path = parsePath(argument, 'TO');
    if (path.kind === 'bad')
      return this.#say(reply(path.code, path.enhanced, `${path.text} (#${path.enhanced})`));
    if (path.address === null) return this.#say(reply(501, '5.1.3', 'a recipient is missing (#5.1.3)'));
    if (path.parameters.length > 0)
      return this.#say(reply(555, '5.5.4', 'RCPT takes no parameters here (#5.5.4)'));
    if (!transaction.facts.parameters.smtputf8 && needsUtf8(path.address)) return this.#say(SMTP.needsUtf8);
    this.#wait(this.conversation.rcpt(path.address), answer => this.#sayShortly(answer));
  }

  #data(): void {
    const { transaction } = this.conversation;
    if (transaction === null) return this.#say(SMTP.mailFirst);
    if (transaction.accepted === 0) return this.#say(SMTP.noRecipient);
    this.#wait(this.conversation.data(), answer => {
      if (answer !== null) {
        this.conversation.reset();
        return this.#say(answer.reply, answer.eventId);
      }
      const { spoolbytes, headerbytes, databytes, linebreaks } = this.#settings;
      const spool: SpoolLimits = {
        memoryBytes: spoolbytes,
        folder: this.#around.spoolFolder,
        headerBytes: headerbytes,
      };
      this.#reception = new MessageReception(spool, databytes, linebreaks === 'normalise');
      this.#receptionStart = this.#around.now();
      this.#messages++;
      this.#say(SMTP.goAhead);
    });
  }

  #takeData(reception: MessageReception): void {
    const chunk = this.#input as Buffer;
    this.#input = null;
    const { rest, wait } = reception.push(chunk, memoryOf(chunk));
    if (rest !== null && rest.length > 0) this.#input = rest;
    if (rest === null) {
      if (wait === null) return;
      // The disk is slower than the client: what it sends meanwhile stays in its hands.
      this.#socket.pause();
      return this.#wait(wait, () => undefined);
    }
    this.#reception = null;
    this.#wait(this.#finishData(reception, wait), answer => {
      if (answer.each !== undefined) this.#sayEach(answer.each, answer.eventId);
      this.#say(answer.reply, answer.eventId);
    });
  }

  async #finishData(reception: MessageReception, writing: Promise<void> | null): Promise<Answer> {
    if (writing) await writing;
    const message = await reception.finish();
    if (!('rule' in message)) return this.conversation.message(message);
    return this.conversation.refuse('message-refused', message.rule, message.detail, message.reply);
  }

  #startTls(): void {
    const context = this.#around.secureContext();
    if (context === null) return this.#say(SMTP.noTls);
    if (this.conversation.facts.tls !== null) return this.#say(SMTP.alreadyTls);
    // Commands smuggled in before the handshake would be taken for protected ones (CVE-2011-0411).
    if (this.#input !== null) return this.#end(SMTP.pipelinedTls);
    this.#busy = true;
    const plain = this.#socket;
    plain.removeAllListeners();
    plain.on('error', () => undefined);
    plain.write(renderReply(SMTP.readyForTls, this.#settings.replies, null));
    const secure = new TLSSocket(plain, { isServer: true, secureContext: context });
    this.#socket = secure;
    this.#attach(secure);
    // `busy` keeps the idle limit away, so the handshake has one of its own.
    const late = setTimeout(() => secure.destroy(), Math.min(HANDSHAKE_MS, this.#idleMs));
    secure.once('close', () => clearTimeout(late));
    // Who hangs up in the handshake can hear nothing more; half open, the socket would stay and count.
    const gone = () => secure.destroy();
    secure.once('end', gone);
    secure.once('secure', () => {
      clearTimeout(late);
      secure.off('end', gone);
      this.conversation.startedTls(negotiated(secure));
      this.#greeted = false;
      this.#busy = false;
      this.#pump();
    });
  }

  /** The client has all its answers and hears a last one: nothing to linger for. */
  #quit(): void {
    // Closing over what it has sent behind QUIT would cost it the answers that are still on their way.
    if (this.#input !== null) return this.#end(SMTP.bye(this.#greeting()));
    const last = this.#output + renderReply(SMTP.bye(this.#greeting()), this.#settings.replies, null);
    this.#output = '';
    this.#over = true;
    this.#input = null;
    const socket = this.#socket;
    socket.write(last, 'latin1', () => socket.destroy());
  }

  #greeting(): string {
    return this.#settings.smtpgreeting ?? this.#settings.me;
  }

  /** Goes on with `then` now, or when the promise has settled; until then no further command is taken. */
  #wait<T>(work: T | Promise<T>, then: (value: T) => void): void {
    if (!(work instanceof Promise)) return then(work);
    this.#busy = true;
    work.then(
      value => this.#resume(() => then(value)),
      (error: unknown) => {
        this.#around.problem(this.conversation.id, error);
        this.#resume(() => this.#say(SMTP.internal));
      },
    );
  }

  #resume(then: () => void): void {
    this.#busy = false;
    if (this.#over) return;
    then();
    this.#listen();
    if (this.#around.draining()) this.drain();
    this.#pump();
  }

  #say(answer: Reply, eventId: string | null = null): void {
    if (this.#over) return;
    this.#output += renderReply(answer, this.#settings.replies, eventId);
    if (
      answer.code >= 500 &&
      this.#settings.harderrors > 0 &&
      ++this.#errors >= this.#settings.harderrors &&
      !answer.close
    ) {
      this.#output += renderReply(SMTP.tooManyErrors, this.#settings.replies, null);
      this.#close();
    } else if (answer.close) this.#close();
  }

  /** An answer on the way to a message: an id belongs to a refusal, and to the end of the message. */
  #sayShortly({ reply: said, eventId }: Answer): void {
    this.#say(said, said.code >= 400 ? eventId : null);
  }

  /** A reply for each recipient comes before the one that ends the message (draft-hall-prdr-00 3). */
  #sayEach(replies: readonly Reply[], eventId: string): void {
    for (const answer of [SMTP.replyEach, ...replies])
      this.#output += renderReply(answer, this.#settings.replies, answer === SMTP.replyEach ? null : eventId);
  }

  #end(answer: Reply, eventId: string | null = null): void {
    this.#say(answer.close ? answer : { ...answer, close: true }, eventId);
  }

  #flush(): void {
    if (this.#output === '') return;
    const text = this.#output;
    this.#output = '';
    // A client that sends and does not read fills its own buffers, not our memory; the idle limit ends it.
    if (!this.#socket.write(text, 'latin1')) this.#socket.pause();
  }

  /** Says what is left, takes nothing more, and gives the client a moment to read it. */
  #close(): void {
    this.#flush();
    this.#over = true;
    this.#input = null;
    const socket = this.#socket;
    socket.end();
    socket.resume();
    setTimeout(() => socket.destroy(), LINGER_MS).unref();
  }
}

/** A refusal as first line of a session: RFC 5321 3.1 knows 554 and 421 there. */
function bannerCode(code: number): number {
  return code >= 500 ? 554 : 421;
}

function negotiated(socket: TLSSocket): Tls {
  return { protocol: socket.getProtocol() ?? 'TLS', cipher: socket.getCipher().name };
}

/** The memory that holds nothing but `chunk`, as what a socket reads does; null when there may be something else in it. */
function memoryOf(chunk: Buffer): ArrayBuffer | null {
  const { buffer } = chunk;
  return buffer instanceof ArrayBuffer && buffer.byteLength === chunk.length ? buffer : null;
}
