import { createHash } from 'node:crypto';
import type { Hash } from 'node:crypto';
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';

/** A message that the sink has answered with 250. */
export interface RecordedMessage {
  /** Between the angle brackets of MAIL and of each RCPT; byte strings. */
  readonly sender: string;
  readonly recipients: readonly string[];
  /** Bytes of the message, dot-stuffing undone, the final dot not counted. */
  readonly size: number;
  /** SHA-256 (hex) of those bytes. */
  readonly sha256: string;
  /** The first of those bytes, up to 4 KiB. */
  readonly head: Buffer;
  /** All of them; null in a sink that does not keep them. */
  readonly bytes: Buffer | null;
  /** As it came over the wire: dots doubled, without the final `.` line; null as above. */
  readonly wire: Buffer | null;
}

export interface RecordingSinkOptions {
  readonly protocol?: 'smtp' | 'lmtp';
  /** Heads, sizes and hashes alone, for messages that would not fit into memory. */
  readonly forgetBytes?: boolean;
}

/** A next hop that accepts everything and remembers it exactly. */
export interface RecordingSink extends AsyncDisposable {
  readonly port: number;
  /** In the order of their 250. */
  readonly messages: readonly RecordedMessage[];
  /** Transactions between MAIL and their end, right now. */
  readonly openTransactions: number;
  /** Forgets the messages so far. */
  clear(): void;
}

const KEYWORDS = ['PIPELINING', '8BITMIME', 'SMTPUTF8', 'SIZE 0', 'ENHANCEDSTATUSCODES'];
/** The longest command line that a sane client sends is far below. */
const MAX_COMMAND = 16 * 1024;
const HEAD_BYTES = 4096;
const LF = 0x0a;
const END_OF_DATA = Buffer.from('\r\n.\r\n');
/** A stuffed dot is never the first byte of what is looked at: see `IncomingMessage`. */
const DOT_LINE = Buffer.from('\r\n.');

/**
 * Starts an SMTP or LMTP server on a free port of 127.0.0.1. It takes only `CRLF . CRLF` for the end of a message
 * and keeps every byte before it: what other servers might do with odd line ends is for the test to judge.
 */
export async function startRecordingSink(options: RecordingSinkOptions = {}): Promise<RecordingSink> {
  const sockets = new Set<Socket>();
  const sessions = new Set<SinkSession>();
  const messages: RecordedMessage[] = [];
  const server = createServer({ noDelay: true }, socket => {
    const session = new SinkSession(socket, options, message => messages.push(message));
    sockets.add(socket);
    sessions.add(session);
    socket.on('data', bytes => session.take(bytes));
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      sockets.delete(socket);
      sessions.delete(session);
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    messages,
    get openTransactions() {
      return [...sessions].filter(session => session.inTransaction).length;
    },
    clear: () => {
      messages.length = 0;
    },
    [Symbol.asyncDispose]: () => {
      for (const socket of sockets) socket.destroy();
      return new Promise(resolve => {
        server.close(() => resolve());
      });
    },
  };
}

class SinkSession {
  inTransaction = false;
  readonly #socket: Socket;
  readonly #lmtp: boolean;
  readonly #keep: boolean;
  readonly #record: (message: RecordedMessage) => void;
  #line = '';
  #sender = '';
  #recipients: string[] = [];
  #message: IncomingMessage | null = null;

  constructor(socket: Socket, options: RecordingSinkOptions, record: (message: RecordedMessage) => void) {
    this.#socket = socket;
    this.#lmtp = options.protocol === 'lmtp';
    this.#keep = options.forgetBytes !== true;
    this.#record = record;
    this.#say(`220 sink.example ${this.#lmtp ? 'LMTP' : 'ESMTP'}`);
  }

  take(bytes: Buffer): void {
    let rest: Buffer | null = bytes;
    while (rest !== null && rest.length > 0)
      rest = this.#message ? this.#data(this.#message, rest) : this.#command(rest);
  }

  /** Takes one command line and returns what follows it; null when the line is not complete. */
  #command(bytes: Buffer): Buffer | null {
    const end = bytes.indexOf(LF);
    this.#line += bytes.toString('latin1', 0, end < 0 ? bytes.length : end + 1);
    if (this.#line.length > MAX_COMMAND) this.#socket.destroy();
    if (end < 0) return null;
    const line = this.#line;
    this.#line = '';
    this.#obey(line);
    return bytes.subarray(end + 1);
  }

  #obey(line: string): void {
    const verb = line.slice(0, line.search(/[^A-Za-z]/)).toUpperCase();
    const path = /<(.*)>/s.exec(line)?.[1] ?? '';
    switch (verb) {
      case 'EHLO':
      case 'LHLO':
        if ((verb === 'LHLO') !== this.#lmtp) return this.#say('500 5.5.1 wrong protocol');
        this.#reset();
        return this.#say(
          [
            '250-sink.example',
            ...KEYWORDS.map((word, i) => `250${i < KEYWORDS.length - 1 ? '-' : ' '}${word}`),
          ].join('\r\n'),
        );
      case 'HELO':
      case 'RSET':
        this.#reset();
        return this.#say('250 2.0.0 ok');
      case 'MAIL':
        if (this.inTransaction) return this.#say('503 5.5.1 nested MAIL');
        this.inTransaction = true;
        this.#sender = path;
        return this.#say('250 2.1.0 ok');
      case 'RCPT':
        if (!this.inTransaction) return this.#say('503 5.5.1 MAIL first');
        this.#recipients.push(path);
        return this.#say('250 2.1.5 ok');
      case 'DATA':
        if (this.#recipients.length === 0) return this.#say('503 5.5.1 RCPT first');
        this.#message = new IncomingMessage(this.#keep);
        return this.#say('354 go ahead');
      case 'NOOP':
        return this.#say('250 2.0.0 ok');
      case 'QUIT':
        this.#socket.end('221 2.0.0 bye\r\n');
        return;
      default:
        this.#say('500 5.5.2 what?');
    }
  }

  #data(message: IncomingMessage, bytes: Buffer): Buffer | null {
    const rest = message.push(bytes);
    if (rest === null) return null;
    const recipients = this.#recipients;
    this.#record({ sender: this.#sender, recipients, ...message.finished() });
    this.#say(Array.from(this.#lmtp ? recipients : [''], () => '250 2.0.0 taken').join('\r\n'));
    this.#reset();
    return rest;
  }

  #reset(): void {
    this.inTransaction = false;
    this.#recipients = [];
    this.#message = null;
  }

  #say(text: string): void {
    this.#socket.write(`${text}\r\n`, 'latin1');
  }
}

