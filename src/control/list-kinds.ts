import { parseAddressList } from './address-list.ts';
import { parseDomainList } from './domain-list.ts';
import { format, words } from './kinds.ts';
import type { Kind } from './kinds.ts';
import { parsePatternList } from './pattern.ts';
import { listEntries } from './readers.ts';

/** How a list is shown: by its size. */
export const size = (list: { readonly size: number }) => `${list.size} entries`;
/** A list with a parser of its own. */
export const listOf = <T extends { readonly size: number }>(syntax: string, parse: Kind<T>['file']) =>
  format(syntax, parse as never, size) as Kind<T>;
/** The value of a list that has no file. */
export const nothing = <T>(parse: (text: string, file: string, complaints: never) => T): T =>
  parse('', '', undefined as never);

const addresses = (form: 'plain' | 'regex' | 'auto') => ({
  kind: listOf(
    form === 'regex' ? 'POSIX expressions, one a line' : 'addresses, one a line',
    parseAddressList(form),
  ),
  none: nothing(parseAddressList(form)),
});
/** Lists of addresses, in the three ways that qmail's patches read them, and their empty values. */
export const plain = addresses('plain');
export const auto = addresses('auto');
export const regex = addresses('regex');
/** Lists of expressions. */
export const patterns = {
  kind: listOf('POSIX expressions, one a line', parsePatternList),
  none: nothing(parsePatternList),
};
/** Lists of domains. */
export const domains = {
  kind: listOf('domains, one a line; `.example.com` is all below it', parseDomainList),
  none: null,
};
/** Words, one a line. */
export const lines: Kind<readonly string[]> = {
  ...words,
  syntax: 'one a line',
  file: (text, name, complaints) => listEntries(text, name, complaints).map(entry => entry.text),
  value: null,
  show: list => list.join(' ') || 'none',
};
