import net from 'node:net';
import tls from 'node:tls';
import type { Reply } from '../model/reply.ts';
import { TROUBLE } from './answers.ts';
import { Deadline } from './deadline.ts';
import { ReplyReader } from './smtp-replies.ts';

/** One place to connect to. */
export type Place =
  | { readonly address: string; readonly port: number; readonly localAddress?: string }
  | { readonly path: string };

/** What a hop said it can do (RFC 5321 4.1.1.1). */
export interface Features {
  readonly pipelining: boolean;
  readonly eightBitMime: boolean;
  readonly smtputf8: boolean;
  readonly startTls: boolean;
  /** SIZE is offered (RFC 1870). */
  readonly size: boolean;
  /** Largest message it takes, bytes; 0 when it names no limit. */
  readonly sizeLimit: number;
}

export const NO_FEATURES: Features = {
  pipelining: false,
  eightBitMime: false,
  smtputf8: false,
  startTls: false,
  size: false,
  sizeLimit: 0,
};

/** All plain connections read into this one: the bytes are parsed before the next read, so nothing is allocated. */
const readBuffer = Buffer.allocUnsafeSlow(16 * 1024);

/** How long a QUIT may take to leave before the connection is cut. */
const QUIT_MS = 2000;

/** Pieces that make no more than this are copied into one: cheaper than what the system asks for a list of them. */
const JOINED_BYTES = 16 * 1024;

/**
 * One connection to a next hop: commands out, replies in, one deadline. It knows nothing of mail. Nothing here
 * rejects or throws: when the connection breaks, `trouble` says how, everything in flight ends with null or false, and
 * so does everything asked of it later.
 */
export class Connection {
  /** The hop in words, `smtp mail.example.com[192.0.2.1]:25`. */
  readonly hop: string;
  /** When it was opened, milliseconds of the monotonic clock. */
  readonly openedAt = performance.now();
  features: Features = NO_FEATURES;
  /** It carried a transaction before: the hop may have closed it, or have had enough of it, without our knowing. */
  reused = false;
  /** How it broke, as a temporary answer for the client; null while it is whole. */
  trouble: Reply | null = null;
  /** A reply nobody had asked for: a hop that gives up in the middle of the data. */
  early: Reply | null = null;

