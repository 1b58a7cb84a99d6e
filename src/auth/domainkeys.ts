import { createVerify } from 'node:crypto';
import type { HeaderFields } from '../mail/header.ts';
import type { DomainKeysOutcome, SignatureFault, SignatureResult } from '../model/authentication.ts';
import { isSameOrBelow } from './ascii-domain.ts';
import type { SigningAddress, SigningAddresses } from './domainkeys-address.ts';
import { signingAddresses } from './domainkeys-address.ts';
import type { DomainKeysCanonicalization, DomainKeysMessage } from './domainkeys-canonical.ts';
import { canonicalize, DomainKeysCanonicalizer } from './domainkeys-canonical.ts';
import type { DomainKey } from './domainkeys-key.ts';
import { domainKey, matchesGranularity } from './domainkeys-key.ts';
import type { MessageLookups } from './lookups.ts';
import type { SignatureNames, Tags } from './signature-tags.ts';
import { namesOf, shown } from './signature-tags.ts';
import { base64Bytes, tagList, withoutSpace } from './tag-list.ts';

/** Key records at one name that are looked at; there should be one. */
const MAX_RECORDS = 3;

/** libdomainkeys takes no longer list of fields. Bytes. */
export const MAX_SIGNED_FIELDS = 1021;

/** Characters of a domain, a selector or an address in a result. */
const MAX_NAME = 320;

/** Below this, a key is one that somebody can break. */
const SHORT_KEY = 1024;

/** What a fault makes of a signature (RFC 8601 2.7.1, 2.7.2). */
const RESULTS: Readonly<Record<SignatureFault, SignatureResult>> = {
  none: 'pass',
  'extra body': 'policy',
  signature: 'fail',
  'body hash': 'fail',
  syntax: 'permerror',
  version: 'permerror',
  algorithm: 'permerror',
  expired: 'fail',
  identity: 'permerror',
  'from not signed': 'policy',
  dns: 'temperror',
  'no key': 'permerror',
  'bad key': 'permerror',
  revoked: 'permerror',
  granularity: 'fail',
  'key size': 'policy',
  budget: 'policy',
};

/** A DomainKey-Signature that can be verified (RFC 4870 3.3). */
interface DomainKeysSignature {
  readonly bytes: Buffer;
  readonly canonicalization: DomainKeysCanonicalization;
  /** `h=`, lower case; null: all fields below. */
  readonly fields: ReadonlySet<string> | null;
}

/** What is wrong; `result` where the fault alone does not tell. */
interface Trouble {
  readonly fault: SignatureFault;
  readonly why: string;
  readonly result?: SignatureResult;
}

/**
 * Verifies the topmost DomainKey-Signature of a message by RFC 4870, as libdomainkeys 0.69 reads it; `header` are the fields
 * of the message. The body is read, and hashed while it is read, only when all else is in order: so a missing key is
 * reported before a bare LF in the body. Rejects when the message cannot be read, and never otherwise.
 *
 * Stricter than the library: a signature that does not cover the field with the signing address gives `policy`, and `g=`
 * must be the whole local part, not only begin with it.
 */
export async function verifyDomainKeys(
  message: DomainKeysMessage,
  header: HeaderFields,
  lookups: MessageLookups,
): Promise<DomainKeysOutcome> {
  const asked: string[] = [];
  const index = header.fields.findIndex(({ name }) => name === 'domainkey-signature');
  const field = header.fields[index];
  if (field === undefined) return { signature: null, lookups: asked };
  const value = header.block.toString('latin1', field.valueStart, field.end);
  const tags = value.trim() === '' ? new Map<string, string>() : tagList(value);
  const names = { ...namesOf(tags ?? new Map<string, string>()), identity: '' };
  const say = ({ fault, why, result }: Trouble, identity = '', key: DomainKey | null = null) => ({
    signature: {
      ...named(names, identity),
      result: result ?? RESULTS[fault],
      fault,
      bits: key?.bits ?? null,
      testing: key?.testing ?? false,
      detail: why,
    },
    lookups: asked,
  });

  if (tags === null) return say(syntax('it is no tag list'));
  if (header.cut || message.headerCut) return say(syntax('the header is longer than what is read of it'));
  const signature = readSignature(tags);
  if ('fault' in signature) return say(signature);
  const found = signingAddresses(header, index + 1);
  if ('malformed' in found) return say(syntax(found.malformed));
  const address = found.addresses.find(({ domain }) => isSameOrBelow(domain, names.domain));
  if (address === undefined) {
    const [{ text, domain }] = found.addresses;
    const why = `d=${shown(names.domain)} is neither ${shown(domain)} nor above it`;
    return say({ fault: 'identity', why }, text);
  }

  const key = await findKey(`${names.selector}._domainkey.${names.domain}`, lookups, asked);
  if ('fault' in key) return say(key, address.text);
  const trouble =
    granularityTrouble(key, address) ??
    (await signatureTrouble(message, header, index, signature, key)) ??
    coverTrouble(header, index, signature, found);
  return say(trouble ?? { fault: 'none', why: inOrder(key) }, address.text, key);
}

