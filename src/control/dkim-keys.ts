import { lowerAscii } from '../model/address.ts';
import type { DkimSignWords, SigningKeyLine } from '../model/dkim-signing.ts';
import { isSelector, isSigningDomain } from '../model/signing-name.ts';
import type { Complaints, Parse } from './complaints.ts';
import { parseDkimExpire, parseDkimIdentity, parseDkimSignOptions } from './dkim-sign-options.ts';
import { domainTails } from './domain-list.ts';
import type { Parsed } from './kinds.ts';
import type { ListEntry } from './readers.ts';
import { listEntries } from './readers.ts';
import { didYouMean } from './suggest.ts';

/** A line of control/dkimkeys: on a line `.example.com`, `signsAs` is `example.com`. */
export interface DkimKeyLine extends SigningKeyLine {
  /** `example.com`, `.example.com`, `*.example.com` or `*`, lower case. */
  readonly domains: string;
}

/** The keys that are named by domain. */
export interface DkimKeys {
  /** The first line of the file that covers `domain` (lower case), or null. */
  find(domain: string): DkimKeyLine | null;
  /** All lines, in file order. */
  readonly lines: readonly DkimKeyLine[];
  readonly size: number;
}

const WANTED = 'wanted DOMAIN:/PATH/SELECTOR, or with :VARIABLE=VALUE,… behind it';

const VARIABLES = new Map<string, (value: string) => Parsed<DkimSignWords>>([
  ['DKIMSIGNOPTIONS', value => as(parseDkimSignOptions(value), options => ({ options }))],
  ['DKIMIDENTITY', value => as(parseDkimIdentity(value), identity => ({ identity }))],
  ['DKIMEXPIRE', value => as(parseDkimExpire(value), expireSeconds => ({ expireSeconds }))],
  ['DKIMSIGNEXTRA', value => as(parseKeyPath(value), extraKey => ({ extraKey }))],
  ['DKIMSIGNOPTIONSEXTRA', value => as(parseDkimSignOptions(value), extraOptions => ({ extraOptions }))],
]);

/**
 * control/dkimkeys of qmail-dkim (indimail-mta 3.0: qmail-dkim.c, getDomainToken.c): `DOMAIN:KEY[:NAME=VALUE,…]`, one a line,
 * and the first line that covers a domain counts. DOMAIN is `example.com` (itself), `*.example.com` (all below it, signed
 * with `d=` as they are), `*` (any), and, of our own, `.example.com` (all below it, signed as `example.com`).
 */
export const parseDkimKeys: Parse<DkimKeys> = (text, file, complaints) => {
  const byDomains = new Map<string, { readonly line: DkimKeyLine; readonly rank: number }>();
  for (const entry of listEntries(text, file, complaints)) {
    const line = parseLine(entry, file, complaints);
    if (line === null) continue;
    const covering = before(byDomains, line.domains);
    if (covering !== null)
      complaints.warn(file, entry.line, `${line.domains} never counts: ${covering.place} comes first`);
    if (!byDomains.has(line.domains)) byDomains.set(line.domains, { line, rank: byDomains.size });
  }
  const lines = [...byDomains.values()].map(known => known.line);
  const find = (domain: string) => first(byDomains, domain);
  return { lines, size: lines.length, find };
};

type Ranked = ReadonlyMap<string, { readonly line: DkimKeyLine; readonly rank: number }>;

function first(byDomains: Ranked, domain: string): DkimKeyLine | null {
  let best: { readonly line: DkimKeyLine; readonly rank: number } | null = null;
  for (const key of keysOf(domain)) {
    const known = byDomains.get(key);
    if (known !== undefined && (best === null || known.rank < best.rank)) best = known;
  }
  return best?.line ?? null;
}

/** Every way in which a line may cover a domain. */
function* keysOf(domain: string): Generator<string, void, void> {
  yield domain;
  for (const tail of domainTails(domain)) {
    yield tail;
    yield `*${tail}`;
  }
  yield '*';
}

/** The line that leaves nothing for a later one with these domains. */
function before(byDomains: Ranked, domains: string): DkimKeyLine | null {
  // No line can name this label, so that only those for all below are found.
  return first(byDomains, domains.replace(/^\*?\./, '\0.'));
}

function parseLine({ text, line }: ListEntry, file: string, complaints: Complaints): DkimKeyLine | null {
  const [, domain = '', path = '', variables = ''] = /^([^:]*):([^:]*)(?::(.*))?$/.exec(text) ?? [];
  const domains = lowerAscii(domain);
  const parsed = parseKeyPath(path);
  const fault = domainFault(domains) ?? ('wanted' in parsed ? parsed.wanted : null);
  if (fault !== null) complaints.error(file, line, `${fault}; ${WANTED}`);
  const words = parseVariables(variables, file, line, complaints);
  if (fault !== null) return null;
  const signsAs = domains.startsWith('.') ? domains.slice(1) : null;
  return { domains, path, signsAs, words, place: `${file}:${line}` };
}

function domainFault(domains: string): string | null {
  const name = domains.replace(/^\*?\./, '');
  if (domains === '*' || isSigningDomain(name)) return null;
  return `"${domains}" is no domain: example.com, .example.com, *.example.com or *`;
}

/** Path of a key as DKSIGN, DKIMSIGN and dkimkeys have it: its last component must do for a selector. */
export function parseKeyPath(path: string): Parsed<string> {
  const selector = path.slice(path.lastIndexOf('/') + 1);
  if (path === '') return { wanted: 'there is no path of a key' };
  if (path.includes('\0')) return { wanted: 'the path of the key holds a NUL' };
  if (isSelector(selector)) return { value: path };
  return { wanted: `"${path}": the name of the file is the selector, and "${selector}" cannot be one` };
}

function parseVariables(text: string, file: string, line: number, complaints: Complaints): DkimSignWords {
  let words: DkimSignWords = {};
  for (const one of text.split(',')) {
    const assignment = one.trim();
    if (assignment === '') continue;
    const equals = assignment.indexOf('=');
    const name = equals < 0 ? assignment : assignment.slice(0, equals);
    if (equals < 0) {
      complaints.error(file, line, `${name} has no value; wanted VARIABLE=VALUE`);
      continue;
    }
    const parsed = VARIABLES.get(name)?.(assignment.slice(equals + 1));
    if (parsed === undefined) {
      const meant = didYouMean(name, VARIABLES.keys());
      complaints.warn(
        file,
        line,
        `${name} means nothing here${meant === null ? '' : ` (did you mean ${meant}?)`}; wanted ${[...VARIABLES.keys()].join(', ')}`,
      );
    } else if ('wanted' in parsed) complaints.error(file, line, `${name}: ${parsed.wanted}`);
    else {
      for (const warning of parsed.warnings ?? []) complaints.warn(file, line, `${name}: ${warning}`);
      words = { ...words, ...parsed.value };
    }
  }
  return words;
}

function as<T, U>(parsed: Parsed<T>, wrap: (value: T) => U): Parsed<U> {
  return 'wanted' in parsed ? parsed : { ...parsed, value: wrap(parsed.value) };
}
