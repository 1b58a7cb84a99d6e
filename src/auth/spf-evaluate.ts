import type { DnsAnswer } from '../model/dns.ts';
import type { SpfResult } from '../model/spf.ts';
import { addressBytes, dottedAddress, sameNetwork } from './ip-network.ts';
import type { AddressBytes } from './ip-network.ts';
import { isAskable } from './lookup-text.ts';
import { lookupBudget, SpfTrouble } from './spf-lookups.ts';
import type { SpfLookups } from './spf-lookups.ts';
import type { MacroToken } from './spf-macro.ts';
import { asksForName, expandMacros, parseMacros } from './spf-macro.ts';
import { parsedRecord } from './spf-parsed.ts';
import type { Directive, SpfRecord, SpfSyntaxError, SpfTerm } from './spf-record.ts';
import { isSpfRecord, localTerms, parseRecord, termsOf, withLocalRules } from './spf-record.ts';

/** RFC 7208 4.6.4: address look-ups of one `mx` or `ptr`. */
const MAX_NAMES = 10;
const MAX_NAME_BYTES = 253;

const QUALIFIERS: Readonly<Record<string, SpfResult>> = {
  '+': 'pass',
  '-': 'fail',
  '~': 'softfail',
  '?': 'neutral',
};

/** Whom an evaluation is about. Byte strings. */
export interface SpfClient {
  readonly ip: string;
  readonly bytes: AddressBytes;
  readonly helo: string;
  /** Local part and domain of the sender, or `postmaster` and the HELO name (RFC 7208 2.4). */
  readonly local: string;
  readonly domain: string;
  readonly receiver: string;
  /** Seconds since the epoch. */
  readonly now: number;
}

/** A result that a record came to; `SpfTrouble` is thrown for the errors. */
export interface SpfDecision {
  readonly result: SpfResult;
  /** Whose record decided. */
  readonly domain: string;
  /** The term that matched; null: none did. */
  readonly term: SpfTerm | null;
  /** The `exp=` of that record. */
  readonly exp: readonly MacroToken[] | null;
}

/** check_host() of RFC 7208 4 for one client; `rules` are spfrules, for the first record alone. */
export class SpfEvaluation {
  readonly #client: SpfClient;
  readonly #lookups: SpfLookups;
  readonly #localBudget = lookupBudget();
  #names: Promise<ReverseNames> | null = null;

  constructor(client: SpfClient, lookups: SpfLookups) {
    this.#client = client;
    this.#lookups = lookups;
  }

  /** The record of `domain`; null: there is none. Rejects with SpfTrouble. */
  async check(domain: string, rules = ''): Promise<SpfDecision | null> {
    const text = await this.#record(domain);
    if (text === null) return null;
    const record = rules === '' ? parsedRecord(text) : parseRecord(withLocalRules(termsOf(text), rules));
    return this.#evaluate(valid(record, domain), domain);
  }

  /** Terms of the site's own in place of the record that `domain` does not have. Rejects with SpfTrouble. */
  checkLocal(domain: string, terms: string): Promise<SpfDecision> {
    return this.#evaluate(valid(parseRecord(localTerms(terms)), domain), domain);
  }

  /** The domain's own explanation (RFC 7208 6.2); null: it has none that could be used. */
  async explanation({ exp, domain }: SpfDecision): Promise<string | null> {
    if (exp === null) return null;
    const answer = await this.#lookups.txt(await this.#name(exp, domain));
    const [text, more] = answer.kind === 'found' ? answer.records : [];
    const tokens = text === undefined || more !== undefined ? null : parseMacros(text, 'explanation');
    return tokens === null ? null : this.#expand(tokens, domain);
  }

