import { isAbsolute, join } from 'node:path';
import { lowerAscii } from '../model/address.ts';
import type { SigningKeyLine } from '../model/dkim-signing.ts';
import { isSelector, isSigningDomain } from '../model/signing-name.ts';
import type { PrivateKey, PrivateKeyAnswer } from './private-key.ts';
import { loadPrivateKey } from './private-key.ts';

export { isSelector, isSigningDomain };

/** The lines by domain: control/dkimkeys. */
export interface SigningKeyTable<L extends SigningKeyLine> {
  /** The line for a domain in lower case, or null. */
  find(domain: string): L | null;
}

export interface SigningKeyQuestion<L extends SigningKeyLine> {
  /** DKSIGN or DKIMSIGN: path of a key, in which `%` stands for the domain; null: none. */
  readonly pattern: string | null;
  /** Its lines come before the pattern; null: there is no such file. */
  readonly keys: SigningKeyTable<L> | null;
  /** The signing domain as it stands in the message, A-labels, any case: a byte string that nobody has checked. */
  readonly domain: string;
  /** Whether the pattern without its `%` is tried when the file of the domain is missing, as qmail-dkim does. */
  readonly withoutPercent: boolean;
  /** Folder where relative paths begin. */
  readonly folder: string;
  /** Replaced in tests. */
  readonly load?: (path: string) => Promise<PrivateKeyAnswer>;
}

export type SigningKey<L extends SigningKeyLine> =
  | {
      readonly kind: 'key';
      readonly key: PrivateKey;
      /** `s=`. */
      readonly selector: string;
      /** `d=`. */
      readonly domain: string;
      /** The line of dkimkeys that named the key; null: the pattern did. */
      readonly line: L | null;
    }
  /** The message goes out without a signature, as the reference wants. */
  | { readonly kind: 'unsigned'; readonly why: string }
  /** A key was named and cannot be used: the operator's fault, and no reason to send unsigned mail. */
  | { readonly kind: 'trouble'; readonly fault: 'missing' | 'unreadable'; readonly why: string };

/** The path of a domain's key: the first `%` of `pattern` replaced. Null for a name that `isSigningDomain` refuses. */
export function keyPath(pattern: string, domain: string): string | null {
  const name = lowerAscii(domain);
  // A function, since `$` in a replacement text has a meaning.
  return isSigningDomain(name) ? pattern.replace('%', () => name) : null;
}

/** The selector that a pattern says: its last component as it stands, or null when that is none. */
export function selectorOf(pattern: string): string | null {
  const selector = pattern.slice(pattern.lastIndexOf('/') + 1);
  return isSelector(selector) ? selector : null;
}

/**
 * The key that signs for a domain, by the rules of qmail-dk and qmail-dkim (domainkeys-dkim.md 1.1, 6): a line of
 * dkimkeys, else the pattern. A missing file is no signature when a `%` stood in its path, and an error otherwise; a file
 * that is there and holds no usable key is an error always. Never rejects.
 */
export async function findSigningKey<L extends SigningKeyLine>(
  question: SigningKeyQuestion<L>,
): Promise<SigningKey<L>> {
  const domain = lowerAscii(question.domain);
  if (!isSigningDomain(domain)) return { kind: 'unsigned', why: 'the domain cannot stand in a signature' };
  const line = question.keys?.find(domain) ?? null;
  const pattern = line?.path ?? question.pattern;
  if (pattern === null) return { kind: 'unsigned', why: `no key is set for ${domain}` };
  const named = line === null ? pattern : `${pattern} (${line.place})`;
  const selector = selectorOf(pattern);
  if (selector === null)
    return { kind: 'trouble', fault: 'unreadable', why: `${named}: the name of the file is no selector` };
  const load = question.load ?? loadPrivateKey;
  const paths = pathsOf(pattern, domain, question.withoutPercent);
  for (const path of paths) {
    // By the pattern: `%/default` without its `%` begins with a slash.
    const answer = await load(isAbsolute(pattern) ? path : join(question.folder, path));
    if (answer.kind === 'missing') continue;
    if (answer.kind === 'unreadable')
      return {
        kind: 'trouble',
        fault: 'unreadable',
        why: `the key ${answer.path} cannot be used: ${answer.why}`,
      };
    return { kind: 'key', key: answer, selector, domain: line?.signsAs ?? domain, line };
  }
  if (pattern.includes('%'))
    return { kind: 'unsigned', why: `there is no key for ${domain} (${paths.join(', ')})` };
  return { kind: 'trouble', fault: 'missing', why: `the key ${named} does not exist` };
}

function pathsOf(pattern: string, domain: string, withoutPercent: boolean): string[] {
  if (!pattern.includes('%')) return [pattern];
  const own = keyPath(pattern, domain);
  // `/etc/domainkeys/%/default` is `/etc/domainkeys/default` then: two slashes are one to the system.
  return [...(own === null ? [] : [own]), ...(withoutPercent ? [pattern.replace('%', '')] : [])];
}
