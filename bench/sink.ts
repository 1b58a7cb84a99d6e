import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { MARKER_FIELD, hashOf } from './message.ts';

/** What a sink has received so far. */
export interface Sink {
  readonly port: number;
  /** Messages that were answered with 250. */
  readonly messages: number;
  /** How often each marker came. */
  readonly markers: ReadonlyMap<string, number>;
  /** SHA-256 of each marker's body, dot-stuffing undone; empty unless asked for. */
  readonly bodyHashes: ReadonlyMap<string, string>;
  /** Each marker's header block as it came, without the empty line; cut where it is longer than 16 KiB. */
  readonly headers: ReadonlyMap<string, string>;
  /** Ends all connections. */
  close(): Promise<void>;
}

export interface SinkOptions {
  /** Keep and hash bodies; costs memory and time. */
  readonly hashBodies?: boolean;
  /** Keep header blocks. */
  readonly keepHeaders?: boolean;
  /** Default: a free one. */
  readonly port?: number;
}

const END_OF_DATA = Buffer.from('\r\n.\r\n');
/** The marker is looked for in so many bytes at the beginning of a message. */
const HEAD_BYTES = 16 * 1024;

/**
 * Starts an SMTP server on 127.0.0.1 that accepts everything, counts messages and remembers their markers. It looks
 * at no more than it must: the end of DATA is found by a search for CRLF `.` CRLF, which stuffed lines cannot hold.
 */
export async function startSink(options: SinkOptions = {}): Promise<Sink> {
  const sockets = new Set<Socket>();
  const markers = new Map<string, number>();
  const bodyHashes = new Map<string, string>();
  const headers = new Map<string, string>();
  let messages = 0;
  const take = (head: Buffer, whole: Buffer | null) => {
    messages++;
    const marker = markerIn(head);
    if (marker === null) return;
    markers.set(marker, (markers.get(marker) ?? 0) + 1);
    if (whole) bodyHashes.set(marker, bodyHash(whole));
    if (options.keepHeaders) headers.set(marker, head.toString('latin1').split('\r\n\r\n', 1)[0] ?? '');
  };
  const server = createServer({ noDelay: true }, socket => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => socket.destroy());
    const session = new SinkSession(socket, options.hashBodies ?? false, take);
    socket.on('data', (bytes: Buffer) => session.take(bytes));
  });
  await new Promise<void>((listening, failed) => {
    server.once('error', failed).listen(options.port ?? 0, '127.0.0.1', listening);
  });
  return {
    port: (server.address() as AddressInfo).port,
    get messages() {
      return messages;
    },
    markers,
    bodyHashes,
    headers,
    close: () => {
      for (const socket of sockets) socket.destroy();
      return new Promise(closed => server.close(() => closed()));
    },
  };
}

class SinkSession {
  readonly #socket: Socket;
  readonly #whole: boolean;
  readonly #done: (head: Buffer, whole: Buffer | null) => void;
  #line = '';
  #inData = false;
  #head: Buffer = Buffer.alloc(0);
  #tail: Buffer = Buffer.alloc(0);
  #chunks: Buffer[] = [];

  constructor(socket: Socket, whole: boolean, done: (head: Buffer, whole: Buffer | null) => void) {
    this.#socket = socket;
    this.#whole = whole;
    this.#done = done;
    socket.write('220 sink.example ESMTP\r\n');
  }

  take(bytes: Buffer): void {
    let rest: Buffer | null = bytes;
    while (rest && rest.length > 0) rest = this.#inData ? this.#data(rest) : this.#commands(rest);
  }

  /** Reads one command at a time; returns what follows it. */
  #commands(bytes: Buffer): Buffer | null {
    const end = bytes.indexOf(0x0a);
    this.#line += bytes.toString('latin1', 0, end < 0 ? bytes.length : end + 1);
    if (this.#line.length > 4096) this.#socket.destroy();
    if (end < 0) return null;
    const verb = this.#line.slice(0, 4).trimEnd().toUpperCase();
    this.#line = '';
    if (verb === 'DATA') {
      this.#inData = true;
      this.#head = Buffer.alloc(0);
      this.#chunks = [];
      // A message may begin with the final dot: its line end is the one of DATA.
      this.#tail = Buffer.from('\r\n');
      this.#socket.write('354 go\r\n');
    } else if (verb === 'EHLO' || verb === 'LHLO') {
      this.#socket.write(
        '250-sink.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 SIZE 0\r\n',
      );
    } else if (verb === 'QUIT') {
      this.#socket.end('221 bye\r\n');
    } else {
      this.#socket.write('250 ok\r\n');
    }
    return bytes.subarray(end + 1);
  }

  #data(bytes: Buffer): Buffer | null {
    // The end may be spread over two reads: look at the seam first.
    const seam = Buffer.concat([this.#tail, bytes.subarray(0, END_OF_DATA.length - 1)]);
    const atSeam = seam.indexOf(END_OF_DATA);
    const inBytes = atSeam < 0 ? bytes.indexOf(END_OF_DATA) : -1;
    const end =
      atSeam >= 0
        ? atSeam + END_OF_DATA.length - this.#tail.length
        : inBytes < 0
          ? -1
          : inBytes + END_OF_DATA.length;
    const part = end < 0 ? bytes : bytes.subarray(0, end);
    if (this.#head.length < HEAD_BYTES)
      this.#head = Buffer.concat([this.#head, part.subarray(0, HEAD_BYTES)]);
    if (this.#whole) this.#chunks.push(part);
    if (end < 0) {
      this.#tail = Buffer.concat([this.#tail, bytes.subarray(-4)]).subarray(-4);
      return null;
    }
    this.#inData = false;
    this.#done(this.#head, this.#whole ? Buffer.concat(this.#chunks) : null);
    this.#chunks = [];
    this.#socket.write('250 taken\r\n');
    return bytes.subarray(end);
  }
}

function markerIn(head: Buffer): string | null {
  const at = head.indexOf(`\r\n${MARKER_FIELD}: `);
  if (at < 0) return null;
  const begin = at + 2 + MARKER_FIELD.length + 2;
  const end = head.indexOf('\r', begin);
  return end < 0 ? null : head.toString('latin1', begin, end);
}

/** `message` as it came over the wire, final dot included. */
function bodyHash(message: Buffer): string {
  const body = message.subarray(message.indexOf('\r\n\r\n') + 4, -3);
  return hashOf(Buffer.from(body.toString('latin1').replace(/(?<=^|\r\n)\./g, ''), 'latin1'));
}

if (import.meta.main) {
  const sink = await startSink({ port: Number(process.argv[2] ?? 0) });
  console.log(`sink on 127.0.0.1:${sink.port}; SIGUSR2 prints counts, SIGTERM ends`);
  const report = () => console.log(JSON.stringify({ messages: sink.messages, different: sink.markers.size }));
  process.on('SIGUSR2', report);
  process.once('SIGTERM', () => {
    report();
    process.exit(0);
  });
}
