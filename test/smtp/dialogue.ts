import type { Socket } from 'node:net';
import { connect } from 'node:net';

/** How long to wait for what takes well under a second on a free machine; milliseconds. */
const PATIENCE = 20_000;

/** The client's end of an SMTP session. Byte strings. */
export class Dialogue {
  readonly #socket: Socket;
  #received = '';
  #closed = false;
  #changed: () => void = () => undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => {
      this.#received += text;
      this.#changed();
    });
    socket.on('error', () => undefined);
    for (const event of ['close', 'end']) {
      socket.on(event, () => {
        this.#closed = true;
        this.#changed();
      });
    }
  }

  static async open(port: number): Promise<Dialogue> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    return new Dialogue(socket);
  }

  get socket(): Socket {
    return this.#socket;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** What has come and was not yet taken. */
  get received(): string {
    return this.#received;
  }

  write(text: string): void {
    this.#socket.write(text, 'latin1');
  }

  /** The next line without its CRLF; null when the server has closed without one. */
  async line(): Promise<string | null> {
    await this.#until('a line', () => this.#closed || this.#received.includes('\r\n'));
    const end = this.#received.indexOf('\r\n');
    if (end < 0) return null;
    const line = this.#received.slice(0, end);
    this.#received = this.#received.slice(end + 2);
    return line;
  }

  /** The next reply: its lines. */
  async reply(): Promise<string[]> {
    const lines: string[] = [];
    for (;;) {
      const line = await this.line();
      if (line === null) return lines;
      lines.push(line);
      if (line[3] !== '-') return lines;
    }
  }

  /** Says `command` and gives the reply, one line of it or its lines joined. */
  async ask(command: string): Promise<string> {
    this.write(`${command}\r\n`);
    return (await this.reply()).join('\n');
  }

  /** Waits until the server has closed. */
  async end(): Promise<void> {
    await this.#until('the end of the session', () => this.#closed);
  }

  /** Waits for the socket until `condition` holds. */
  async #until(what: string, condition: () => boolean): Promise<void> {
    if (condition()) return;
    await new Promise<void>((resolve, reject) => {
      const late = setTimeout(() => {
        reject(new Error(`waited ${PATIENCE} ms for ${what}; so far ${JSON.stringify(this.#received)}`));
      }, PATIENCE);
      this.#changed = () => {
        if (!condition()) return;
        clearTimeout(late);
        resolve();
      };
    });
  }

  destroy(): void {
    this.#socket.destroy();
  }
}
