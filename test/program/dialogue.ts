import { once } from 'node:events';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { waitFor } from '../support/processes.ts';

export interface DialogueOptions {
  readonly host?: string;
  /** Our end: any address of 127/8 makes us another client. */
  readonly from?: string;
  /** Sent with the connection, before anything is read. */
  readonly first?: string | Buffer;
}

/** One SMTP session, spoken by hand. Everything is bytes as latin1; `await using` hangs up. */
export class Dialogue implements AsyncDisposable {
  readonly socket: Socket;
  #text = '';
  #ended = false;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', chunk => {
      this.#text += chunk.toString('latin1');
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#ended = true;
    });
    socket.on('end', () => {
      this.#ended = true;
    });
  }

  /** What has come and was not taken by `reply` yet. */
  get unread(): string {
    return this.#text;
  }

  /** True when the other side has closed or reset the connection. */
  get ended(): boolean {
    return this.#ended;
  }

  /** The next whole reply, its lines joined by LF; `''` when the connection ends first. */
  async reply(): Promise<string> {
    return waitFor(
      () => `a reply; so far came: ${JSON.stringify(this.#text)}`,
      () => {
        const whole = /^(?:\d{3}-[^\n]*\n)*\d{3}(?: [^\n]*)?\r\n/.exec(this.#text);
        if (whole === null) return this.#ended ? { text: '' } : undefined;
        this.#text = this.#text.slice(whole[0].length);
        return { text: whole[0].replaceAll('\r\n', '\n').trimEnd() };
      },
    ).then(found => found.text);
  }

  /** Says a command and gives its reply. */
  say(line: string): Promise<string> {
    this.write(`${line}\r\n`);
    return this.reply();
  }

  /** Says commands in turn and gives the code of each reply. */
  async codes(...lines: readonly string[]): Promise<string> {
    const codes: string[] = [];
    for (const line of lines) codes.push((await this.say(line)).slice(0, 3) || 'end');
    return codes.join(' ');
  }

  /** EHLO, MAIL and RCPT; the reply to RCPT. */
  async envelope(from = 'sender@example.net', ...to: readonly string[]): Promise<string> {
    await this.say('EHLO client.example.net');
    await this.say(`MAIL FROM:<${from}>`);
    let last = '';
    for (const recipient of to.length > 0 ? to : ['me@example.com'])
      last = await this.say(`RCPT TO:<${recipient}>`);
    return last;
  }

  /** DATA and a small message; the reply to the final dot, or to DATA when that is refused. */
  async message(
    text = 'From: a@example.net\r\nDate: Sat, 21 Nov 2026 10:00:00 +0000\r\n\r\nhello\r\n',
  ): Promise<string> {
    const data = await this.say('DATA');
    if (!data.startsWith('354')) return data;
    return this.say(`${text}.`);
  }

  write(data: string | Buffer): void {
    this.socket.write(typeof data === 'string' ? Buffer.from(data, 'latin1') : data);
  }

  /** Waits until the other side has ended the connection. */
  async end(): Promise<void> {
    await waitFor('the end of the connection', () => this.#ended);
  }

  /** Hangs up at once. */
  hangUp(): void {
    this.socket.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.destroy();
  }
}

/** Connects; what the server says first is for the first `reply`. */
export async function dial(port: number, options: DialogueOptions = {}): Promise<Dialogue> {
  const socket = connect({
    port,
    host: options.host ?? '127.0.0.1',
    ...(options.from === undefined ? {} : { localAddress: options.from }),
  });
  const dialogue = new Dialogue(socket);
  if (options.first !== undefined) dialogue.write(options.first);
  await once(socket, 'connect');
  return dialogue;
}

/** Connects and reads the banner. */
export async function greeted(port: number, options: DialogueOptions = {}): Promise<Dialogue> {
  const dialogue = await dial(port, options);
  const banner = await dialogue.reply();
  if (!banner.startsWith('220')) throw new Error(`no welcome: ${JSON.stringify(banner)}`);
  return dialogue;
}

/** The event id at the end of a reply: `… [mi8k2x9f4qz01.1]`. */
export function eventId(reply: string): string {
  const id = /\[([\w.]+)\]$/.exec(reply)?.[1];
  if (id === undefined) throw new Error(`no event id in ${JSON.stringify(reply)}`);
  return id;
}
