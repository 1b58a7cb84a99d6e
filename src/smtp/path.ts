import type { Address } from '../model/address.ts';
import { address } from '../model/address.ts';
import type { MailParameters } from '../model/session.ts';

/** Longest address, as in qmail-smtpd; RFC 5321 4.5.3.1 asks for 256 at least. */
const MAX_ADDRESS = 900;

/** MAIL or RCPT taken apart; or what is wrong with it, with the code to say so. */
export type PathResult =
  | { readonly kind: 'ok'; readonly address: Address | null; readonly parameters: readonly string[] }
  | {
      readonly kind: 'bad';
      readonly code: 501 | 553 | 555;
      readonly enhanced: string;
      readonly text: string;
    };

const bad = (code: 501 | 553 | 555, enhanced: string, text: string): PathResult => ({
  kind: 'bad',
  code,
  enhanced,
  text,
});

/**
 * Reads `FROM:<path> PARAMETERS` (or `TO:`). A source route is dropped (RFC 5321 appendix C); blanks after the colon
 * and a path without brackets are tolerated, as qmail-smtpd does. The empty path is `null`. Byte strings throughout.
 */
export function parsePath(argument: string, keyword: 'FROM' | 'TO'): PathResult {
  const enhanced = keyword === 'FROM' ? '5.1.7' : '5.1.3';
  const colon = argument.indexOf(':');
  if (colon < 0 || argument.slice(0, colon).trim().toUpperCase() !== keyword) {
    return bad(501, '5.5.4', `syntax: ${keyword === 'FROM' ? 'MAIL FROM' : 'RCPT TO'}:<address>`);
  }
  const text = argument.slice(colon + 1).replace(/^[ \t]+/, '');
  if (text === '') return bad(501, '5.5.4', 'an address is missing');
  const bracketed = text.startsWith('<');
  const end = bracketed ? closingBracket(text) : blankOrEnd(text);
  if (end < 0) return bad(501, enhanced, 'the address has no closing bracket');
  const rest = text.slice(bracketed ? end + 1 : end);
  if (rest !== '' && !/^[ \t]/.test(rest)) return bad(501, '5.5.4', 'a blank is missing after the address');
  let path = text.slice(bracketed ? 1 : 0, end);
  if (path.startsWith('@')) {
    const route = path.indexOf(':');
    if (route < 0) return bad(501, enhanced, 'a source route without an address');
    path = path.slice(route + 1);
  }
  const parameters = rest.split(/[ \t]+/).filter(word => word !== '');
  if (path === '') return { kind: 'ok', address: null, parameters };
  const fault = addressFault(path);
  return fault === null ? { kind: 'ok', address: address(path), parameters } : bad(501, enhanced, fault);
}

/** Index of the `>` that ends the path: not one inside a quoted local part. */
function closingBracket(text: string): number {
  let quoted = false;
  for (let i = 1; i < text.length; i++) {
    const c = text[i];
    if (quoted && c === '\\') i++;
    else if (c === '"') quoted = !quoted;
    else if (c === '>' && !quoted) return i;
  }
  return -1;
}

function blankOrEnd(text: string): number {
  const blank = text.search(/[ \t]/);
  return blank < 0 ? text.length : blank;
}

/** What makes an address impossible to hand on; null when nothing does. Judgement of its sense is left to the checks. */
function addressFault(path: string): string | null {
  if (path.length > MAX_ADDRESS) return `the address is longer than ${MAX_ADDRESS} bytes`;
  if (/[\x00-\x1f\x7f]/.test(path)) return 'the address contains control characters';
  const { local, domain } = address(path);
  if (path.includes('@') && domain === '') return 'the address has an empty domain';
  if (path.includes('@') && local === '') return 'the address has an empty local part';
  // What is left of a source route: the next hop would take it off, and see an address that nobody has checked.
  if (path.startsWith('@')) return 'a source route within a source route';
  if (/[ <>"()]/.test(domain)) return 'the domain contains blanks, brackets or quotes';
  const outside = local.replace(/"(?:[^"\\]|\\[\s\S])*"/g, '');
  if (/[ <>"()]/.test(outside)) return 'blanks, brackets and quotes need quoting in a local part';
  return null;
}

/** Parameters of MAIL, or what is wrong with them. */
export type ParametersResult =
  | { readonly kind: 'ok'; readonly parameters: MailParameters }
  | { readonly kind: 'bad'; readonly text: string };

/** Reads SIZE (RFC 1870), BODY (RFC 6152), SMTPUTF8 (RFC 6531) and PRDR; anything else was not offered. */
export function parseMailParameters(words: readonly string[]): ParametersResult {
  let size: number | null = null;
  let body: MailParameters['body'] = null;
  let smtputf8 = false;
  let prdr = false;
  for (const word of words) {
    const equals = word.indexOf('=');
    const name = (equals < 0 ? word : word.slice(0, equals)).toUpperCase();
    const value = equals < 0 ? null : word.slice(equals + 1);
    if (name === 'SIZE' && value !== null && /^[0-9]{1,20}$/.test(value) && size === null)
      size = Number(value);
    else if (name === 'BODY' && value?.toUpperCase() === '7BIT' && body === null) body = '7BIT';
    else if (name === 'BODY' && value?.toUpperCase() === '8BITMIME' && body === null) body = '8BITMIME';
    else if (name === 'SMTPUTF8' && value === null) smtputf8 = true;
    else if (name === 'PRDR' && value === null) prdr = true;
    else
      return {
        kind: 'bad',
        text: `the parameter ${name.slice(0, 40).replace(/[^\x21-\x7e]/g, '?')} is unknown or malformed`,
      };
  }
  return { kind: 'ok', parameters: { size, body, smtputf8, ...(prdr ? { prdr } : {}) } };
}

/** Has an address bytes that only SMTPUTF8 allows? */
export function needsUtf8(path: Address | null): boolean {
  return path !== null && /[\x80-\xff]/.test(path.text);
}
