import type { KeyObject } from 'node:crypto';
import { createPublicKey } from 'node:crypto';
import { base64Bytes, tagList, withoutSpace } from './tag-list.ts';

/** A public key as its domain publishes it (RFC 6376 3.6.1). */
export interface PublishedKey {
  readonly type: 'rsa' | 'ed25519';
  readonly key: KeyObject;
  readonly bits: number;
  /** Of RSA. */
  readonly publicExponent: bigint;
  /** `h=`: hashes that may be used with it; null: any. */
  readonly hashes: readonly string[] | null;
  /** `s=`: what it is for. */
  readonly services: readonly string[];
  /** `t=`. */
  readonly flags: readonly string[];
  /** `g=` of RFC 4871 and RFC 4870; null: absent. RFC 6376 knows it no more. */
  readonly granularity: string | null;
}

/** A record that holds no key: it was withdrawn (an empty `p=`), or is not to be understood. */
export type KeyFault = { readonly fault: 'revoked' | 'bad key' | 'no p'; readonly why: string };

/** SubjectPublicKeyInfo of an Ed25519 key without the key itself (RFC 8410). */
const ED25519_INFO = Buffer.from('302a300506032b6570032100', 'hex');

/** Keys are made of text by parsing ASN.1, which costs more than a verification. */
const MAX_CACHED = 2000;
const cache = new Map<string, PublishedKey | KeyFault>();

/** Longer records hold no key that anybody uses. */
const MAX_RECORD = 8192;

/**
 * The key in the text of a key record, its strings joined. Takes any text; never throws. Keys are kept, the 2000 used last.
 */
export function publishedKey(record: string): PublishedKey | KeyFault {
  const known = cache.get(record);
  if (known !== undefined) {
    cache.delete(record);
    cache.set(record, known);
    return known;
  }
  const key = readKey(record);
  if (record.length > MAX_RECORD) return key;
  if (cache.size >= MAX_CACHED)
    for (const oldest of cache.keys()) {
      cache.delete(oldest);
      break;
    }
  cache.set(record, key);
  return key;
}

function readKey(record: string): PublishedKey | KeyFault {
  if (record.length > MAX_RECORD) return bad('the record is too long');
  const tags = tagList(record);
  if (tags === null) return bad('the record is no tag list');
  const version = tags.get('v');
  if (version !== undefined && (version !== 'DKIM1' || [...tags.keys()][0] !== 'v'))
    return bad('it does not begin with v=DKIM1');
  const p = tags.get('p');
  if (p === undefined) return { fault: 'no p', why: 'the record has no p=' };
  if (withoutSpace(p) === '') return { fault: 'revoked', why: 'the key is revoked (p= is empty)' };
  const der = base64Bytes(p);
  if (der === null) return bad('p= is not base64');
  const type = (tags.get('k') ?? 'rsa').toLowerCase();
  if (type !== 'rsa' && type !== 'ed25519') return bad(`key type ${type.slice(0, 20)} is not known`);
  const key = type === 'rsa' ? rsaKey(der) : ed25519Key(der);
  if (key === null) return bad(`p= is no ${type} key`);
  const { modulusLength = 256, publicExponent = 0n } = key.asymmetricKeyDetails ?? {};
  return {
    type,
    key,
    bits: modulusLength,
    publicExponent,
    hashes: listOf(tags.get('h')),
    services: listOf(tags.get('s')) ?? ['*'],
    flags: listOf(tags.get('t')) ?? [],
    granularity: tags.get('g') ?? null,
  };
}

function bad(why: string): KeyFault {
  return { fault: 'bad key', why };
}

function listOf(value: string | undefined): readonly string[] | null {
  return value === undefined ? null : withoutSpace(value).toLowerCase().split(':');
}

/** SubjectPublicKeyInfo as everybody publishes it, or the bare RSAPublicKey that RFC 6376 speaks of (erratum 3017). */
function rsaKey(der: Buffer): KeyObject | null {
  for (const type of ['spki', 'pkcs1'] as const) {
    try {
      const key = createPublicKey({ key: der, format: 'der', type });
      return key.asymmetricKeyType === 'rsa' ? key : null;
    } catch {
      // Not in this form.
    }
  }
  return null;
}

function ed25519Key(bytes: Buffer): KeyObject | null {
  if (bytes.length !== 32) return null;
  return createPublicKey({ key: Buffer.concat([ED25519_INFO, bytes]), format: 'der', type: 'spki' });
}
