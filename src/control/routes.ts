import { isIP, isIPv6 } from 'node:net';
import { lowerAscii } from '../model/address.ts';
import type { Parse } from './complaints.ts';
import { domainTails } from './domain-list.ts';
import { listEntries } from './readers.ts';

/** `opportunistic`: TLS where the next hop offers it, whatever its certificate; `required`: no mail without it. */
export type RouteTls = 'off' | 'opportunistic' | 'required';

/** Where mail for a domain goes. */
export type Route =
  /**
   * To a host over SMTP, or over LMTP (RFC 2033): a name, whose address is looked up and never its MX, or an IP address
   * without brackets.
   */
  | {
      readonly kind: 'smtp' | 'lmtp';
      readonly host: string;
      readonly port: number;
      readonly tls: RouteTls;
      readonly place: string;
    }
  /** To the MX of the recipient's domain, over SMTP. */
  | { readonly kind: 'mx'; readonly port: number; readonly tls: RouteTls; readonly place: string }
  | PathRoute;

/** Into a Maildir, to a Unix socket that speaks LMTP, or into a queue, by a program that is run as qmail-queue is. */
export interface PathRoute {
  readonly kind: 'maildir' | 'lmtp' | 'queue';
  /** Relative ones are the caller's to resolve. */
  readonly path: string;
  readonly place: string;
}

/** The smtproutes file. */
export interface Routes {
  /** The route of a recipient domain (any case), or null: its exact line, else its longest `.tail`, else the line `:`. */
  find(domain: string): Route | null;
  /** The routes that can be found, in file order. */
  all(): Iterable<Route>;
}

const PORT = { smtp: 25, lmtp: 24 } as const;

/**
 * smtproutes as qmail-remote reads it (netqmail 1.06; control-files.md 4.13), `DOMAIN:RELAY[:PORT]`, with words of our
 * own after a blank, which the classic form cannot have: `smtp` (default), `lmtp`, `maildir` or `queue`, and
 * `tls=off|opportunistic|required` (default opportunistic for SMTP, off for LMTP). RELAY is a name, an IPv4 address,
 * `[IP]`, nothing (use the MX), or a path: of a Maildir, of a Unix socket for LMTP, or of a program such as qmail-queue. On duplicates the last line wins.
 */
export const parseRoutes: Parse<Routes> = (text, file, complaints) => {
  const routes = new Map<string, Route>();
  for (const { text: entry, line } of listEntries(text, file, complaints)) {
    const colon = entry.indexOf(':');
    if (colon < 0) {
      complaints.warn(file, line, `no colon, so the line is ignored: ${entry}; wanted DOMAIN:RELAY`);
      continue;
    }
    const domain = lowerAscii(entry.slice(0, colon));
    const route = parseTarget(entry.slice(colon + 1), `${file}:${line}`);
    if (typeof route === 'string') {
      complaints.error(file, line, route);
      continue;
    }
    const before = routes.get(domain);
    if (before) {
      complaints.warn(
        file,
        line,
        `replaces the route of ${domain === '' ? 'all other domains' : domain} at ${before.place}`,
      );
      routes.delete(domain);
    }
    routes.set(domain, route);
  }
  return { all: () => routes.values(), find: domain => findRoute(routes, lowerAscii(domain)) };
};

function findRoute(routes: ReadonlyMap<string, Route>, domain: string): Route | null {
  const exact = routes.get(domain);
  if (exact) return exact;
  for (const tail of domainTails(domain)) {
    const route = routes.get(tail);
    if (route) return route;
  }
  return routes.get('') ?? null;
}

interface Words {
  readonly protocol: 'smtp' | 'lmtp' | 'maildir' | 'queue' | null;
  readonly tls: RouteTls | null;
}

/** What stands after the colon of a line. A string says what is wrong. */
function parseTarget(target: string, place: string): Route | string {
  if (target.includes('|')) {
    return 'user and password after | are not available: Postern does not authenticate itself to next hops';
  }
  const [relay = '', ...rest] = target.split(/[ \t]+/);
  const words = parseWords(rest);
  if (typeof words === 'string') return words;
  const path = parsePath(relay, words, place);
  if (path !== null) return path;
  const { protocol, tls } = words;
  if (relay === '') {
    if (protocol === 'lmtp') return 'lmtp needs a relay: a host, [IP] or the path of a Unix socket';
    return { kind: 'mx', port: PORT.smtp, tls: tls ?? 'opportunistic', place };
  }
  const address = parseHost(relay);
  if (typeof address === 'string') return address;
  const kind = protocol === 'lmtp' ? 'lmtp' : 'smtp';
  const port = address.port ?? PORT[kind];
  return { kind, host: address.host, port, tls: tls ?? (kind === 'smtp' ? 'opportunistic' : 'off'), place };
}

function parseWords(words: readonly string[]): Words | string {
  let protocol: Words['protocol'] = null;
  let tls: RouteTls | null = null;
  for (const word of words) {
    if (word === 'smtp' || word === 'lmtp' || word === 'maildir' || word === 'queue') {
      if (protocol !== null)
        return `"${protocol}" and "${word}": wanted one of smtp, lmtp, maildir and queue`;
      protocol = word;
    } else if (word === 'tls=off' || word === 'tls=opportunistic' || word === 'tls=required') {
      if (tls !== null) return `tls= stands twice`;
      tls = word.slice('tls='.length) as RouteTls;
    } else {
      return `"${word}" is none of smtp, lmtp, maildir, queue, tls=off, tls=opportunistic and tls=required`;
    }
  }
  return { protocol, tls };
}

/** A route to a path; null when the relay is a host or nothing. */
function parsePath(relay: string, words: Words, place: string): Route | string | null {
  const isPath =
    relay.startsWith('/') || relay.startsWith('./') || (words.protocol === 'lmtp' && relay.includes('/'));
  if (!isPath && words.protocol !== 'maildir' && words.protocol !== 'queue') return null;
  if (words.protocol === 'smtp' || words.protocol === null) {
    return `${relay} is a path; wanted the word maildir, lmtp or queue after it`;
  }
  if (relay === '')
    return `${words.protocol} needs the path of a ${words.protocol === 'queue' ? 'program' : 'folder'} before it`;
  if (words.tls !== null) return `tls= goes with a network address; ${relay} is a path`;
  return { kind: words.protocol, path: relay, place };
}

function parseHost(relay: string): { host: string; port: number | null } | string {
  if (relay.startsWith('[')) {
    const close = relay.indexOf(']');
    const ip = relay.slice(1, close);
    if (close < 0 || isIP(ip) === 0) return `${relay}: wanted an IP address between [ and ]`;
    const rest = relay.slice(close + 1);
    if (rest !== '' && !rest.startsWith(':')) return `${relay}: wanted :PORT or nothing after ]`;
    return withPort(ip, rest === '' ? null : rest.slice(1));
  }
  if (isIPv6(relay)) return `an IPv6 address needs brackets: [${relay}]`;
  const colon = relay.indexOf(':');
  const host = colon < 0 ? relay : relay.slice(0, colon);
  if (host === '') return `${relay}: a port needs a relay in front of it`;
  if (!/^[A-Za-z0-9._-]+$/.test(host)) return `"${host}" is neither a host name nor an IP address`;
  return withPort(host, colon < 0 ? null : relay.slice(colon + 1));
}

function withPort(host: string, text: string | null): { host: string; port: number | null } | string {
  if (text === null) return { host, port: null };
  const port = /^[0-9]{1,5}$/.test(text) ? Number(text) : 0;
  if (port < 1 || port > 65_535) return `port "${text}" is not a number between 1 and 65535`;
  return { host, port };
}
