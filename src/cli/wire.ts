import { networkInterfaces } from 'node:os';
import { MessageSignatures } from '../auth/message-authentication.ts';
import { sealMessage } from '../auth/seal-message.ts';
import { signMessage } from '../auth/sign-message.ts';
import { checkSpf } from '../auth/spf.ts';
import type { Configuration } from '../control/configuration.ts';
import { askIdent } from '../dns/ident.ts';
import type { Resolver } from '../dns/resolver.ts';
import { createResolver } from '../dns/resolver.ts';
import type { Router } from '../model/delivery.ts';
import type { Journal } from '../model/record.ts';
import type { GatewayParts } from '../pipeline/parts.ts';
import { Gateway } from '../pipeline/gateway.ts';
import type { Services } from '../pipeline/run-stage.ts';
import { PLUGINS } from '../plugins/list.ts';
import { DiskSpace } from '../quarantine/disk-space.ts';
import { hold } from '../quarantine/hold.ts';
import { writePlainCopy } from '../quarantine/plain-copy.ts';
import type { Relay } from '../relay/router.ts';
import { createRelay } from '../relay/router.ts';
import { createIds } from './ids.ts';
import type { Places } from './places.ts';
import { ScannerSet } from './scanners.ts';
import { copyFolder, qmailHome, quarantineFolder, spoolFolder } from './places.ts';

/** A gateway with everything that it needs, and what has to be told when the configuration changes. */
export interface Wired {
  readonly gateway: Gateway;
  readonly identify: (ip: string, port: number, localPort: number) => Identity | Promise<Identity>;
  /** From now on new sessions get `configuration`; sessions that are open keep theirs. */
  use(configuration: Configuration): void;
  readonly configuration: () => Configuration;
  close(): Promise<void>;
}

/** Parts that take the place of ours. */
export type Instead = Partial<Omit<GatewayParts, 'services'>> & { readonly services?: Partial<Services> };

interface Identity {
  readonly host: string | null;
  readonly info: string | null;
}

/**
 * Puts resolver, next hops, plugins and pipeline together for one process; `instead` replaces parts (a dry run). `onHeld`
 * is told of each copy that is in the quarantine now.
 */
export function wire(
  first: Configuration,
  where: Places,
  journal: Journal,
  edge: string,
  { services, ...instead }: Instead = {},
  onHeld: (id: string) => void = () => undefined,
  scanners = new ScannerSet(first.site.values),
): Wired {
  let current = first;
  let resolver = resolverFor(first);
  let relay = relayFor(first, resolver, where);
  const routers = new WeakMap<Configuration, Router>();
  const own = ownAddresses();
  const disk = new DiskSpace(
    () => [quarantineFolder(where, current.site.values), spoolFolder(where, current.site.values)],
    () => current.site.values.diskfree,
  );

  const gateway = new Gateway({
    edge,
    plugins: PLUGINS,
    services: {
      dns: {
        a: name => resolver.a(name),
        aaaa: name => resolver.aaaa(name),
        txt: name => resolver.txt(name),
        mx: name => resolver.mx(name),
        ptr: ip => resolver.ptr(ip),
      },
      spf: question => checkSpf(question, resolver),
      sign: (message, order, headerFields) =>
        signMessage(message, order, { folder: qmailHome(where), now: Date.now(), headerFields }),
      seal: (message, order) => sealMessage(message, order, qmailHome(where), Date.now()),
      virus: (message, signal) => scanners.current.virus(message, signal),
      score: (message, question, signal) => scanners.current.score(message, question, signal),
      authenticate: question => new MessageSignatures(question, resolver, Date.now()),
      now: Date.now,
      ...services,
    },
    configuration: () => current,
    router: configuration => {
      let router = routers.get(configuration);
      if (router === undefined) {
        const { smtproutes } = configuration.site.values;
        router = relay.router(domain => smtproutes.find(domain));
        routers.set(configuration, router);
      }
      return router;
    },
    journal,
    hold: async (held, added, message) => {
      await hold(quarantineFolder(where, current.site.values), held, added, message);
      onHeld(held.id);
    },
    keepCopy: message => writePlainCopy(copyFolder(where, current.site.values), message, Date.now()),
    spoolFolder: () => spoolFolder(where, current.site.values),
    storageTrouble: () => disk.trouble,
    newId: createIds(),
    isOwnAddress: ip => own.has(ip),
    ...instead,
  });

  const identify = (ip: string, port: number, localPort: number): Identity | Promise<Identity> => {
    const { reversename, ident, spamd } = current.site.values;
    // SpamAssassin holds it against a client that our Received field gives no name of his.
    const useful = current.rules?.needsHost === true || spamd.length > 0;
    const wantsHost = reversename === 'yes' || (reversename === 'auto' && useful);
    const wantsInfo = ident > 0;
    if (!wantsHost && !wantsInfo) return { host: null, info: null };
    return Promise.all([
      wantsHost
        ? resolver.ptr(ip).then(answer => (answer.kind === 'found' ? (answer.records[0] ?? null) : null))
        : null,
      wantsInfo ? askIdent(ip, port, localPort, ident * 1000) : null,
    ]).then(([host, info]) => ({ host, info }));
  };

  return {
    gateway,
    identify,
    configuration: () => current,
    use(configuration) {
      const before = current.site.values;
      const after = configuration.site.values;
      current = configuration;
      if (resolverKey(before) !== resolverKey(after)) {
        resolver.close();
        resolver = resolverFor(configuration);
      }
      scanners.use(after);
      if (relayKey(before) !== relayKey(after)) {
        const old = relay;
        relay = relayFor(configuration, resolver, where);
        void old.close();
      }
    },
    async close() {
      disk.close();
      scanners.close();
      await relay.close();
      resolver.close();
    },
  };
}

