import type { Dns, DnsAnswer } from '../model/dns.ts';
import type { ListOutcome } from './list-decision.ts';
import { ipv6Words, mappedIPv4, reverseName } from './reverse.ts';

/** IPv4 addresses as unsigned 32-bit numbers, both ends included. */
export interface CodeRange {
  readonly first: number;
  readonly last: number;
}

/** How a list is asked. */
export interface AskedList {
  readonly kind: 'block' | 'allow';
  readonly zone: string;
  /** The A records that mean "listed"; null: any in 127/8. */
  readonly codes: readonly CodeRange[] | null;
  /** A text with `%IP%` in place of the list's TXT record. */
  readonly text: string | null;
}

/** The client as lists are asked for it. */
export interface ListedClient {
  readonly ip: string;
  /** The name in front of the zone; `''` asks for the zone itself, as rblsmtpd does without TCPREMOTEIP. */
  readonly reversed: string;
  readonly ipv6: boolean;
}

/** Text kept of a list that answers with an error code; Spamhaus explains itself there. */
const MAX_ERROR_TEXT = 200;

/**
 * The client `ip` for askList. What is no address is reversed at its dots and asked for all the same, as rblsmtpd 0.88
 * does with whatever TCPREMOTEIP holds.
 */
export function listedClient(ip: string): ListedClient {
  const words = ipv6Words(ip);
  return {
    ip,
    reversed: reverseName(ip) ?? ip.split('.').toReversed().join('.'),
    ipv6: words !== null && mappedIPv4(words) === null,
  };
}

/**
 * Asks one list about a client. A plain `-r` list goes by its TXT record as in rblsmtpd, one with codes or a text of our
 * own by its A records, an anti-list by A (and AAAA for IPv6 clients, as ucspi-tcp6 does). Lists report trouble of their
 * own (query limits, a dead zone's wildcard) as listings of everybody, with A records in 127.255.255.0/24 or outside
 * 127/8 (RFC 5782 2.1): those are errors here, never hits. Never rejects.
 */
export async function askList(dns: Dns, client: ListedClient, list: AskedList): Promise<ListOutcome> {
  const name = client.reversed === '' ? list.zone : `${client.reversed}.${list.zone}`;
  if (list.kind === 'allow') return askAllow(dns, name, client, list);
  if (list.codes !== null || list.text !== null) return askByCode(dns, name, client, list);
  return askByText(dns, name, list);
}

/** Non-empty TXT is a listing. The A record is asked for only then, and can only turn it into an error. */
async function askByText(dns: Dns, name: string, list: AskedList): Promise<ListOutcome> {
  const txt = await dns.txt(name);
  if (txt.kind === 'error') return failed('TXT', txt);
  const text = joined(txt);
  if (text === '') {
    const exists = txt.kind === 'found' || !txt.nxdomain;
    return {
      kind: 'unlisted',
      detail: exists
        ? 'the name exists without TXT text, which is no listing; codes= makes its A record decide'
        : 'not listed',
    };
  }
  const a = await dns.a(name);
  // No A record, or none to be had: the TXT record alone has always been enough.
  return judged(a, list, text) ?? { kind: 'listed', text, codes: [] };
}

async function askByCode(
  dns: Dns,
  name: string,
  client: ListedClient,
  list: AskedList,
): Promise<ListOutcome> {
  const a = await dns.a(name);
  if (a.kind === 'error') return failed('A', a);
  const template = list.text?.replaceAll('%IP%', client.ip);
  const verdict = judged(a, list, template ?? '');
  if (verdict === null) return { kind: 'unlisted', detail: 'not listed' };
  if (verdict.kind !== 'listed' || template !== undefined) return verdict;
  const text = joined(await dns.txt(name));
  return { ...verdict, text: text === '' ? `Your IP address is listed at ${list.zone}` : text };
}

async function askAllow(dns: Dns, name: string, client: ListedClient, list: AskedList): Promise<ListOutcome> {
  const [a, aaaa] = await Promise.all([dns.a(name), client.ipv6 ? dns.aaaa(name) : null]);
  const verdict = judged(a, list, '');
  if (verdict?.kind === 'listed') return verdict;
  if (aaaa?.kind === 'found') return { kind: 'listed', text: '', codes: aaaa.records };
  if (verdict !== null) return verdict;
  if (a.kind === 'error') return failed('A', a);
  if (aaaa?.kind === 'error') return failed('AAAA', aaaa);
  return { kind: 'unlisted', detail: 'not listed' };
}

/** What A records mean; null when there are none. */
function judged(a: DnsAnswer<string>, list: AskedList, text: string): ListOutcome | null {
  if (a.kind !== 'found') return null;
  const numbers = a.records.map(ipv4Number);
  const told = a.records.join(' ');
  const said = text === '' ? '' : `, "${text.slice(0, MAX_ERROR_TEXT)}"`;
  if (numbers.some(n => n >>> 8 === 0x7fffff)) {
    return { kind: 'error', why: `${told}: the list reports an error of its own${said}` };
  }
  if (numbers.some(n => n >>> 24 !== 127)) return { kind: 'error', why: `${told}: outside 127/8${said}` };
  const { codes } = list;
  // An address may be on several parts of a list at once; one wanted code is enough.
  if (codes !== null && !numbers.some(n => codes.some(range => n >= range.first && n <= range.last))) {
    return { kind: 'error', why: `${told}: not among the codes of this list${said}` };
  }
  return { kind: 'listed', text, codes: a.records };
}

function failed(type: string, answer: { readonly error: string }): ListOutcome {
  return { kind: 'error', why: `${type} look-up: ${answer.error}` };
}

/** All strings of all TXT answers without a separator, as djb's dns_txt joins them. */
function joined(txt: DnsAnswer<readonly string[]>): string {
  return txt.kind === 'found' ? txt.records.flat().join('') : '';
}

function ipv4Number(dotted: string): number {
  return dotted.split('.').reduce((sum, octet) => sum * 256 + Number(octet), 0);
}
