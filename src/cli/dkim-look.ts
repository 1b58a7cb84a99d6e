import { createPublicKey } from 'node:crypto';
import type { PublishedKey } from '../auth/key-record.ts';
import { publishedKey } from '../auth/key-record.ts';
import type { PrivateKey, PrivateKeyAnswer } from '../auth/private-key.ts';
import { printable } from '../journal/printable.ts';
import type { DnsAnswer } from '../model/dns.ts';
import { sizeWarnings } from './dkim-keygen.ts';

/** What `postern dkim check` can find. */
export type Finding =
  | 'agree'
  | 'differs'
  | 'revoked'
  | 'no record'
  | 'record not readable'
  | 'no private key'
  | 'private key not readable'
  | 'no answer from DNS';

/** What one look has found, in words, and what else the operator should know. */
export interface Look {
  readonly finding: Finding;
  readonly text: string;
  readonly warnings: readonly string[];
}

/** Characters of a record shown. */
const MAX_SHOWN = 60;

/** What is wrong with the private key; null when it can sign. */
export function lookAtKey(key: PrivateKeyAnswer): Look | null {
  const plain = { warnings: [] };
  if (key.kind === 'missing') return { ...plain, finding: 'no private key', text: `not at ${key.path}` };
  if (key.kind === 'unreadable')
    return { ...plain, finding: 'private key not readable', text: `${key.path}: ${key.why}` };
  return null;
}

/**
 * What the TXT records at the name of a key come to, for the private key, or by themselves when there is none. Of several
 * records verifiers may take any: the worst one counts.
 */
export function lookAtRecords(answer: DnsAnswer<readonly string[]>, key: PrivateKey | null): Look {
  if (answer.kind === 'error')
    return {
      finding: 'no answer from DNS',
      text: `${answer.error}; whether it agrees is not known`,
      warnings: [],
    };
  if (answer.kind === 'none')
    return {
      finding: 'no record',
      text: answer.nxdomain ? 'there is no such name (NXDOMAIN)' : 'the name has no TXT record',
      warnings: [],
    };
  const looks = answer.records.map(strings => lookAtRecord(strings.join(''), key));
  const worst = looks.find(look => look.finding !== 'agree') ?? looks[0];
  if (worst === undefined) return { finding: 'no record', text: 'the name has no TXT record', warnings: [] };
  const several = `there are ${looks.length} TXT records: verifiers may take any of them, or none (RFC 6376 3.6.2.2)`;
  return {
    ...worst,
    warnings: [...(looks.length > 1 ? [several] : []), ...looks.flatMap(look => look.warnings)],
  };
}

function lookAtRecord(record: string, key: PrivateKey | null): Look {
  const published = publishedKey(record);
  if ('fault' in published) {
    if (published.fault === 'revoked') return { finding: 'revoked', text: published.why, warnings: [] };
    const shown = printable(record.slice(0, MAX_SHOWN)) + (record.length > MAX_SHOWN ? '…' : '');
    return { finding: 'record not readable', text: `${printable(published.why)}: ${shown}`, warnings: [] };
  }
  const warnings = warningsOf(published);
  const inDns = sizeOf(published);
  if (key === null) return { finding: 'agree', text: `DNS has a key (${inDns})`, warnings };
  if (createPublicKey(key.key).equals(published.key))
    return { finding: 'agree', text: `DNS and ${key.path} have the same key (${inDns})`, warnings };
  const inFile = sizeOf(key);
  const text =
    inFile === inDns
      ? `DNS has another key than ${key.path} (both ${inDns})`
      : `DNS has another key (${inDns}) than ${key.path} (${inFile})`;
  return { finding: 'differs', text, warnings };
}

function sizeOf({ type, bits }: { readonly type: 'rsa' | 'ed25519'; readonly bits: number }): string {
  return type === 'rsa' ? `rsa, ${bits} bits` : type;
}

/** What keeps verifiers from using a record, or from minding what it says. */
function warningsOf({ type, bits, flags, hashes, services, granularity }: PublishedKey): string[] {
  const warnings = type === 'rsa' ? sizeWarnings(bits) : [];
  if (flags.includes('y'))
    warnings.push('t=y: the key is marked as a test, and a failing signature counts as none');
  if (hashes !== null && !hashes.includes('sha256'))
    warnings.push(
      `h=${printable(hashes.join(':'))}: verifiers refuse signatures with sha256, which are all we make`,
    );
  if (!services.includes('*') && !services.includes('email'))
    warnings.push(`s=${printable(services.join(':'))}: the key is not for mail`);
  if (granularity !== null && granularity !== '*')
    warnings.push(
      `g=${printable(granularity)}: old verifiers (RFC 4870, RFC 4871) take the key for these senders only`,
    );
  return warnings;
}
