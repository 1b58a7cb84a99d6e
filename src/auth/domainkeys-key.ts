import type { KeyObject } from 'node:crypto';
import { createPublicKey } from 'node:crypto';
import { lowerAscii } from '../model/address.ts';
import type { KeyFault } from './key-record.ts';
import { base64Bytes, tagList, withoutSpace } from './tag-list.ts';

/** A public key as RFC 4870 3.2.3 has it published. */
export interface DomainKey {
  readonly key: KeyObject;
  readonly bits: number;
  /** `t=y`: the domain only tries DomainKeys out. */
  readonly testing: boolean;
  /** `g=`; `''`: any address. */
  readonly granularity: string;
}

/** A key that it would take too long to verify with. */
export type KeyTooLarge = { readonly fault: 'key size'; readonly why: string };

/** Longer records hold no key that anybody uses. */
const MAX_RECORD = 8192;

/** Making a key out of text costs ten times as much as verifying with it. */
const MAX_CACHED = 500;
const cache = new Map<string, DomainKey | KeyFault | KeyTooLarge>();

/** RSA keys beyond this cost more time than a message is worth; with a larger exponent verifying costs as much as signing. */
const MAX_BITS = 8192;
const MAX_EXPONENT = 1n << 64n;

/**
 * The key in the text of a key record, its strings joined. RFC 4870 knows RSA only and neither `v=` nor `k=`, and keys are as
 * short as 384 bits: what a record of RFC 6376 says beyond that is ignored. Takes any text; never throws. Keys are kept, up
 * to 500.
 */
export function domainKey(record: string): DomainKey | KeyFault | KeyTooLarge {
  if (record.length > MAX_RECORD) return { fault: 'bad key', why: 'the record is too long' };
  const known = cache.get(record);
  if (known !== undefined) return known;
  const key = readKey(record);
  if (cache.size >= MAX_CACHED) cache.clear();
  cache.set(record, key);
  return key;
}

function readKey(record: string): DomainKey | KeyFault | KeyTooLarge {
  const tags = record.trim() === '' ? new Map<string, string>() : tagList(record);
  if (tags === null) return { fault: 'bad key', why: 'the record is no tag list' };
  const p = tags.get('p');
  if (p === undefined) return { fault: 'no p', why: 'the record has no p=' };
  if (withoutSpace(p) === '') return { fault: 'revoked', why: 'the key is revoked (p= is empty)' };
  const key = rsaKey(base64Bytes(p));
  if (key === null) return { fault: 'bad key', why: 'p= is no RSA key' };
  const { modulusLength: bits = 0, publicExponent = 0n } = key.asymmetricKeyDetails ?? {};
  if (bits > MAX_BITS || publicExponent > MAX_EXPONENT)
    return { fault: 'key size', why: `a key of ${bits} bits with exponent ${publicExponent} takes too long` };
  return {
    key,
    bits,
    testing: withoutSpace(tags.get('t') ?? '')
      .split(':')
      .includes('y'),
    granularity: withoutSpace(tags.get('g') ?? ''),
  };
}

function rsaKey(der: Buffer | null): KeyObject | null {
  if (der === null) return null;
  try {
    const key = createPublicKey({ key: der, format: 'der', type: 'spki' });
    return key.asymmetricKeyType === 'rsa' ? key : null;
  } catch {
    return null;
  }
}

/**
 * Whether a key with `granularity` may sign for `local`, a local part without quotes: it must be the same but for the case
 * (RFC 4870 3.2.3), or match around one `*` as in RFC 4871 3.6.1, which key records made for both have. `''` is any.
 */
export function matchesGranularity(granularity: string, local: string): boolean {
  if (granularity === '') return true;
  const wanted = lowerAscii(granularity);
  const given = lowerAscii(local);
  const star = wanted.indexOf('*');
  if (star < 0) return given === wanted;
  const head = wanted.slice(0, star);
  const tail = wanted.slice(star + 1);
  return given.length >= head.length + tail.length && given.startsWith(head) && given.endsWith(tail);
}
