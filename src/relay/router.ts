import path from 'node:path';
import type { Route } from '../control/routes.ts';
import type { Address } from '../model/address.ts';
import type { Delivery, HopAnswer, NextHop, Router } from '../model/delivery.ts';
import type { Dns } from '../model/dns.ts';
import { answerOf, TROUBLE } from './answers.ts';
import type { Manner, Protocol, Timeouts, TlsUse } from './greeting.ts';
import { atHost, atMx, atPath, HostSource } from './hosts.ts';
import type { Candidates, HostSettings } from './hosts.ts';
import { MaildirDelivery } from './maildir.ts';
import { ConnectionPool } from './pool.ts';
import type { PoolLimits } from './pool.ts';
import { QueueProgramDelivery } from './queue-program.ts';
import { RefusalCache } from './refusal-cache.ts';
import { SmtpDelivery } from './smtp-delivery.ts';

/** Finds the route of a domain (lower case, without final dot); null when there is none. */
export type FindRoute = (domain: string) => Route | null;

export interface RelayOptions {
  readonly dns: Dns;
  /** The name we give at EHLO. */
  readonly ourName: string;
  /** Our address on outgoing connections; the system's choice when absent. */
  readonly localAddress?: string;
  readonly timeouts?: Partial<Timeouts>;
  /** How long a hop's refusal of a recipient is remembered, seconds; 0 is off. Default 60. */
  readonly recipientCacheSeconds?: number;
  /** Whether one of our own listeners answers at this address and port: mail sent there would come back. */
  readonly isOwn?: (address: string, port: number) => boolean;
  /** Folder that relative paths of Maildirs and sockets start from; the working directory when absent. */
  readonly maildirBase?: string;
  /** qmail's home, where programs of relative paths are; the working directory when absent. */
  readonly qmailHome?: string;
  /** Folder for unnamed files; the working directory when absent. */
  readonly spoolFolder?: string;
  readonly pool?: PoolLimits;
  /** Certificates to trust for routes that require TLS in place of the built-in ones, PEM. */
  readonly ca?: string;
}

/** Default time limits: qmail's timeoutconnect; a minute a reply; four for the one to the final dot, so that the client still waits. */
const TIMEOUTS: Timeouts = { connect: 60_000, reply: 60_000, final: 240_000 };

/** The next hops of a process: their connections and what is known of them outlive any one configuration. */
export interface Relay {
  /** A router for one configuration. Cheap; connections are shared with the routers before and after it. */
  router(find: FindRoute): Router;
  /** A router for mail that goes to programs such as qmail-queue: `programOf` says to which. */
  queueRouter(programOf: (recipient: Address) => string): Router;
  /** Closes idle connections, and others as they become idle. Deliveries under way are finished. */
  close(): Promise<void>;
}

/** Sets up the relay; nothing is connected before the first recipient. */
export function createRelay(options: RelayOptions): Relay {
  const pool = new ConnectionPool(options.pool);
  const refusals = new RefusalCache(options.recipientCacheSeconds ?? 60);
  const settings = (protocol: Protocol, tls: TlsUse): HostSettings => ({
    pool,
    manner: manner(options, protocol, tls),
    isOwn: options.isOwn ?? (() => false),
    ...(options.localAddress === undefined ? {} : { localAddress: options.localAddress }),
  });
  const overNetwork = (
    key: string,
    name: string,
    settings: HostSettings,
    candidates: () => Promise<Candidates>,
  ): NextHop => {
    const source = new HostSource(key, name, settings, candidates);
    return { key, open: envelope => new SmtpDelivery(source, envelope, refusals) };
  };

  const queueHop = (program: string): NextHop => {
    const queue = {
      program,
      home: options.qmailHome ?? '',
      spoolFolder: options.spoolFolder ?? '',
      timeout: options.timeouts?.final ?? TIMEOUTS.final,
    };
    return { key: `queue ${program}`, open: envelope => new QueueProgramDelivery(queue, envelope) };
  };

  const hop = (route: Route | null, domain: string): NextHop => {
    if (route === null) return { key: 'none', open: () => new NoRoute() };
    switch (route.kind) {
      case 'maildir': {
        const folder = path.resolve(options.maildirBase ?? '', route.path);
        return {
          key: `maildir ${folder}`,
          open: envelope => new MaildirDelivery(folder, route.path, envelope),
        };
      }
      case 'queue':
        return queueHop(route.path);
      case 'mx': {
        const { port, tls } = route;
        const s = settings('smtp', tls);
        return overNetwork(
          `mx ${domain}:${port} ${tls}`,
          `mx ${domain}`,
          s,
          atMx(domain, port, options.dns, s),
        );
      }
      case 'smtp':
      case 'lmtp': {
        if ('path' in route) {
          const s = settings('lmtp', 'off');
          const socket = path.resolve(options.maildirBase ?? '', route.path);
          return overNetwork(`lmtp ${socket}`, `lmtp ${route.path}`, s, atPath(socket, route.path, s));
        }
        const { kind, host, port, tls } = route;
        const s = settings(kind, tls);
        const name = `${kind} ${host.includes(':') ? `[${host}]` : host}:${port}`;
        return overNetwork(`${name} ${tls}`, name, s, atHost(host, port, s));
      }
    }
  };

  return {
    router: find => {
      const hops = new WeakMap<Route, NextHop>();
      return {
        route(recipient: Address): NextHop {
          const route = find(recipient.domain);
          // MX hops are one a domain and there is no end of domains; the others are few, one a route.
          if (route === null || route.kind === 'mx') return hop(route, recipient.domain);
          let known = hops.get(route);
          if (known === undefined) hops.set(route, (known = hop(route, recipient.domain)));
          return known;
        },
      };
    },
    queueRouter: programOf => ({ route: recipient => queueHop(programOf(recipient)) }),
    close: () => pool.close(),
  };
}

function manner(options: RelayOptions, protocol: Protocol, tls: TlsUse): Manner {
  return {
    protocol,
    tls,
    ourName: options.ourName,
    timeouts: { ...TIMEOUTS, ...options.timeouts },
    ...(options.ca === undefined ? {} : { ca: options.ca }),
  };
}

/** For a domain nobody has routed. That is our configuration's gap, so the mail stays with the sender for now. */
class NoRoute implements Delivery {
  addRecipient(): Promise<HopAnswer> {
    return Promise.resolve(answerOf(TROUBLE.noRoute, 'none'));
  }

  send(): Promise<readonly HopAnswer[]> {
    return Promise.resolve([]);
  }

  abort(): void {}
}
