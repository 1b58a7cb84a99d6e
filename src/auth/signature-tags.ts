import type { BodyCanonicalization } from '../mail/body-hash.ts';
import type { SignatureFault } from '../model/authentication.ts';
import { asciiDomain } from './ascii-domain.ts';
import { base64Bytes, withoutSpace } from './tag-list.ts';

/** What a signature field says (RFC 6376 3.5), as far as it could be read. Byte strings. */
export interface SignatureNames {
  /** `d=` in A-labels, lower case; `''`: none. */
  readonly domain: string;
  readonly selector: string;
  readonly identity: string;
  readonly algorithm: string;
  /** The first 8 characters of `b=`. */
  readonly tag: string;
}

/** A signature that can be verified. */
export interface DkimSignature extends SignatureNames {
  readonly kind: 'signature';
  readonly type: 'rsa' | 'ed25519';
  readonly signature: Buffer;
  readonly bodyHash: Buffer;
  readonly header: BodyCanonicalization;
  readonly body: BodyCanonicalization;
  /** `h=`, lower case, in order. */
  readonly fields: readonly string[];
  /** `l=`; Infinity: all of the body. */
  readonly bodyLength: number;
}

/** One that cannot. */
export interface UnusableSignature extends SignatureNames {
  readonly kind: 'unusable';
  readonly fault: SignatureFault;
  readonly why: string;
}

/** Names of fields in one `h=`; more is nobody's. */
const MAX_FIELDS = 1000;

export type Tags = ReadonlyMap<string, string>;

/** Ends the reading of a signature, with what is wrong with it. */
export class Unusable extends Error {
  readonly fault: SignatureFault;

  constructor(fault: SignatureFault, why: string) {
    super(why);
    this.fault = fault;
  }
}

/** What DKIM-Signature and ARC-Message-Signature have in common. Throws what is wrong with it. */
export function readVerifiable(tags: Tags, names: SignatureNames): Omit<DkimSignature, 'bodyLength'> {
  const type = algorithmType(required(tags, 'a'));
  const signature = bytesOf(tags, 'b');
  const bodyHash = bytesOf(tags, 'bh');
  const [header, body] = canonicalizations(tags.get('c'));
  required(tags, 'd');
  required(tags, 's');
  checkKeyName(names);
  const list = withoutSpace(required(tags, 'h')).toLowerCase();
  const fields = list.split(':', MAX_FIELDS + 1);
  if (fields.length > MAX_FIELDS || !/^[\x21-\x39\x3b-\x7e]+(?::[\x21-\x39\x3b-\x7e]+)*$/.test(list))
    throw new Unusable('syntax', 'h= is no list of field names');
  return { kind: 'signature', ...names, type, signature, bodyHash, header, body, fields };
}

/** The names in a tag list, for results and records, whatever else is wrong with it. */
export function namesOf(tags: Tags): SignatureNames {
  const domain = asciiDomain(tags.get('d') ?? '');
  return {
    domain,
    selector: asciiDomain(tags.get('s') ?? ''),
    identity: identityOf(tags.get('i'), domain),
    algorithm: (tags.get('a') ?? '').toLowerCase(),
    tag: withoutSpace((tags.get('b') ?? '').slice(0, 40)).slice(0, 8),
  };
}

/** The key type of an algorithm; throws for one that is not to be used. */
export function algorithmType(algorithm: string): 'rsa' | 'ed25519' {
  const name = algorithm.toLowerCase();
  if (name === 'rsa-sha256') return 'rsa';
  if (name === 'ed25519-sha256') return 'ed25519';
  if (name === 'rsa-sha1') throw new Unusable('algorithm', 'rsa-sha1 is not accepted any more (RFC 8301)');
  throw new Unusable('syntax', `a=${shown(algorithm)} is not known`);
}

/** The bytes of a tag in base64; throws when there are none. */
export function bytesOf(tags: Tags, name: string): Buffer {
  const bytes = base64Bytes(required(tags, name));
  if (bytes === null) throw new Unusable('syntax', `${name}= is not base64`);
  return bytes;
}

/** The value of a tag; throws when it is missing or empty. */
export function required(tags: Tags, name: string): string {
  const value = tags.get(name);
  if (value === undefined || value === '') throw new Unusable('syntax', `${name}= is missing`);
  return value;
}

/** Throws unless selector and domain can be looked up. */
export function checkKeyName({ domain, selector }: SignatureNames): void {
  if (!/^[a-z0-9_-]+(?:\.[a-z0-9_-]+)+$/.test(domain))
    throw new Unusable('syntax', `d=${shown(domain)} is no domain`);
  if (!/^[a-z0-9_-]+(?:\.[a-z0-9_-]+)*$/.test(selector))
    throw new Unusable('syntax', `s=${shown(selector)} is no selector`);
}

function canonicalizations(value: string | undefined): [BodyCanonicalization, BodyCanonicalization] {
  const [header = '', body = 'simple', ...more] = (value ?? 'simple').toLowerCase().split('/');
  const known = (word: string): word is BodyCanonicalization => word === 'simple' || word === 'relaxed';
  if (more.length > 0 || !known(header) || !known(body))
    throw new Unusable('syntax', `c=${shown(value)} is not known`);
  return [header, body];
}

/** The signer's identity; quoted-printable as in RFC 6376 2.11, of which only the domain matters here. */
function identityOf(value: string | undefined, domain: string): string {
  return value === undefined ? `@${domain}` : withoutSpace(value);
}

/** A value from outside, for an error text: printable, on one line. */
export function shown(value: string | undefined): string {
  return (value ?? '').slice(0, 80).replace(/[^\x20-\x7e]/g, '?');
}