/** The next hops of a configuration for a program that does not listen, and how to let go of them. */
export interface NextHops {
  /** Of mail that came over SMTP. */
  readonly relay: Router;
  /** Of mail that came from postern-queue: the program that queues it. */
  readonly queue: Router;
  close(): Promise<void>;
}

export function nextHops(configuration: Configuration, where: Places): NextHops {
  const resolver = resolverFor(configuration);
  const relay = relayFor(configuration, resolver, where);
  const { site } = configuration;
  return {
    relay: relay.router(domain => site.values.smtproutes.find(domain)),
    queue: relay.queueRouter(recipient => configuration.forRecipient(site, recipient).values.qmailqueue),
    async close() {
      await relay.close();
      resolver.close();
    },
  };
}

type Values = Configuration['site']['values'];

const resolverKey = (v: Values) => JSON.stringify([v.dnsservers, v.dnstimeout]);
const relayKey = (v: Values) =>
  JSON.stringify([
    v.helohost,
    v.me,
    v.timeoutconnect,
    v.timeoutremote,
    v.recipientcache,
    v.listen,
    resolverKey(v),
  ]);

function resolverFor(configuration: Configuration): Resolver {
  const { dnsservers, dnstimeout } = configuration.site.values;
  return createResolver({ servers: dnsservers, timeoutMs: dnstimeout });
}

function relayFor(configuration: Configuration, dns: Resolver, where: Places): Relay {
  const { helohost, me, timeoutconnect, timeoutremote, recipientcache, listen } = configuration.site.values;
  const own = ownAddresses();
  const ports = new Set(listen.map(entry => Number(entry.slice(entry.lastIndexOf(':') + 1))));
  return createRelay({
    dns,
    ourName: helohost ?? me,
    timeouts: {
      connect: Math.max(1, timeoutconnect) * 1000,
      reply: Math.max(1, timeoutremote) * 1000,
      final: Math.max(1, timeoutremote) * 4000,
    },
    recipientCacheSeconds: recipientcache,
    isOwn: (ip, port) => own.has(ip) && ports.has(port),
    maildirBase: where.stateDir,
    qmailHome: qmailHome(where),
    spoolFolder: spoolFolder(where, configuration.site.values),
  });
}

function ownAddresses(): ReadonlySet<string> {
  return new Set(Object.values(networkInterfaces()).flatMap(list => (list ?? []).map(one => one.address)));
}