/** The bytes of one DATA phase, up to the final dot. */
class IncomingMessage {
  readonly #wire: Buffer[] = [];
  readonly #plain: Buffer[] = [];
  readonly #hash: Hash = createHash('sha256');
  readonly #keep: boolean;
  #size = 0;
  #head: Buffer = Buffer.alloc(0);
  /** What may be the beginning of an end. A message begins as if after CRLF, so that it can consist of its end. */
  #held: Buffer = END_OF_DATA.subarray(0, 2);
  /** Bytes of that CRLF, which is no part of the message, still to be left out. */
  #foreign = 2;

  constructor(keep: boolean) {
    this.#keep = keep;
  }

  /** Null: more is wanted; otherwise what follows the final dot. */
  push(bytes: Buffer): Buffer | null {
    const all = Buffer.concat([this.#held, bytes]);
    const end = all.indexOf(END_OF_DATA);
    const until = end >= 0 ? end + 2 : all.length - beginningOfEnd(all);
    this.#held = all.subarray(until);
    if (until > 0) this.#pass(all.subarray(0, until));
    return end >= 0 ? all.subarray(end + END_OF_DATA.length) : null;
  }

  finished(): Omit<RecordedMessage, 'sender' | 'recipients'> {
    return {
      size: this.#size,
      sha256: this.#hash.digest('hex'),
      head: this.#head,
      bytes: this.#keep ? Buffer.concat(this.#plain) : null,
      wire: this.#keep ? Buffer.concat(this.#wire) : null,
    };
  }

  /** `bytes` never ends within CRLF and dot, so each stuffed dot is seen together with the line end before it. */
  #pass(bytes: Buffer): void {
    const foreign = this.#foreign;
    this.#foreign = 0;
    if (this.#keep) this.#wire.push(bytes.subarray(foreign));
    let from = foreign;
    for (let dot = bytes.indexOf(DOT_LINE); dot >= 0; dot = bytes.indexOf(DOT_LINE, dot + 3)) {
      this.#take(bytes.subarray(from, dot + 2));
      from = dot + 3;
    }
    this.#take(bytes.subarray(from));
  }

  #take(plain: Buffer): void {
    if (this.#size < HEAD_BYTES)
      this.#head = Buffer.concat([this.#head, plain.subarray(0, HEAD_BYTES - this.#size)]);
    this.#size += plain.length;
    this.#hash.update(plain);
    if (this.#keep) this.#plain.push(plain);
  }
}

/** How many of the last bytes could be the first of an end of data. */
function beginningOfEnd(bytes: Buffer): number {
  for (let length = Math.min(bytes.length, END_OF_DATA.length - 1); length > 0; length--) {
    if (bytes.subarray(-length).equals(END_OF_DATA.subarray(0, length))) return length;
  }
  return 0;
}
