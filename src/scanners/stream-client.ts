import net from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import type { ScanError } from '../model/scan.ts';
import type { ScannerAddress } from '../model/scanner-address.ts';

/** What is sent: each item leaves with one system call, and its bytes may change when the next item is asked for. */
export type Request = Iterable<readonly Buffer[]> | AsyncIterable<readonly Buffer[]>;

export interface ExchangeOptions {
  readonly address: ScannerAddress;
  /** Milliseconds for the connection. */
  readonly connectMs: number;
  /** Milliseconds for everything, the connection among it. */
  readonly timeoutMs: number;
  /** Bytes of the answer; a longer one is garbage. */
  readonly maxAnswer: number;
  /** Whoever asks has gone: ends with the fault `timeout`. */
  readonly signal?: AbortSignal | undefined;
  /** Shuts our side down behind the request (spamd wants that). */
  readonly halfClose?: boolean;
  /** The byte with which an answer is complete; without it, or before it, the end of the connection is its end. */
  readonly terminator?: number;
}

/** What the scanner answered, whether or not it had heard us out. */
export interface Answer {
  readonly kind: 'answer';
  /** At least one byte. What came in the same read behind the terminator is in it. */
  readonly bytes: Buffer;
  /** The whole request was with the kernel before the answer ended: only then can it be about the whole of it. */
  readonly sentAll: boolean;
  /** The connection broke instead of ending in order; the answer may be cut. */
  readonly broken: boolean;
}

/**
 * Connects, sends `request`, and reads the answer: one connection, one exchange. It ends at the deadline at the latest, with
 * the answer or with `refused` (no connection), `timeout`, `cut` (not one byte of an answer) or `garbage` (too long); `why`
 * does not name the scanner. What the scanner says before it closes or resets the connection under our writing is
 * read and is its answer. When it is over nothing is left open and `request` is not read further, though an item that
 * was asked for may still come. Rejects only when `request` throws, with what it threw.
 */
export function exchange(request: Request, options: ExchangeOptions): Promise<Answer | ScanError> {
  return new Promise((resolve, reject) => {
    const run = new Exchange(options, resolve, reject);
    run.start(request);
  });
}

/**
 * A socket on which writing never fails: what the other side has said before it hung up on us can still be read, where a
 * plain one throws that away with the first EPIPE or ECONNRESET.
 */
class PatientSocket extends net.Socket {
  /** Writing has failed; nothing more arrives. */
  writeFailed = false;

  override _write(chunk: Buffer, encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    super._write(chunk, encoding, this.#forgive(done));
  }

  override _writev(
    chunks: { chunk: Buffer; encoding: BufferEncoding }[],
    done: (error?: Error | null) => void,
  ): void {
    super._writev?.(chunks, this.#forgive(done));
  }

  #forgive(done: (error?: Error | null) => void): (error?: Error | null) => void {
    return error => {
      if (error) this.writeFailed = true;
      done();
    };
  }
}

class Exchange {
  readonly #options: ExchangeOptions;
  readonly #resolve: (outcome: Answer | ScanError) => void;
  readonly #reject: (error: unknown) => void;
  readonly #socket = new PatientSocket();
  readonly #pieces: Buffer[] = [];
  #heard = 0;
  #connected = false;
  #sentAll = false;
  #over = false;
  #connectTimer: NodeJS.Timeout | undefined;
  #timer: NodeJS.Timeout | undefined;
  #written: (() => void) | null = null;
  readonly #aborted = (): void => this.#fault('timeout', 'given up by whoever asked');

  constructor(
    options: ExchangeOptions,
    resolve: (outcome: Answer | ScanError) => void,
    reject: (error: unknown) => void,
  ) {
    this.#options = options;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  start(request: Request): void {
    const { address, connectMs, timeoutMs, signal } = this.#options;
    if (signal?.aborted === true) return this.#aborted();
    signal?.addEventListener('abort', this.#aborted);
    this.#timer = setTimeout(() => this.#fault('timeout', `no answer within ${timeoutMs} ms`), timeoutMs);
    if (connectMs < timeoutMs)
      this.#connectTimer = setTimeout(
        () => this.#fault('timeout', `no connection within ${connectMs} ms`),
        connectMs,
      );
    const socket = this.#socket;
    socket.on('data', (bytes: Buffer) => this.#bytes(bytes));
    socket.on('end', () => this.#end(null));
    socket.on('error', (error: NodeJS.ErrnoException) => this.#end(error.code ?? error.message));
    socket.on('connect', () => {
      this.#connected = true;
      clearTimeout(this.#connectTimer);
      void this.#send(request);
    });
    if (address.kind === 'unix') socket.connect({ path: address.path });
    else {
      socket.setNoDelay(true);
      socket.connect({ host: address.host, port: address.port });
    }
  }

  async #send(request: Request): Promise<void> {
    try {
      let first = true;
      for await (const item of request) {
        // What the kernel takes at once would otherwise be sent without a look at the answer or at anything else.
        if (!first) await turn();
        first = false;
        if (this.#deaf) return;
        await this.#write(item);
        if (this.#deaf) return;
      }
      this.#sentAll = true;
      if (this.#options.halfClose === true) this.#socket.end();
    } catch (error) {
      this.#finish(() => this.#reject(error));
    }
  }

  /** Nobody listens to us any more; an answer may still come. */
  get #deaf(): boolean {
    return this.#over || this.#socket.writeFailed;
  }

  /** Resolves when the kernel has all of it, when writing has failed, or when the exchange is over. */
  #write(item: readonly Buffer[]): Promise<void> {
    return new Promise(resolve => {
      const last = item.length - 1;
      if (last < 0) return resolve();
      this.#written = resolve;
      const socket = this.#socket;
      socket.cork();
      for (const [index, bytes] of item.entries()) {
        if (index < last) socket.write(bytes);
        else socket.write(bytes, () => resolve());
      }
      socket.uncork();
    });
  }

  #bytes(bytes: Buffer): void {
    const { maxAnswer, terminator } = this.#options;
    this.#heard += bytes.length;
    if (this.#heard > maxAnswer) return this.#fault('garbage', `an answer of more than ${maxAnswer} bytes`);
    this.#pieces.push(bytes);
    if (terminator !== undefined && bytes.includes(terminator)) this.#end(null);
  }

  /** Nothing more comes: in order, or because of `trouble`. */
  #end(trouble: string | null): void {
    if (!this.#connected) {
      const late = trouble === 'ETIMEDOUT';
      return this.#fault(late ? 'timeout' : 'refused', `no connection (${trouble ?? 'ended at once'})`);
    }
    if (this.#heard === 0)
      return this.#fault('cut', trouble === null ? 'closed without an answer' : `broke off (${trouble})`);
    const bytes = Buffer.concat(this.#pieces, this.#heard);
    const answer: Answer = { kind: 'answer', bytes, sentAll: this.#sentAll, broken: trouble !== null };
    this.#finish(() => this.#resolve(answer));
  }

  #fault(fault: ScanError['fault'], why: string): void {
    this.#finish(() => this.#resolve({ kind: 'error', fault, why }));
  }

  #finish(settle: () => void): void {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#connectTimer);
    clearTimeout(this.#timer);
    this.#options.signal?.removeEventListener('abort', this.#aborted);
    this.#socket.destroy();
    this.#written?.();
    settle();
  }
}
