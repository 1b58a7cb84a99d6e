import { addressBytes } from './ip-network.ts';
import type { AddressBytes } from './ip-network.ts';
import type { MacroToken } from './spf-macro.ts';
import { parseDomainSpec, parseMacros } from './spf-macro.ts';

type DomainSpec = readonly MacroToken[];

/** A mechanism of RFC 7208 5, taken apart. `domain` null: the current domain. */
export type Mechanism =
  | { readonly kind: 'all' }
  | { readonly kind: 'include' | 'exists'; readonly domain: DomainSpec }
  | {
      readonly kind: 'a' | 'mx';
      readonly domain: DomainSpec | null;
      readonly prefix4: number;
      readonly prefix6: number;
    }
  | { readonly kind: 'ptr'; readonly domain: DomainSpec | null }
  | { readonly kind: 'ip'; readonly network: AddressBytes; readonly prefix: number };

/** A term of a record before it is parsed; `local`: ours (`spfrules`, `spfguess`), not the domain's. */
export interface SpfTerm {
  readonly text: string;
  readonly local: boolean;
}

export interface Directive {
  readonly qualifier: string;
  readonly mechanism: Mechanism;
  readonly term: SpfTerm;
}

export interface SpfRecord {
  readonly directives: readonly Directive[];
  readonly redirect: DomainSpec | null;
  readonly exp: DomainSpec | null;
}

/** What is wrong with a record: the first term that breaks the grammar, and whether it names an unknown mechanism. */
export interface SpfSyntaxError {
  readonly fault: 'syntax' | 'mechanism';
  readonly term: string;
}

const QNUM = '(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])';
const IP4 = new RegExp(`^:(${QNUM}(?:\\.${QNUM}){3})(?:/(0|[1-9][0-9]?))?$`);
const IP6 = /^:([0-9a-f:.]{2,45})(?:\/(0|[1-9][0-9]{0,2}))?$/i;
/** `:domain-spec`, `/ip4-cidr`, `//ip6-cidr`, each optional; the domain-spec may hold slashes itself. */
const DUAL_CIDR = /^(?::(.+?))?(?:\/(0|[1-9][0-9]?))?(?:\/\/(0|[1-9][0-9]{0,2}))?$/;
const MODIFIER = /^([a-z][a-z0-9\-_.]*)=(.*)$/i;

/** True for a TXT record that is an SPF record (RFC 7208 4.5). */
export function isSpfRecord(text: string): boolean {
  return /^v=spf1(?: |$)/i.test(text);
}

/** The terms of a record behind `v=spf1`; only blanks part them, so that a tab is a syntax error later. */
export function termsOf(record: string): SpfTerm[] {
  return wordsOf(record.slice('v=spf1'.length), false);
}

/** The terms of `spfrules` or `spfguess`. */
export function localTerms(text: string): SpfTerm[] {
  return wordsOf(text, true);
}

function wordsOf(text: string, local: boolean): SpfTerm[] {
  return text.split(' ').flatMap(word => (word === '' ? [] : [{ text: word, local }]));
}

/**
 * Puts `spfrules` into a domain's record: before the last run of terms with the same failing qualifier that ends in its
 * `all` (`a mx -all` becomes `a mx RULES -all`). A record that fails nobody does not get them (qmail-spf rc5).
 */
export function withLocalRules(terms: readonly SpfTerm[], rules: string): readonly SpfTerm[] {
  const all = terms.findIndex(({ text }) => /^[-~?]all$/i.test(text));
  const before = terms.findIndex(({ text }) => /^\+?all$/i.test(text));
  if (all < 0 || (before >= 0 && before < all)) return terms;
  const qualifier = terms[all]?.text.charAt(0) ?? '';
  const at = terms.slice(0, all).findLastIndex(({ text }) => !text.startsWith(qualifier)) + 1;
  return terms.toSpliced(at, 0, ...localTerms(rules));
}

/** Parses all terms before any is evaluated (RFC 7208 4.6). */
export function parseRecord(terms: readonly SpfTerm[]): SpfRecord | SpfSyntaxError {
  const directives: Directive[] = [];
  const once: { redirect: DomainSpec | null; exp: DomainSpec | null } = { redirect: null, exp: null };
  for (const term of terms) {
    const error: SpfSyntaxError = { fault: 'syntax', term: term.text };
    const modifier = MODIFIER.exec(term.text);
    if (modifier !== null) {
      const [, name = '', value = ''] = modifier;
      const key = name.toLowerCase();
      if (key === 'redirect' || key === 'exp') {
        if (once[key] !== null) return error;
        once[key] = parseDomainSpec(value);
        if (once[key] === null) return error;
      } else if (parseMacros(value, 'modifier') === null) return error;
      continue;
    }
    const [, qualifier = '', name = '', rest = ''] =
      /^([+\-~?]?)([a-z0-9\-_.]*)([\s\S]*)$/i.exec(term.text) ?? [];
    const mechanism = parseMechanism(name.toLowerCase(), rest);
    if (mechanism === null) return error;
    // A name, and nothing behind it but what a mechanism may have: a mechanism of somebody's invention.
    if (mechanism === 'unknown')
      return /^[a-z]/i.test(name) && /^(?:$|[:/])/.test(rest) ? { ...error, fault: 'mechanism' } : error;
    directives.push({ qualifier: qualifier || '+', mechanism, term });
  }
  return { directives, ...once };
}

function parseMechanism(name: string, rest: string): Mechanism | 'unknown' | null {
  switch (name) {
    case 'all':
      return rest === '' ? { kind: 'all' } : null;
    case 'include':
    case 'exists': {
      const domain = rest.startsWith(':') ? parseDomainSpec(rest.slice(1)) : null;
      return domain === null ? null : { kind: name, domain };
    }
    case 'a':
    case 'mx':
      return parseDual(name, rest);
    case 'ptr': {
      if (rest === '') return { kind: 'ptr', domain: null };
      const domain = rest.startsWith(':') ? parseDomainSpec(rest.slice(1)) : null;
      return domain === null ? null : { kind: 'ptr', domain };
    }
    case 'ip4': {
      const [, ip = '', prefix] = IP4.exec(rest) ?? [];
      return network(ip, 4, prefix);
    }
    case 'ip6': {
      const [, ip = '', prefix] = IP6.exec(rest) ?? [];
      return network(ip, 16, prefix);
    }
    default:
      return 'unknown';
  }
}

function parseDual(kind: 'a' | 'mx', rest: string): Mechanism | null {
  const match = DUAL_CIDR.exec(rest);
  if (match === null) return null;
  const [, spec, four = '32', six = '128'] = match;
  const domain = spec === undefined ? null : parseDomainSpec(spec);
  if (spec !== undefined && domain === null) return null;
  const [prefix4, prefix6] = [Number(four), Number(six)];
  return prefix4 > 32 || prefix6 > 128 ? null : { kind, domain, prefix4, prefix6 };
}

function network(ip: string, bytes: 4 | 16, cidr: string | undefined): Mechanism | null {
  const address = addressBytes(ip);
  const prefix = cidr === undefined ? bytes * 8 : Number(cidr);
  if (address?.length !== bytes || prefix > bytes * 8) return null;
  return { kind: 'ip', network: address, prefix };
}