/** Names for the result; what nobody could ask for is shortened. */
function named({ domain, selector, algorithm, tag }: SignatureNames, identity: string): SignatureNames {
  return {
    domain: domain.slice(0, MAX_NAME),
    selector: selector.slice(0, MAX_NAME),
    identity: identity.slice(0, MAX_NAME),
    algorithm: algorithm.slice(0, MAX_NAME) || 'rsa-sha1',
    tag,
  };
}

function syntax(why: string): Trouble {
  return { fault: 'syntax', why };
}

function readSignature(tags: Tags): DomainKeysSignature | Trouble {
  for (const name of ['d', 's', 'b'])
    if (!tags.has(name)) return { fault: 'syntax', result: 'neutral', why: `${name}= is missing` };
  const value = (name: string) => withoutSpace(tags.get(name) ?? '').toLowerCase();
  const canonicalization = tags.has('c') ? value('c') : 'simple';
  if (canonicalization !== 'simple' && canonicalization !== 'nofws')
    return syntax(`c=${shown(tags.get('c'))} is not known`);
  if (tags.has('q') && value('q') !== 'dns') return syntax(`q=${shown(tags.get('q'))} is not known`);
  if (tags.has('a') && value('a') !== 'rsa-sha1')
    return { fault: 'algorithm', why: `a=${shown(tags.get('a'))} is not rsa-sha1` };
  const list = value('h');
  if (list.length > MAX_SIGNED_FIELDS) return syntax('h= is too long');
  const bytes = base64Bytes(tags.get('b') ?? '');
  if (bytes === null) return { fault: 'signature', why: 'b= is not base64' };
  return { bytes, canonicalization, fields: tags.has('h') ? new Set(list.split(':')) : null };
}

async function findKey(name: string, lookups: MessageLookups, asked: string[]): Promise<DomainKey | Trouble> {
  const answer = await lookups.txt(name, asked);
  const place = shown(name);
  if (answer.kind === 'none') return { fault: 'no key', why: `there is no key at ${place}` };
  if (answer.kind === 'error') {
    if (answer.error === 'BUDGET')
      return { fault: 'budget', why: 'the look-ups of this message are used up' };
    return { fault: 'dns', why: `${place} cannot be looked up (${answer.error})` };
  }
  let trouble: Trouble | null = null;
  for (const record of answer.records.slice(0, MAX_RECORDS)) {
    const key = domainKey(record);
    if (!('fault' in key)) return key;
    trouble ??= { fault: key.fault === 'no p' ? 'no key' : key.fault, why: `${place}: ${key.why}` };
  }
  return trouble ?? { fault: 'no key', why: `there is no key at ${place}` };
}

function granularityTrouble({ granularity }: DomainKey, { local }: SigningAddress): Trouble | null {
  if (matchesGranularity(granularity, local)) return null;
  return { fault: 'granularity', why: `the key is for ${shown(granularity)} alone (g=)` };
}

async function signatureTrouble(
  message: DomainKeysMessage,
  header: HeaderFields,
  index: number,
  { bytes, canonicalization, fields }: DomainKeysSignature,
  { key }: DomainKey,
): Promise<Trouble | null> {
  const verifier = createVerify('sha1');
  const canonicalizer = new DomainKeysCanonicalizer(canonicalization, data => verifier.update(data));
  const below = header.fields.slice(index + 1);
  const signed = fields === null ? below : below.filter(({ name }) => name !== '' && fields.has(name));
  if (!(await canonicalize(canonicalizer, header, signed, message)))
    return syntax('a line ends with LF alone');
  let valid = false;
  try {
    valid = verifier.verify(key, bytes);
  } catch {
    // A signature of another length than the key's, on some builds of OpenSSL.
  }
  return valid ? null : { fault: 'signature', why: 'the signature does not verify' };
}

/** RFC 4870 3.3: the field that the signing address is taken from must be signed. */
function coverTrouble(
  header: HeaderFields,
  index: number,
  { fields }: DomainKeysSignature,
  { field, name }: SigningAddresses,
): Trouble | null {
  if (header.fields.indexOf(field) > index && (fields === null || fields.has(field.name))) return null;
  return { fault: 'from not signed', why: `it verifies, but ${name} is not signed` };
}

function inOrder({ bits }: DomainKey): string {
  return bits < SHORT_KEY ? `${bits} bits, a short key` : `${bits} bits`;
}
