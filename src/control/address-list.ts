import type { Address } from '../model/address.ts';
import { lowerAscii, unquotedLocal } from '../model/address.ts';
import type { Complaints, Parse } from './complaints.ts';
import { domainTails } from './domain-list.ts';
import type { PatternList } from './pattern.ts';
import { patternList } from './pattern.ts';
import type { ListEntry } from './readers.ts';
import { listEntries } from './readers.ts';

/** A list of senders or recipients: badmailfrom, badmailto, badrcptto and their like. */
export interface AddressList {
  /**
   * The line that covers `address`, or null. The empty address never matches. SMTP quotes are taken off first, as
   * qmail-smtpd does. `place` is `file:line`, `entry` the line as it stands there, `pattern` whether it is an
   * expression.
   */
  find(
    address: Address,
  ): { readonly place: string; readonly entry: string; readonly pattern: boolean } | null;
  readonly size: number;
}

/**
 * How the lines of a list are read. `plain`, as stock qmail-smtpd (control-files.md 4.2, 4.4): a whole address or
 * `@domain`, ASCII case ignored. `regex`, as the qregex patch (4.3): every line a POSIX expression. `auto`: a line with
 * one of `^ $ * [ ] ( ) { } | \ ?` or a leading `!` is such an expression, any other is plain, where `.domain` is every
 * host below domain (the badmailfrom-wildcard patch). Plain lines are tried first, then expressions in file order.
 */
export type AddressForm = 'plain' | 'regex' | 'auto';

export function parseAddressList(form: AddressForm): Parse<AddressList> {
  return (text, file, complaints) => {
    const plain = new Map<string, ListEntry>();
    const patterns: ListEntry[] = [];
    const entries = listEntries(text, file, complaints);
    for (const entry of entries) {
      if (form === 'regex' || (form === 'auto' && isPattern(entry.text))) patterns.push(entry);
      else addPlain(plain, entry, form, file, complaints);
    }
    const list = patternList(patterns, file, complaints);
    const find = (address: Address) => findIn(plain, form === 'auto', list, address, file);
    return { size: entries.length, find };
  };
}

function isPattern(line: string): boolean {
  return /^!|[\^$*[\](){}|\\?]/.test(line);
}

function addPlain(
  plain: Map<string, ListEntry>,
  entry: ListEntry,
  form: AddressForm,
  file: string,
  complaints: Complaints,
): void {
  const key = lowerAscii(entry.text);
  if (!plain.has(key)) plain.set(key, entry);
  if (key.includes('@') || (form === 'auto' && key.startsWith('.'))) return;
  const domain = entry.text.replace(/^\./, '');
  complaints.warn(
    file,
    entry.line,
    `${entry.text} matches only an address without @; did you mean @${domain}?`,
  );
}

function findIn(
  plain: ReadonlyMap<string, ListEntry>,
  tails: boolean,
  patterns: PatternList,
  address: Address,
  file: string,
): { place: string; entry: string; pattern: boolean } | null {
  if (address.text === '') return null;
  const text = unquoted(address);
  for (const key of plainKeys(lowerAscii(text), tails)) {
    const entry = plain.get(key);
    if (entry !== undefined) return { place: `${file}:${entry.line}`, entry: entry.text, pattern: false };
  }
  const hit = patterns.find(text);
  return hit === null ? null : { place: hit.place, entry: hit.line, pattern: true };
}

/** The keys that would cover an address, with `.domain` among them if `tails` says so. */
function* plainKeys(text: string, tails: boolean): Generator<string, void, void> {
  yield text;
  const at = text.lastIndexOf('@');
  if (at < 0) return;
  yield text.slice(at);
  if (tails) yield* domainTails(text.slice(at + 1));
}

function unquoted(address: Address): string {
  const at = address.text.lastIndexOf('@');
  const local = unquotedLocal(address.local);
  return at < 0 ? local : local + address.text.slice(at);
}