  /** RFC 7208 4.4, 4.5. */
  async #record(domain: string): Promise<string | null> {
    const answer = await this.#lookups.txt(domain);
    if (answer.kind === 'error') throw new SpfTrouble('dns', `TXT ${domain}: ${answer.error}`, domain);
    const [record, more] = answer.kind === 'none' ? [] : answer.records.filter(isSpfRecord);
    if (more !== undefined) throw new SpfTrouble('many records', `${domain} has several records`, domain);
    return record ?? null;
  }

  async #evaluate(record: SpfRecord, domain: string): Promise<SpfDecision> {
    for (const directive of record.directives) {
      if (await this.#matchesInBudget(directive, domain)) {
        const result = QUALIFIERS[directive.qualifier] ?? 'neutral';
        return { result, domain, term: directive.term, exp: record.exp };
      }
    }
    if (record.redirect === null) return { result: 'neutral', domain, term: null, exp: null };
    this.#lookups.spendTerm(domain);
    return this.#other(await this.#name(record.redirect, domain), domain);
  }

  /** The record that include or redirect names (RFC 7208 5.2, 6.1). */
  async #other(target: string, domain: string): Promise<SpfDecision> {
    const decision = await this.check(target);
    if (decision === null)
      throw new SpfTrouble('no record', `${target}, which the record names, has none`, domain);
    return decision;
  }

  async #matchesInBudget(directive: Directive, domain: string): Promise<boolean> {
    if (!directive.term.local) return this.#matches(directive, domain);
    const outer = this.#lookups.budget;
    this.#lookups.budget = this.#localBudget;
    try {
      return await this.#matches(directive, domain);
    } finally {
      this.#lookups.budget = outer;
    }
  }

  async #matches({ mechanism }: Directive, domain: string): Promise<boolean> {
    if (mechanism.kind === 'all') return true;
    if (mechanism.kind === 'ip') return sameNetwork(this.#client.bytes, mechanism.network, mechanism.prefix);
    this.#lookups.spendTerm(domain);
    const target = mechanism.domain === null ? domain : await this.#name(mechanism.domain, domain);
    switch (mechanism.kind) {
      case 'include':
        return (await this.#other(target, domain)).result === 'pass';
      case 'exists':
        return this.#some(await this.#lookups.a(target), `A ${target}`, domain).length > 0;
      case 'a': {
        const addresses = this.#some(await this.#addresses(target), `address of ${target}`, domain);
        return this.#isAmong(addresses, mechanism);
      }
      case 'mx':
        return this.#isMx(target, mechanism, domain);
      case 'ptr':
        return this.#isNamed(target, domain);
    }
  }

  async #isMx(target: string, prefixes: Prefixes, domain: string): Promise<boolean> {
    const hosts = this.#some(await this.#lookups.mx(target), `MX ${target}`, domain);
    if (hosts.length > MAX_NAMES)
      throw new SpfTrouble('limit', `${target} has more than ${MAX_NAMES} MX records`, domain);
    const inOrder = hosts.toSorted((one, other) => one.preference - other.preference);
    const answers = await Promise.all(inOrder.map(({ host }) => this.#addresses(host)));
    for (const [i, answer] of answers.entries()) {
      if (answer.kind === 'error')
        throw new SpfTrouble('dns', `address of ${inOrder[i]?.host}: ${answer.error}`, domain);
      if (answer.kind === 'found' && this.#isAmong(answer.records, prefixes)) return true;
    }
    return false;
  }

  async #isNamed(target: string, domain: string): Promise<boolean> {
    const { none, valid } = await this.#validatedNames();
    if (none) this.#lookups.spendVoid(domain);
    return valid.some(name => isWithin(name, target));
  }

  /** The records of a term's own question; none of them counts as void. */
  #some<T>(answer: DnsAnswer<T>, question: string, domain: string): readonly T[] {
    if (answer.kind === 'found') return answer.records;
    if (answer.kind === 'error') throw new SpfTrouble('dns', `${question}: ${answer.error}`, domain);
    this.#lookups.spendVoid(domain);
    return [];
  }

  #addresses(name: string): Promise<DnsAnswer<string>> {
    return this.#client.bytes.length === 4 ? this.#lookups.a(name) : this.#lookups.aaaa(name);
  }

  #isAmong(addresses: readonly string[], { prefix4, prefix6 }: Prefixes): boolean {
    const { bytes } = this.#client;
    const prefix = bytes.length === 4 ? prefix4 : prefix6;
    return addresses.some(text => {
      const address = addressBytes(text);
      return address !== null && sameNetwork(address, bytes, prefix);
    });
  }

  /** Reverse names of the client that lead back to it (RFC 7208 5.5); an error on the way means fewer of them. */
  #validatedNames(): Promise<ReverseNames> {
    this.#names ??= this.#validate();
    return this.#names;
  }

  async #validate(): Promise<ReverseNames> {
    const answer = await this.#lookups.ptr(this.#client.ip);
    if (answer.kind !== 'found') return { none: answer.kind === 'none', valid: [] };
    const names = answer.records.slice(0, MAX_NAMES);
    const found = await Promise.all(names.map(name => this.#addresses(name)));
    const whole = { prefix4: 32, prefix6: 128 };
    const valid = names.filter((_, i) => {
      const addresses = found[i];
      return addresses?.kind === 'found' && this.#isAmong(addresses.records, whole);
    });
    return { none: false, valid };
  }

  /** The name that a domain-spec stands for: without final dot, cut from the left to 253 bytes (RFC 7208 7.3). */
  async #name(spec: readonly MacroToken[], domain: string): Promise<string> {
    const name = (await this.#expand(spec, domain)).replace(/\.$/, '');
    if (name.length <= MAX_NAME_BYTES) return name;
    return name.slice(name.indexOf('.', name.length - MAX_NAME_BYTES - 1) + 1);
  }

  async #expand(tokens: readonly MacroToken[], domain: string): Promise<string> {
    const name = asksForName(tokens) ? bestName((await this.#validatedNames()).valid, domain) : '';
    return expandMacros(tokens, letter => (letter === 'p' ? name : macroValue(letter, this.#client, domain)));
  }
}

/** Reverse names; `none`: the address has none at all. */
interface ReverseNames {
  readonly none: boolean;
  readonly valid: readonly string[];
}

interface Prefixes {
  readonly prefix4: number;
  readonly prefix6: number;
}

/** The value of a macro letter other than `p` (RFC 7208 7.2). */
export function macroValue(letter: string, client: SpfClient, domain: string): string {
  switch (letter) {
    case 's':
      return `${client.local}@${client.domain}`;
    case 'l':
      return client.local;
    case 'o':
      return client.domain;
    case 'd':
      return domain;
    case 'i':
      return dottedAddress(client.bytes);
    case 'v':
      return client.bytes.length === 4 ? 'in-addr' : 'ip6';
    case 'h':
      return client.helo || 'unknown';
    case 'c':
      return client.ip;
    case 'r':
      return client.receiver || 'unknown';
    case 't':
      return String(client.now);
    default:
      return 'unknown';
  }
}

/** True for a domain that can have a record: several labels, each of a length that DNS knows (RFC 7208 4.3). */
export function isCheckable(domain: string): boolean {
  return domain.includes('.') && isAskable(domain);
}

function valid(record: SpfRecord | SpfSyntaxError, domain: string): SpfRecord {
  if (!('fault' in record)) return record;
  throw new SpfTrouble(record.fault, record.term, domain);
}

/** `%{p}`: the domain itself, a name below it, or any (RFC 7208 7.3). */
function bestName(names: readonly string[], domain: string): string {
  return (
    names.find(name => name.toLowerCase() === domain.toLowerCase()) ??
    names.find(name => isWithin(name, domain)) ??
    names[0] ??
    'unknown'
  );
}

function isWithin(name: string, domain: string): boolean {
  const [inner, outer] = [name.toLowerCase(), domain.toLowerCase()];
  return inner === outer || inner.endsWith(`.${outer}`);
}
