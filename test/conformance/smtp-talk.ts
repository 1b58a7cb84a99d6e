import { connect } from 'node:net';
import type { Socket } from 'node:net';

/** A client that says exactly what it is told and hands out replies in order. */
export class SmtpTalk implements AsyncDisposable {
  /** Replies not taken yet: all lines of one joined by LF, without line ends. Bytes as latin1. */
  readonly waiting: string[] = [];
  /** The server has ended the connection. */
  ended = false;
  readonly #socket: Socket;
  #text = '';
  #lines: string[] = [];
  #wake: () => void = () => undefined;

  /** Connects; what is said before the connection stands leaves together with it, before anything is read. */
  constructor(port: number) {
    this.#socket = connect({ port, host: '127.0.0.1', noDelay: true });
    this.#socket.on('data', (bytes: Buffer) => {
      this.#take(bytes.toString('latin1'));
      this.#wake();
    });
    const over = () => {
      this.ended = true;
      this.#wake();
    };
    this.#socket.on('end', over).on('close', over).on('error', over);
  }

  say(bytes: Buffer): void {
    if (!this.ended) this.#socket.write(bytes);
  }

  /** Waits until `done`, or the server has ended the connection, or `ms` went by without a byte from it. */
  async until(done: () => boolean, ms: number): Promise<void> {
    while (!this.ended && !done()) {
      const heard = await new Promise<boolean>(resolve => {
        const timer = setTimeout(resolve, ms, false);
        this.#wake = () => {
          clearTimeout(timer);
          resolve(true);
        };
      });
      if (!heard) return;
    }
  }

  /** The next reply; null when none comes in `ms`, or the connection ends first. */
  async reply(ms: number): Promise<string | null> {
    await this.until(() => this.waiting.length > 0, ms);
    return this.waiting.shift() ?? null;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return new Promise(resolve => {
      if (this.#socket.closed) return resolve();
      this.#socket.once('close', () => resolve());
      this.#socket.destroy();
    });
  }

  #take(text: string): void {
    this.#text += text;
    for (let end = this.#text.indexOf('\n'); end >= 0; end = this.#text.indexOf('\n')) {
      const line = this.#text.slice(0, end).replace(/\r$/, '');
      this.#text = this.#text.slice(end + 1);
      this.#lines.push(line);
      if (line[3] === '-') continue;
      this.waiting.push(this.#lines.join('\n'));
      this.#lines = [];
    }
  }
}
