import { hash, verify } from 'node:crypto';
import type { SignatureFault } from '../model/authentication.ts';
import type { PublishedKey } from './key-record.ts';
import { shown } from './signature-tags.ts';

/** RSA keys beyond this cost more time than a message is worth; nobody publishes them. */
const MAX_BITS = 8192;
/** With a larger public exponent, verifying costs as much as signing. */
const MAX_EXPONENT = 1n << 64n;

/** What speaks against using a key for mail signed with `type`, or null. `minBits`: the least bits of an RSA modulus. */
export function keyObjection(
  key: PublishedKey,
  type: 'rsa' | 'ed25519',
  minBits: number,
): { readonly fault: SignatureFault; readonly why: string } | null {
  if (key.type !== type)
    return { fault: 'algorithm', why: `the key is for ${key.type}, the signature is not` };
  if (key.hashes !== null && !key.hashes.includes('sha256'))
    return { fault: 'algorithm', why: `the key is not for sha256 (h=${key.hashes.join(':').slice(0, 40)})` };
  if (!key.services.includes('*') && !key.services.includes('email'))
    return { fault: 'bad key', why: `the key is not for mail (s=${key.services.join(':').slice(0, 40)})` };
  if (type !== 'rsa') return null;
  if (key.bits < minBits)
    return { fault: 'key size', why: `the key has ${key.bits} bits, and ${minBits} are wanted` };
  if (key.bits > MAX_BITS || key.publicExponent > MAX_EXPONENT)
    return {
      fault: 'key size',
      why: `a key of ${key.bits} bits with exponent ${shown(`${key.publicExponent}`)} takes too long`,
    };
  return null;
}

/** Whether `signature` is that of `data` (a byte string) with the key: RFC 6376 3.3 with SHA-256, RFC 8463 3. */
export function isSignedBy(data: string, signature: Buffer, { key, type }: PublishedKey): boolean {
  const bytes = Buffer.from(data, 'latin1');
  try {
    if (type === 'rsa') return verify('sha256', bytes, key, signature);
    return verify(null, hash('sha256', bytes, 'buffer'), key, signature);
  } catch {
    // A signature of another length than the key's, on some builds of OpenSSL.
    return false;
  }
}
