import type { KeyObject } from 'node:crypto';
import { createPublicKey } from 'node:crypto';
import type { KeyType } from '../auth/private-key.ts';

/** A TXT record for the public half of a key. */
export interface DkimRecord {
  /** `default._domainkey.example.com`, without the final dot. */
  readonly name: string;
  readonly text: string;
}

/** Bytes of one string of a TXT record (RFC 1035 3.3). */
const MAX_STRING = 255;
/** Seconds; what a wrong record costs at most. */
const TTL = 3600;
/** Of an Ed25519 key; SubjectPublicKeyInfo ends in them. */
const ED25519_BYTES = 32;

/** The name under which the key of a selector stands (RFC 6376 3.6.2.1). */
export function recordName(domain: string, selector: string): string {
  return `${selector}._domainkey.${domain}`;
}

/** The record (RFC 6376 3.6.1, RFC 8463 4) that belongs to a private key. */
export function dkimRecord(
  domain: string,
  selector: string,
  type: KeyType,
  privateKey: KeyObject,
): DkimRecord {
  const info = createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
  const bytes = type === 'rsa' ? info : info.subarray(-ED25519_BYTES);
  return { name: recordName(domain, selector), text: `v=DKIM1; k=${type}; p=${bytes.toString('base64')}` };
}

/** The record as a zone file has it: strings of at most 255 bytes, each on a line of its own. */
export function bindForm({ name, text }: DkimRecord): string {
  const strings: string[] = [];
  for (let at = 0; at < text.length; at += MAX_STRING) {
    const piece = text.slice(at, at + MAX_STRING);
    strings.push(`"${piece.replace(/["\\]/g, '\\$&')}"`);
  }
  const [first = '""'] = strings;
  return `${name}. ${TTL} IN TXT ${strings.length > 1 ? `( ${strings.join('\n  ')} )` : first}`;
}

/** The record as tinydns-data reads it; it splits the text itself, and takes `\NNN` for the byte NNN, octal. */
export function tinydnsForm({ name, text }: DkimRecord): string {
  const escaped = text.replace(
    /[^ -9;-[\]-~]/g,
    byte => `\\${byte.charCodeAt(0).toString(8).padStart(3, '0')}`,
  );
  return `'${name}:${escaped}:${TTL}`;
}

/** The record in one line, as web forms of DNS providers want it: name and text. */
export function plainForm({ name, text }: DkimRecord): string {
  return `${name} TXT ${text}`;
}