  #socket: net.Socket;
  readonly #reader = new ReplyReader();
  readonly #deadline = new Deadline(() => {
    this.destroy(this.#open ? TROUBLE.silent : TROUBLE.noConnection('timed out'));
  });
  #open = false;
  /** Replies that came and were not read yet, and replies that must still come. */
  readonly #replies: Reply[] = [];
  #expected = 0;
  #closing = false;
  #reading: ((said: Reply | null) => void) | null = null;
  #ready: ((done: boolean) => void) | null = null;
  #flushing: (() => void) | null = null;
  readonly #written = (): void => this.#wakeFlush();

  /** Begins to connect; `connected` tells when it is done. */
  constructor(place: Place, hop: string) {
    this.hop = hop;
    const onread = {
      buffer: readBuffer,
      callback: (length: number): boolean => {
        this.#bytes(readBuffer, length);
        return true;
      },
    };
    this.#socket =
      'path' in place
        ? net.connect({ path: place.path, onread })
        : net.connect({
            host: place.address,
            port: place.port,
            noDelay: true,
            onread,
            ...(place.localAddress === undefined ? {} : { localAddress: place.localAddress }),
          });
    this.#listen(this.#socket);
    this.#socket.once('connect', () => {
      this.#open = true;
      this.#becomeReady();
    });
  }

  /** Waits up to `ms` for the connection; false when there is none. */
  connected(ms: number): Promise<boolean> {
    return this.#getReady(ms);
  }

  /**
   * Puts TLS on the connection, right after the hop's yes to STARTTLS. False when that fails, or when the hop had sent
   * anything after that yes: bytes of unknown origin from before the encryption (RFC 3207 section 6).
   */
  secure(options: tls.ConnectionOptions, ms: number): Promise<boolean> {
    if (!this.#reader.empty || this.#replies.length > 0 || this.early !== null) {
      this.destroy(TROUBLE.tls('plain text after the reply to STARTTLS'));
      return Promise.resolve(false);
    }
    if (this.trouble !== null) return Promise.resolve(false);
    const plain = this.#socket;
    const secured = tls.connect({ ...options, socket: plain });
    this.#socket = secured;
    this.#listen(secured);
    secured.on('data', (bytes: Buffer) => this.#bytes(bytes, bytes.length));
    secured.once('secureConnect', () => this.#becomeReady());
    return this.#getReady(ms);
  }

  /** True when another command may be sent on it. */
  get usable(): boolean {
    return this.trouble === null && !this.#closing;
  }

  /** Writes one command line or several, CRLFs included, to which the hop owes `replies` replies. */
  command(lines: string, replies = 1): void {
    if (this.early !== null) this.destroy(this.early.code === 421 ? this.early : TROUBLE.closed);
    if (this.trouble !== null) return;
    this.#expected += replies;
    this.#socket.write(lines, 'latin1');
  }

  /** That many replies more are owed, for what was written with `write`. */
  expect(replies: number): void {
    this.#expected += replies;
  }

  /** The next reply; null when the connection broke or `ms` went by first. One reader at a time. */
  read(ms: number): Promise<Reply | null> {
    const next = this.#replies.shift();
    if (next !== undefined) return Promise.resolve(next);
    if (this.trouble !== null) return Promise.resolve(null);
    this.#deadline.set(ms);
    return new Promise(resolve => {
      this.#reading = resolve;
    });
  }

  /** Writes pieces of a message with one system call. They must not change until `flushed` has said so. */
  write(pieces: readonly (Buffer | string)[]): void {
    if (this.trouble !== null) return;
    const socket = this.#socket;
    const size = pieces.reduce((sum, piece) => sum + piece.length, 0);
    if (size <= JOINED_BYTES) {
      const joined = pieces.map(piece => (typeof piece === 'string' ? Buffer.from(piece, 'latin1') : piece));
      socket.write(Buffer.concat(joined, size), this.#written);
      return;
    }
    socket.cork();
    for (const piece of pieces) {
      if (typeof piece === 'string') socket.write(piece, 'latin1', this.#written);
      else socket.write(piece, this.#written);
    }
    socket.uncork();
  }

  /**
   * Waits until all that was written is with the kernel, up to `ms`. False when the connection broke or the hop has
   * spoken out of turn.
   */
  async flushed(ms: number): Promise<boolean> {
    while (this.trouble === null && this.early === null && this.#socket.writableLength > 0) {
      this.#deadline.set(ms);
      await new Promise<void>(resolve => {
        this.#flushing = resolve;
      });
    }
    if (this.trouble === null) this.#deadline.clear();
    return this.trouble === null && this.early === null;
  }

  /** Bytes written and not yet with the kernel. */
  get unsent(): number {
    return this.#socket.writableLength;
  }

  /** An idle connection does not keep the process alive. */
  rest(): void {
    this.#deadline.clear();
    this.#socket.unref();
  }

  /** Back to work after `rest`. */
  wake(): void {
    this.reused = true;
    this.#socket.ref();
  }

  /** Says goodbye and closes, without waiting for the answer (RFC 5321 4.1.1.10). Resolves when it is closed. */
  quit(): Promise<void> {
    const socket = this.#socket;
    if (this.trouble !== null || socket.destroyed) return Promise.resolve();
    this.#closing = true;
    this.#expected++;
    socket.ref();
    const closed = new Promise<void>(resolve => {
      socket.once('close', () => resolve());
    });
    this.#deadline.set(QUIT_MS);
    socket.end('QUIT\r\n', 'latin1');
    return closed;
  }

  /** Cuts the connection. Whatever waits on it ends with null; `why` is what they will find in `trouble`. */
  destroy(why: Reply): void {
    if (this.trouble !== null) return;
    this.trouble = why;
    this.#deadline.close();
    this.#socket.destroy();
    this.#becomeReady();
    this.#wakeFlush();
    this.#wakeReader(null);
  }

  #listen(socket: net.Socket): void {
    socket.on('error', (error: NodeJS.ErrnoException) => {
      const why = error.code ?? error.message;
      this.destroy(this.#open ? TROUBLE.lost(why) : TROUBLE.noConnection(why));
    });
    // Under TLS the plain socket ends too; what counts then is the end of the TLS socket.
    const ended = (): void => {
      if (this.#socket === socket) this.destroy(TROUBLE.closed);
    };
    socket.on('end', ended);
    socket.on('close', ended);
  }

  #getReady(ms: number): Promise<boolean> {
    if (this.trouble !== null) return Promise.resolve(false);
    this.#deadline.set(ms);
    return new Promise(resolve => {
      this.#ready = resolve;
    });
  }

  #becomeReady(): void {
    const ready = this.#ready;
    this.#ready = null;
    if (this.trouble === null) this.#deadline.clear();
    ready?.(this.trouble === null);
  }

  #bytes(bytes: Buffer, length: number): void {
    if (this.trouble !== null) return;
    this.#reader.push(bytes, length);
    for (let said = this.#reader.take(); said !== undefined; said = this.#reader.take()) this.#reply(said);
    if (this.#reader.error !== null) this.destroy(TROUBLE.garbage(this.#reader.error));
  }

  #reply(said: Reply): void {
    if (said.code === 421) this.#closing = true;
    if (this.#expected === 0) {
      this.early = said;
      this.#closing = true;
      this.#wakeFlush();
      return;
    }
    this.#expected--;
    if (this.#reading === null) this.#replies.push(said);
    else this.#wakeReader(said);
  }

  #wakeReader(said: Reply | null): void {
    const reading = this.#reading;
    this.#reading = null;
    if (said !== null) this.#deadline.clear();
    reading?.(said);
  }

  #wakeFlush(): void {
    const flushing = this.#flushing;
    this.#flushing = null;
    flushing?.();
  }
}
