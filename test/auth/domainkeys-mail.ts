import type { KeyObject } from 'node:crypto';
import { createPrivateKey, createPublicKey, generateKeyPairSync, generatePrimeSync } from 'node:crypto';
import { malformedAuthor } from '../../src/auth/domainkeys-address.ts';
import type { DomainKeysMessage } from '../../src/auth/domainkeys-canonical.ts';
import type { DomainKeysSigning } from '../../src/auth/domainkeys-sign.ts';
import { signDomainKeys } from '../../src/auth/domainkeys-sign.ts';
import { dkverifyLetter } from '../../src/auth/domainkeys-status.ts';
import { verifyDomainKeys } from '../../src/auth/domainkeys.ts';
import { MessageLookups } from '../../src/auth/lookups.ts';
import type { HeaderFields } from '../../src/mail/header.ts';
import { headerFields } from '../../src/mail/header.ts';
import type { DomainKeysOutcome, SignatureOutcome } from '../../src/model/authentication.ts';
import type { Dns } from '../../src/model/dns.ts';
import { dnsOf } from './asking.ts';
import type { Names } from './asking.ts';

/** A key that signs where the test does not care. */
export const KEY: KeyObject = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey;

/** `p=` of the public half. */
export function published(key: KeyObject = KEY): string {
  return createPublicKey(key).export({ type: 'spki', format: 'der' }).toString('base64');
}

/** The key of `s` at example.com, with other tags before it. */
export function keyRecord(tags = 'k=rsa; ', key: KeyObject = KEY): Names {
  return { 'TXT s._domainkey.example.com': [`${tags}p=${published(key)}`] };
}

/** A message out of a byte string, its body in pieces of `size` bytes. */
export function mail(text: string, size = 64 * 1024): DomainKeysMessage & { readonly fields: HeaderFields } {
  const bytes = Buffer.from(text, 'latin1');
  const empty = text.startsWith('\r\n') ? 0 : text.indexOf('\r\n\r\n') + 2;
  const header = empty === 1 ? bytes : bytes.subarray(0, empty);
  return {
    header,
    headerCut: false,
    fields: headerFields(header, 1000),
    async *chunks() {
      for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
    },
  };
}

/** The text with its signature on top; throws when it is refused. */
export async function signed(text: string, signing: Partial<DomainKeysSigning> = {}): Promise<string> {
  const answer = await sign(text, signing);
  if ('refused' in answer) throw new Error(answer.refused);
  return answer.field + text;
}

export function sign(text: string, signing: Partial<DomainKeysSigning> = {}) {
  const message = mail(text);
  return signDomainKeys(message, message.fields, {
    domain: null,
    key: KEY,
    selector: 's',
    canonicalization: 'nofws',
    fields: null,
    comment: false,
    ...signing,
  });
}

export interface Verified extends DomainKeysOutcome {
  readonly letter: string;
  readonly only: SignatureOutcome;
}

/** Verifies a text; `only` is its signature, and throws when there is none. */
export async function verify(
  text: string,
  dns: Dns | Names = keyRecord(),
  look?: LookUps,
): Promise<Verified> {
  const message = mail(text);
  const lookups = new MessageLookups(
    'txt' in dns ? (dns as Dns) : dnsOf(dns),
    look?.max ?? 20,
    look?.ms ?? 5000,
  );
  const outcome = await verifyDomainKeys(message, message.fields, lookups);
  return {
    ...outcome,
    letter: dkverifyLetter(outcome, malformedAuthor(message.fields)),
    get only(): SignatureOutcome {
      if (outcome.signature === null) throw new Error('no signature');
      return outcome.signature;
    },
  };
}

interface LookUps {
  readonly max?: number;
  readonly ms?: number;
}

/** An RSA key that OpenSSL would not generate: too short, or with a large public exponent. */
export function oddKey(bits: number, e = 65537n): KeyObject {
  for (;;) {
    const [p, q] = [0, 0].map(() => generatePrimeSync(bits / 2, { bigint: true })) as [bigint, bigint];
    const key = rsaKey(p, q, e);
    if (key !== null) return key;
  }
}

/** The RSA key with these primes; null when they do not go with `e`. */
export function rsaKey(p: bigint, q: bigint, e = 65537n): KeyObject | null {
  const d = inverse(e, (p - 1n) * (q - 1n));
  const qi = inverse(q, p);
  if (d === null || qi === null) return null;
  const numbers = { n: p * q, e, d, p, q, dp: d % (p - 1n), dq: d % (q - 1n), qi };
  const jwk = Object.entries(numbers).map(([name, number]) => [name, base64Url(number)]);
  return createPrivateKey({ format: 'jwk', key: { kty: 'RSA', ...Object.fromEntries(jwk) } });
}

/** 1/a modulo m; null when there is none. */
function inverse(a: bigint, m: bigint): bigint | null {
  let [r, next, s, t] = [m, a % m, 0n, 1n];
  while (next > 0n) {
    const quotient = r / next;
    [r, next] = [next, r - quotient * next];
    [s, t] = [t, s - quotient * t];
  }
  return r === 1n ? ((s % m) + m) % m : null;
}

function base64Url(number: bigint): string {
  const hex = number.toString(16);
  return Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex').toString('base64url');
}
