import type { DomainKeysOutcome, SignatureFault } from '../model/authentication.ts';

/** The letters of DKVERIFY: `A` and the status number of libdomainkeys 0.69. */
export type DkverifyLetter = 'A' | 'B' | 'C' | 'D' | 'E' | 'F' | 'G' | 'H' | 'J' | 'L';

const LETTERS: Readonly<Record<SignatureFault, DkverifyLetter>> = {
  none: 'A',
  // The library does not ask whether h= names From.
  'from not signed': 'A',
  signature: 'B',
  'no key': 'D',
  'bad key': 'E',
  'key size': 'E',
  dns: 'F',
  syntax: 'G',
  algorithm: 'G',
  identity: 'G',
  budget: 'H',
  revoked: 'J',
  granularity: 'L',
  // Of DKIM alone.
  'extra body': 'B',
  'body hash': 'B',
  version: 'G',
  expired: 'B',
};

/** What qmail-dk 0.54 writes; of `L`, which it does not know, what later forks do. */
const STATUS: Readonly<Record<DkverifyLetter, string>> = {
  A: 'good',
  B: 'bad',
  C: 'no signature',
  D: 'no key',
  E: 'bad key',
  F: 'no key',
  G: 'bad format',
  H: 'no resources',
  J: 'revoked',
  L: 'bad sender',
};

/**
 * The DKVERIFY letter, upper case, of what came of a message's DomainKey-Signature, in the documented meaning of the letters.
 * I and K, faults of the caller and of the library, are never given. `malformed`: what `malformedAuthor` says is wrong with
 * the message, which counts even if it has no signature; null: nothing.
 */
export function dkverifyLetter(outcome: DomainKeysOutcome, malformed: string | null): DkverifyLetter {
  const { signature } = outcome;
  if (signature === null) return malformed === null ? 'C' : 'G';
  // Without d=, s= or b= it is no signature to libdomainkeys; `verifyDomainKeys` tells it apart by the result.
  if (signature.fault === 'syntax' && signature.result === 'neutral') return 'C';
  return LETTERS[signature.fault];
}

/** The text of a DomainKey-Status field, padded to 12 characters as qmail-dk pads it. */
export function domainKeyStatus(outcome: DomainKeysOutcome, malformed: string | null): string {
  return STATUS[dkverifyLetter(outcome, malformed)].padEnd(12);
}
