import { domainToASCII } from 'node:url';
import { lowerAscii } from '../model/address.ts';

/** Bytes of a name in UTF-8: 253 characters of A-labels are never more. Beyond it, punycode takes time squared. */
const MAX_UTF8 = 1024;

/**
 * A domain as it is asked for: lower case, without the final dot; a name in UTF-8 (a byte string) as its A-labels
 * (RFC 8616 4), `''` when it has none.
 */
export function asciiDomain(bytes: string): string {
  const name = lowerAscii(bytes).replace(/\.$/, '');
  // oxlint-disable-next-line no-control-regex
  if (!/[^\x00-\x7f]/.test(name)) return name;
  if (name.length > MAX_UTF8) return '';
  return domainToASCII(Buffer.from(name, 'latin1').toString('utf8'));
}

/** Whether `domain` is `parent` or lies below it; both in the form of `asciiDomain`. */
export function isSameOrBelow(domain: string, parent: string): boolean {
  return domain === parent || domain.endsWith(`.${parent}`);
}
