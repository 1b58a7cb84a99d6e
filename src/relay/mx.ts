import { isIPv4, isIPv6 } from 'node:net';
import type { Dns } from '../model/dns.ts';
import { reply } from '../model/reply.ts';
import type { Reply } from '../model/reply.ts';
import { TROUBLE } from './answers.ts';

/** Hosts of one domain that are considered, best first; a domain can list hundreds. */
const HOSTS_LIMIT = 10;

/** One mail server address of a domain. */
export interface MailHost {
  /** Its name, or the address literal's address. */
  readonly host: string;
  readonly address: string;
}

/** Where the mail of a domain goes, or what to answer. */
export type MailHosts =
  | { readonly kind: 'found'; readonly hosts: readonly MailHost[] }
  | { readonly kind: 'refused' | 'failed'; readonly reply: Reply };

const NULL_MX = reply(556, '5.1.10', 'domain does not accept mail');
const NO_SUCH_DOMAIN = reply(550, '5.1.2', 'domain does not exist');
const NO_ADDRESS = reply(550, '5.4.4', 'no mail server of the domain has an address');
const DNS_TROUBLE = reply(451, '4.4.3', 'mail servers of the domain could not be looked up');

/**
 * Finds the mail servers of `domain` (RFC 5321 section 5.1): its MX hosts by preference, or without MX records the
 * domain itself; null MX (RFC 7505) is a refusal. Where we are listed ourselves, hosts of our own preference and worse
 * are left out. IPv4 comes before IPv6 of the same host. A domain in brackets is its own address.
 * @param isOwn tells whether one of our listeners answers at an address
 */
export async function mailHosts(
  domain: string,
  dns: Dns,
  isOwn: (address: string) => boolean,
): Promise<MailHosts> {
  const literal = addressLiteral(domain);
  if (literal !== null) return chosen([[{ host: literal, address: literal }]], false, isOwn);

  const mx = await dns.mx(domain);
  if (mx.kind === 'error') return { kind: 'failed', reply: DNS_TROUBLE };
  if (mx.kind === 'none' && mx.nxdomain) return { kind: 'refused', reply: NO_SUCH_DOMAIN };
  const records = mx.kind === 'found' ? mx.records : [{ preference: 0, host: domain }];
  const named = records.filter(record => record.host !== '' && record.host !== '.');
  if (named.length === 0) return { kind: 'refused', reply: NULL_MX };

  const hosts = shuffled(named).toSorted((a, b) => a.preference - b.preference);
  const considered = hosts.slice(0, HOSTS_LIMIT);
  const looked = await Promise.all(considered.map(record => addresses(record.host, dns)));
  const groups = new Map<number, MailHost[]>();
  considered.forEach((record, i) => {
    const group = groups.get(record.preference) ?? [];
    group.push(...(looked[i]?.hosts ?? []));
    groups.set(record.preference, group);
  });
  return chosen(
    [...groups.values()],
    looked.some(l => l.error),
    isOwn,
  );
}

/** Puts the groups of equal preference into one list, up to the group in which we are. */
function chosen(
  groups: readonly MailHost[][],
  error: boolean,
  isOwn: (address: string) => boolean,
): MailHosts {
  const hosts: MailHost[] = [];
  for (const group of groups) {
    if (group.some(h => isOwn(h.address))) {
      if (hosts.length === 0) return { kind: 'failed', reply: TROUBLE.ourselves };
      break;
    }
    hosts.push(...group);
  }
  if (hosts.length > 0) return { kind: 'found', hosts };
  return error ? { kind: 'failed', reply: DNS_TROUBLE } : { kind: 'refused', reply: NO_ADDRESS };
}

/** Addresses of one host; `error` when some could not be found out. */
async function addresses(host: string, dns: Dns): Promise<{ hosts: readonly MailHost[]; error: boolean }> {
  const [a, aaaa] = await Promise.all([dns.a(host), dns.aaaa(host)]);
  const found = [a, aaaa].flatMap(answer => (answer.kind === 'found' ? answer.records : []));
  return {
    hosts: found.map(address => ({ host, address })),
    error: a.kind === 'error' || aaaa.kind === 'error',
  };
}

/** The address in `[192.0.2.1]` or `[IPv6:2001:db8::1]` (RFC 5321 4.1.3), or null. */
function addressLiteral(domain: string): string | null {
  if (!domain.startsWith('[') || !domain.endsWith(']')) return null;
  const inner = domain.slice(1, -1);
  if (isIPv4(inner)) return inner;
  const v6 = inner.startsWith('ipv6:') ? inner.slice(5) : '';
  return isIPv6(v6) ? v6 : null;
}

/** Hosts of equal preference share the load by chance (RFC 5321 section 5.1). */
function shuffled<T>(items: readonly T[]): T[] {
  const out = [...items];
  for (let i = out.length - 1; i > 0; i--) {
    const j = Math.floor(Math.random() * (i + 1));
    [out[i], out[j]] = [out[j] as T, out[i] as T];
  }
  return out;
}
