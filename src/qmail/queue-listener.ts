import type { Server, Socket } from 'node:net';
import { createServer } from 'node:net';
import { promisify } from 'node:util';
import { reply } from '../model/reply.ts';
import { no } from './answers.ts';
import type { QueueParts } from './queue-session.ts';
import { QueueSession } from './queue-session.ts';

const BUSY = reply(451, '4.3.2', 'too many messages at a time, try again later (#4.3.2)');

/** How long one that is turned away may take to leave, milliseconds. */
const BUSY_MS = 10_000;

/** Accepts the connections of postern-queue on a Unix socket. */
export class QueueListener {
  readonly #parts: QueueParts;
  readonly #clients: () => number;
  readonly #server: Server;
  readonly #sessions = new Set<QueueSession>();
  #emptied: (() => void) | null = null;

  /** `clients`: how many may ask at a time. */
  constructor(parts: QueueParts, clients: () => number) {
    this.#parts = parts;
    this.#clients = clients;
    this.#server = createServer({ allowHalfOpen: false }, socket => this.#accepted(socket));
  }

  /** Questions that are open. */
  get sessions(): number {
    return this.#sessions.size;
  }

  /** Connections that are open, those that were turned away among them. */
  connections(): Promise<number> {
    return promisify(this.#server.getConnections.bind(this.#server))();
  }

  /** Listens at `path`; rejects when it cannot be had. */
  async listen(path: string): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ path, backlog: 511 }, () => {
        this.#server.off('error', reject);
        resolve();
      });
    });
  }

  /** Takes no more connections; those that are open come to their end, or are cut after `seconds`. */
  async drain(seconds: number): Promise<void> {
    this.#server.close();
    if (this.#sessions.size === 0) return;
    const late = setTimeout(() => {
      for (const session of this.#sessions) session.destroy();
    }, seconds * 1000);
    await new Promise<void>(resolve => {
      this.#emptied = resolve;
    });
    clearTimeout(late);
  }

  #accepted(socket: Socket): void {
    if (this.#sessions.size >= this.#clients()) {
      // What it sends is read and forgotten: unread, it would keep the connection open for ever.
      socket.on('error', () => undefined).resume();
      socket.setTimeout(BUSY_MS, () => socket.destroy());
      socket.end(Buffer.concat(no(BUSY, null)));
      return;
    }
    const session: QueueSession = new QueueSession(socket, this.#parts, () => {
      this.#sessions.delete(session);
      if (this.#sessions.size === 0) this.#emptied?.();
    });
    this.#sessions.add(session);
  }
}
