import { lookup } from 'node:dns/promises';
import net from 'node:net';
import type { HopAnswer } from '../model/delivery.ts';
import type { Dns } from '../model/dns.ts';
import type { Reply } from '../model/reply.ts';
import { answerOf, TROUBLE } from './answers.ts';
import { Connection } from './connection.ts';
import type { Place } from './connection.ts';
import { openConnection } from './greeting.ts';
import type { Manner, Protocol, Timeouts } from './greeting.ts';
import { mailHosts } from './mx.ts';
import type { ConnectionPool } from './pool.ts';
import type { ConnectionSource } from './smtp-delivery.ts';

/** A place to try, with its name for TLS and its name in the log. */
export interface Candidate {
  readonly place: Place;
  readonly host: string;
  readonly name: string;
}

/** Places to try in order, or what to answer instead. */
export type Candidates =
  | { readonly kind: 'found'; readonly list: readonly Candidate[] }
  | { readonly kind: 'refused' | 'failed'; readonly reply: Reply };

/** What every source needs besides its candidates. */
export interface HostSettings {
  readonly pool: ConnectionPool;
  readonly manner: Manner;
  /** Our address on outgoing connections; the system's choice when absent. */
  readonly localAddress?: string;
  /** Whether one of our own listeners answers at this address and port. */
  readonly isOwn: (address: string, port: number) => boolean;
}

/** Connections to one next hop, which may be several hosts: an idle one, or the first that answers. */
export class HostSource implements ConnectionSource {
  readonly key: string;
  readonly name: string;
  readonly protocol: Protocol;
  readonly timeouts: Timeouts;
  readonly #settings: HostSettings;
  readonly #candidates: () => Promise<Candidates>;

  constructor(key: string, name: string, settings: HostSettings, candidates: () => Promise<Candidates>) {
    this.key = key;
    this.name = name;
    this.protocol = settings.manner.protocol;
    this.timeouts = settings.manner.timeouts;
    this.#settings = settings;
    this.#candidates = candidates;
  }

  async acquire(fresh: boolean): Promise<Connection | HopAnswer> {
    const { pool, manner } = this.#settings;
    const idle = fresh ? null : pool.take(this.key);
    if (idle !== null) return idle;

    const found = await this.#candidates();
    if (found.kind !== 'found') return { kind: found.kind, reply: found.reply, hop: this.name };
    // The client is waiting at RCPT, and waits five minutes at most (RFC 5321 4.5.3.2.3): not every host gets its full time.
    const until = performance.now() + 2 * manner.timeouts.connect;
    let answer = answerOf(TROUBLE.noConnection('no address'), this.name);
    for (const candidate of pool.byHealth(found.list)) {
      const got = await openConnection(candidate.place, candidate.host, candidate.name, manner);
      if (got instanceof Connection) return got;
      pool.avoid(candidate.name);
      answer = answerOf(got, candidate.name);
      if (performance.now() > until) break;
    }
    return answer;
  }

  release(connection: Connection): void {
    this.#settings.pool.give(this.key, connection);
  }
}

/** A Unix socket; `shown` is its path as the operator wrote it. */
export function atPath(path: string, shown: string, settings: HostSettings): () => Promise<Candidates> {
  const name = `${settings.manner.protocol} ${shown}`;
  const found: Candidates = { kind: 'found', list: [{ place: { path }, host: 'localhost', name }] };
  return () => Promise.resolve(found);
}

/**
 * A host of the administrator's, by address or by name. A name is looked up as the system does it, for it may be in
 * /etc/hosts or known to a container network only.
 */
export function atHost(host: string, port: number, settings: HostSettings): () => Promise<Candidates> {
  if (net.isIP(host) !== 0) {
    const found = usable([candidate(host, host, port, settings)], settings);
    return () => Promise.resolve(found);
  }
  return async () => {
    try {
      const addresses = await withDeadline(lookup(host, { all: true, order: 'ipv4first' }), settings);
      return usable(
        addresses.map(a => candidate(host, a.address, port, settings)),
        settings,
      );
    } catch (error) {
      const why = error instanceof Error && 'code' in error ? String(error.code) : 'timed out';
      return { kind: 'failed', reply: TROUBLE.noConnection(`its name could not be looked up (${why})`) };
    }
  };
}

/** The mail servers of a domain, by MX. */
export function atMx(
  domain: string,
  port: number,
  dns: Dns,
  settings: HostSettings,
): () => Promise<Candidates> {
  return async () => {
    const found = await mailHosts(domain, dns, address => settings.isOwn(address, port));
    if (found.kind !== 'found') return found;
    return { kind: 'found', list: found.hosts.map(h => candidate(h.host, h.address, port, settings)) };
  };
}

function candidate(host: string, address: string, port: number, settings: HostSettings): Candidate {
  const { manner, localAddress } = settings;
  const bracketed = net.isIPv6(address) ? `[${address}]` : address;
  const shown = host === address ? bracketed : `${host}[${address}]`;
  const sameFamily = localAddress !== undefined && net.isIP(localAddress) === net.isIP(address);
  return {
    place: sameFamily ? { address, port, localAddress } : { address, port },
    host,
    name: `${manner.protocol} ${shown}:${port}`,
  };
}

/** Leaves out our own listeners: mail would go round until the hop count stops it. */
function usable(list: readonly Candidate[], settings: HostSettings): Candidates {
  const others = list.filter(c => !('address' in c.place && settings.isOwn(c.place.address, c.place.port)));
  return others.length > 0 ? { kind: 'found', list: others } : { kind: 'failed', reply: TROUBLE.ourselves };
}

async function withDeadline<T>(work: Promise<T>, settings: HostSettings): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error('timed out')), settings.manner.timeouts.connect);
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
  }
}
