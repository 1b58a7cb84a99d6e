import type { Server, Socket } from 'node:net';
import { createServer } from 'node:net';
import type { Configuration } from '../control/configuration.ts';
import type { Client } from '../model/session.ts';
import type { Conversation } from '../pipeline/conversation.ts';
import type { Gateway } from '../pipeline/gateway.ts';
import { AddressSet, countingKey, normalAddress } from './client-address.ts';
import type { ConnectionLimits } from './connection-limits.ts';
import { parseProxyHeader } from './proxy-header.ts';
import { renderReply } from './render.ts';
import { SMTP } from './replies.ts';
import type { SessionSurroundings } from './session.ts';
import { SmtpSession } from './session.ts';

/** What the listener needs from whoever starts it. */
export interface ListenerParts extends Omit<SessionSurroundings, 'ended' | 'draining'> {
  readonly gateway: Gateway;
  readonly configuration: () => Configuration;
  readonly limits: ConnectionLimits;
  /** Reverse name and ident of a client, as far as the configuration asks for them. */
  readonly identify: (
    ip: string,
    port: number,
    localPort: number,
  ) => { host: string | null; info: string | null } | Promise<{ host: string | null; info: string | null }>;
}

/** A proxy has this long to send its header, milliseconds. */
const PROXY_HEADER_MS = 5000;
/** Bytes of early talk that are kept. */
const MAX_EARLY = 4096;

/**
 * Accepts connections: reads the PROXY header of trusted proxies, counts clients, listens for early talkers, and hands
 * what is left to a session.
 */
export class Listener {
  readonly #parts: ListenerParts;
  readonly #server: Server;
  /** Open sessions, and what each is counted by. */
  readonly #sessions = new Map<SmtpSession, string>();
  readonly #around: SessionSurroundings;
  readonly #waiting = new Set<Socket>();
  readonly #ticker: NodeJS.Timeout;
  #proxies: { readonly entries: readonly string[]; readonly set: AddressSet } | null = null;
  #draining = false;
  #emptied: (() => void) | null = null;

