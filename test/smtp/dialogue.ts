import type { Socket } from 'node:net';
import { connect } from 'node:net';
import { waitFor } from '../support/processes.ts';

/** The client's end of an SMTP session. Byte strings. */
export class Dialogue {
  readonly #socket: Socket;
  #received = '';
  #closed = false;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => {
      this.#received += text;
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#closed = true;
    });
    socket.on('end', () => {
      this.#closed = true;
    });
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
    const end = await waitFor(
      () => `a line; so far ${JSON.stringify(this.#received)}`,
      () => {
        const at = this.#received.indexOf('\r\n');
        return at >= 0 || this.#closed ? { at } : undefined;
      },
    );
    if (end.at < 0) return null;
    const line = this.#received.slice(0, end.at);
    this.#received = this.#received.slice(end.at + 2);
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
    await waitFor('the end of the session', () => this.#closed);
  }

  destroy(): void {
    this.#socket.destroy();
  }
}
