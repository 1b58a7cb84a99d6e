import type { HeaderField } from '../mail/header.ts';
import type { SignatureFault, SignatureOutcome, SignatureResult } from '../model/authentication.ts';
import type { BodyDigests } from './body-digests.ts';
import { asciiDomain } from './ascii-domain.ts';
import { dkimSignature } from './dkim-signature.ts';
import type { KeyFinder } from './key-finder.ts';
import type { PublishedKey } from './key-record.ts';
import type { SignedHeader } from './signed-header.ts';
import type { DkimSignature, UnusableSignature } from './signature-tags.ts';
import { isSignedBy, keyObjection } from './verify-signature.ts';

/** What a fault makes of a signature (RFC 8601 2.7.1). */
const RESULTS: Readonly<Record<SignatureFault, SignatureResult>> = {
  none: 'pass',
  'extra body': 'policy',
  signature: 'fail',
  'body hash': 'fail',
  syntax: 'neutral',
  version: 'neutral',
  algorithm: 'policy',
  expired: 'fail',
  identity: 'permerror',
  'from not signed': 'permerror',
  dns: 'temperror',
  'no key': 'permerror',
  'bad key': 'permerror',
  revoked: 'permerror',
  granularity: 'permerror',
  'key size': 'policy',
  budget: 'policy',
};

/** A DKIM-Signature on its way: read, its body hash asked for, its key being looked up. */
export interface PendingSignature {
  /** After the body digests were read. Never rejects. */
  outcome(): Promise<SignatureOutcome>;
}

export interface DkimOptions {
  /** Seconds since the epoch. */
  readonly now: number;
  /** The least bits of an RSA key. */
  readonly minBits: number;
}

/**
 * Begins with the signature in `field`: reads it, asks `digests` for its hash and `keys` for its key. The caller reads the
 * body, then asks for the outcome (RFC 6376 6.1). Without `digests`, the header is not whole.
 */
export function beginSignature(
  field: HeaderField,
  header: SignedHeader,
  digests: BodyDigests | null,
  keys: KeyFinder,
  options: DkimOptions,
): PendingSignature {
  const signature = dkimSignature(header.value(field), options.now);
  if (signature.kind === 'unusable') return settled(unusable(signature));
  if (digests === null)
    return settled(outcomeOf(signature, 'budget', 'the header is too big to be verified'));
  if (!digests.want(signature.body, signature.bodyLength))
    return settled(outcomeOf(signature, 'budget', 'too many different l= in one message'));
  const found = keys.find(signature.selector, signature.domain);
  return {
    async outcome() {
      const answer = await found;
      if (answer.kind === 'trouble') return outcomeOf(signature, answer.fault, answer.why);
      // Of several keys, those of another type cannot be meant.
      const fitting = answer.keys.filter(key => key.type === signature.type);
      const keys = fitting.length > 0 ? fitting : answer.keys;
      const outcomes = keys.map(key => verified(field, signature, key, header, digests, options));
      const best = outcomes.find(one => one.result === 'pass') ?? outcomes.find(isGenuine) ?? outcomes[0];
      return best as SignatureOutcome;
    },
  };
}

/** The signature is the signer's, whatever else was added to the body. */
function isGenuine({ fault }: SignatureOutcome): boolean {
  return fault === 'extra body';
}

function verified(
  field: HeaderField,
  signature: DkimSignature,
  key: PublishedKey,
  header: SignedHeader,
  digests: BodyDigests,
  { minBits }: DkimOptions,
): SignatureOutcome {
  const say = (fault: SignatureFault, why: string) => outcomeOf(signature, fault, why, key);
  const objection = keyObjection(key, signature.type, minBits);
  if (objection !== null) return say(objection.fault, objection.why);
  const identityDomain = asciiDomain(signature.identity.slice(signature.identity.lastIndexOf('@') + 1));
  if (key.flags.includes('s') && identityDomain !== signature.domain)
    return say('identity', `the key is for ${signature.domain} alone (t=s), and i= is below it`);
  const digest = digests.get(signature.body, signature.bodyLength);
  if (digest === null) return say('budget', 'the body was not hashed');
  if (signature.bodyLength > digest.length && signature.bodyLength !== Infinity)
    return say('body hash', `l= says ${signature.bodyLength} bytes, and the body has ${digest.length}`);
  if (!digest.sha256.equals(signature.bodyHash)) return say('body hash', 'the body was changed');
  const data = header.signed(signature.fields, signature.header) + header.unsigned(field, signature.header);
  if (!isSignedBy(data, signature.signature, key)) return say('signature', 'the header was changed');
  if (signature.bodyLength < digest.length) {
    const more = digest.length - signature.bodyLength;
    return say('extra body', `${more} bytes of the body stand behind what is signed (l=)`);
  }
  return say('none', `${key.bits} bits`);
}

function unusable(signature: UnusableSignature): SignatureOutcome {
  return outcomeOf(signature, signature.fault, signature.why);
}

function outcomeOf(
  { domain, selector, identity, algorithm, tag }: DkimSignature | UnusableSignature,
  fault: SignatureFault,
  detail: string,
  key: PublishedKey | null = null,
): SignatureOutcome {
  return {
    result: RESULTS[fault],
    fault,
    domain,
    selector,
    identity,
    algorithm,
    tag,
    bits: key?.bits ?? null,
    testing: key?.flags.includes('y') ?? false,
    detail,
  };
}

function settled(outcome: SignatureOutcome): PendingSignature {
  return { outcome: () => Promise.resolve(outcome) };
}