  constructor(parts: ListenerParts) {
    this.#parts = parts;
    this.#around = {
      ...parts,
      draining: () => this.#draining,
      ended: session => this.#ended(session),
    };
    this.#server = createServer(
      // Half open: who has sent all and hung up (`printf … | nc -N`) still hears the answers, as with qmail-smtpd.
      { noDelay: true, pauseOnConnect: true, allowHalfOpen: true },
      socket => this.#accepted(socket),
    );
    this.#ticker = setInterval(() => this.#tick(), 1000);
    this.#ticker.unref();
  }

  /** Number of open sessions. */
  get sessions(): number {
    return this.#sessions.size;
  }

  /** Listens on `IP:PORT` or `[IPv6]:PORT`; rejects when the address cannot be had. */
  async listen(host: string, port: number): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ host, port, backlog: 511 }, () => {
        this.#server.off('error', reject);
        resolve();
      });
    });
    const bound = this.#server.address();
    return typeof bound === 'object' && bound !== null ? bound.port : port;
  }

  /** Takes no more connections; lets sessions come to a quiet point, at most `seconds`. */
  async drain(seconds: number): Promise<void> {
    this.#draining = true;
    this.#server.close();
    for (const socket of this.#waiting) socket.destroy();
    for (const session of this.#sessions.keys()) session.drain();
    if (this.#sessions.size > 0) {
      const late = setTimeout(() => {
        for (const session of this.#sessions.keys()) session.destroy();
      }, seconds * 1000);
      await new Promise<void>(resolve => {
        this.#emptied = resolve;
      });
      clearTimeout(late);
    }
    clearInterval(this.#ticker);
  }

  #accepted(socket: Socket): void {
    socket.on('error', () => undefined);
    if (this.#draining) return void socket.destroy();
    this.#waiting.add(socket);
    this.#admit(socket).then(
      () => this.#waiting.delete(socket),
      (error: unknown) => {
        this.#waiting.delete(socket);
        this.#parts.problem('', error);
        socket.destroy();
      },
    );
  }

  async #admit(socket: Socket): Promise<void> {
    const peer = normalAddress(socket.remoteAddress ?? '');
    if (peer === '') return void socket.destroy();
    let client = {
      ip: peer,
      port: socket.remotePort ?? 0,
      localIp: normalAddress(socket.localAddress ?? ''),
      localPort: socket.localPort ?? 0,
    };
    let early: Buffer = Buffer.alloc(0);
    if (this.#proxySet().has(peer)) {
      const header = await readProxyHeader(socket);
      if (header === null)
        return this.#turnAway(socket, client, 'PROXY_HEADER', 'no valid PROXY header', SMTP.badProxyHeader);
      early = header.rest;
      if (header.kind === 'client') {
        client = {
          ip: normalAddress(header.ip),
          port: header.port,
          localIp: normalAddress(header.localIp),
          localPort: header.localPort,
        };
      }
    }
    const identity = this.#parts.identify(client.ip, client.port, client.localPort);
    const { host, info } = identity instanceof Promise ? await identity : identity;
    const conversation = this.#parts.gateway.open({ ...client, reverseName: host, ident: info });
    const { concurrencyperclient, concurrencyincoming, greetdelay } = conversation.settings.values;
    if (conversation.denied) return this.#deny(socket, conversation);
    const key = countingKey(client.ip);
    const free = this.#parts.limits.acquire(key, concurrencyperclient, concurrencyincoming);
    if (!(free instanceof Promise ? await free : free)) {
      conversation.refuse(
        'connection-refused',
        'CONCURRENCY',
        `more connections than allowed from ${key}`,
        SMTP.tooManyConnections,
      );
      return this.#lastWord(socket, conversation, SMTP.tooManyConnections);
    }
    if (socket.destroyed) return this.#parts.limits.release(key);
    if (greetdelay > 0 && !conversation.facts.relayClient) {
      early = Buffer.concat([early, await listenFor(socket, greetdelay * 1000, early.length)]);
      if (socket.destroyed) {
        conversation.close();
        return this.#parts.limits.release(key);
      }
    }
    this.#begin(socket, conversation, early, key);
  }

  #begin(socket: Socket, conversation: Conversation, early: Buffer, key: string): void {
    const session = new SmtpSession(socket, conversation, this.#around);
    this.#sessions.set(session, key);
    session.start(early);
    socket.resume();
  }

  #ended(session: SmtpSession): void {
    const key = this.#sessions.get(session);
    if (key === undefined) return;
    this.#sessions.delete(session);
    this.#parts.limits.release(key);
    if (this.#draining && this.#sessions.size === 0) this.#emptied?.();
  }

  #deny(socket: Socket, conversation: Conversation): void {
    const { reply } = conversation.deny();
    if (conversation.settings.values.deny === 'banner') return this.#lastWord(socket, conversation, reply);
    conversation.close();
    socket.destroy();
  }

  #turnAway(
    socket: Socket,
    client: Omit<Client, 'reverseName' | 'ident'>,
    rule: string,
    detail: string,
    reply: typeof SMTP.badProxyHeader,
  ): void {
    const conversation = this.#parts.gateway.open({ ...client, reverseName: null, ident: null });
    conversation.refuse('connection-refused', rule, detail, reply);
    this.#lastWord(socket, conversation, reply);
  }

  /** A banner that refuses, and the end. */
  #lastWord(socket: Socket, conversation: Conversation, reply: typeof SMTP.badProxyHeader): void {
    socket.end(renderReply(reply, conversation.settings.values.replies, conversation.id), 'latin1');
    socket.resume();
    conversation.close();
    setTimeout(() => socket.destroy(), 1000).unref();
  }

  #proxySet(): AddressSet {
    const entries = this.#parts.configuration().site.values.proxyfrom;
    if (this.#proxies?.entries !== entries) this.#proxies = { entries, set: new AddressSet(entries) };
    return this.#proxies.set;
  }

  #tick(): void {
    const now = this.#parts.now();
    for (const session of this.#sessions.keys()) session.tick(now);
  }
}

/** Collects what a paused socket sends, until `enough` says so, it ends, or the time is over. */
function collect(socket: Socket, ms: number, enough: (bytes: Buffer) => boolean): Promise<Buffer> {
  return new Promise(resolve => {
    let bytes: Buffer = Buffer.alloc(0);
    const done = () => {
      clearTimeout(timer);
      socket.off('data', take);
      socket.off('close', done);
      socket.off('end', done);
      socket.pause();
      resolve(bytes);
    };
    const take = (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk]);
      if (enough(bytes)) done();
    };
    const timer = setTimeout(done, ms);
    socket.on('data', take);
    socket.on('close', done);
    socket.on('end', done);
    socket.resume();
  });
}

/** Early talk: ends with the first bytes, or when the time is over. With something there already, it does not wait. */
function listenFor(socket: Socket, ms: number, already: number): Promise<Buffer> {
  if (already > 0) return Promise.resolve(Buffer.alloc(0));
  return collect(socket, ms, bytes => bytes.length > 0).then(bytes => bytes.subarray(0, MAX_EARLY));
}

async function readProxyHeader(socket: Socket) {
  const bytes = await collect(socket, PROXY_HEADER_MS, sofar => parseProxyHeader(sofar).kind !== 'more');
  const header = parseProxyHeader(bytes);
  return header.kind === 'client' || header.kind === 'local' ? header : null;
}
