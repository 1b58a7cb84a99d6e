import { connect } from 'node:net';
import type { Socket } from 'node:net';

/** The last line of a reply; `code` is 0 for a line that is no SMTP reply. */
export interface ServerReply {
  readonly code: number;
  /** All lines, joined by line feeds, codes included. */
  readonly text: string;
}

export interface Target {
  /** An IP address. */
  readonly host: string;
  readonly port: number;
}

/** A reply without an end is given up at this length (bytes). */
const MAX_REPLY = 64 * 1024;

/** One SMTP connection of the load generator: writes what it is given, hands out replies in order. */
export class ClientConnection {
  readonly #socket: Socket;
  readonly #replies: ServerReply[] = [];
  readonly #waiting: { resolve: (reply: ServerReply) => void; reject: (error: Error) => void }[] = [];
  #received = '';
  #lineStart = 0;
  #ended: Error | null = null;

  /**
   * Starts to connect; the first reply is the banner. A server that is silent for `timeout` milliseconds ends the
   * connection. `proxyFrom` is an IPv4 address that a PROXY v1 header names as the client.
   */
  constructor(target: Target, timeout: number, proxyFrom?: string) {
    this.#socket = connect({ host: target.host, port: target.port, noDelay: true });
    this.#socket.setEncoding('latin1');
    this.#socket.setTimeout(timeout, () => this.destroy(new Error('timed out')));
    this.#socket.on('data', (text: string) => this.#take(text));
    this.#socket.on('error', error => this.#end(error));
    this.#socket.on('close', () => this.#end(new Error('closed by the server')));
    if (proxyFrom) this.send(`PROXY TCP4 ${proxyFrom} ${target.host} 40000 ${target.port}\r\n`);
  }

  /** Whether it is over, from whichever side. */
  get ended(): boolean {
    return this.#ended !== null;
  }

  /** The next reply. Rejects when the connection ends first. */
  reply(): Promise<ServerReply> {
    const ready = this.#replies.shift();
    if (ready) return Promise.resolve(ready);
    if (this.#ended) return Promise.reject(this.#ended);
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  /** Writes `parts` in one system call where the system takes it; nothing is copied. */
  send(...parts: readonly (string | Buffer)[]): void {
    if (this.#ended) return;
    this.#socket.cork();
    for (const part of parts) this.#socket.write(part, 'latin1');
    this.#socket.uncork();
  }

  /** Ends the connection at once; whoever waits for a reply gets `reason`. */
  destroy(reason: Error = new Error('ended')): void {
    this.#end(reason);
    this.#socket.destroy();
  }

  #take(text: string): void {
    this.#received += text;
    if (this.#received.length > MAX_REPLY) return this.destroy(new Error('reply too long'));
    for (;;) {
      const lineEnd = this.#received.indexOf('\n', this.#lineStart);
      if (lineEnd < 0) return;
      const line = this.#lineStart;
      this.#lineStart = lineEnd + 1;
      if (this.#received[line + 3] === '-') continue;
      const code = Number(this.#received.slice(line, line + 3));
      const reply = {
        code: Number.isInteger(code) ? code : 0,
        text: this.#received.slice(0, lineEnd).trimEnd(),
      };
      this.#received = this.#received.slice(lineEnd + 1);
      this.#lineStart = 0;
      const waiting = this.#waiting.shift();
      if (waiting) waiting.resolve(reply);
      else this.#replies.push(reply);
    }
  }

  #end(reason: Error): void {
    this.#ended ??= reason;
    for (const waiting of this.#waiting.splice(0)) waiting.reject(this.#ended);
  }
}
