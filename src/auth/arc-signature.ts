import { checkTimes, lengthOf } from './dkim-signature.ts';
import type { DkimSignature, SignatureNames, Tags } from './signature-tags.ts';
import {
  algorithmType,
  bytesOf,
  checkKeyName,
  namesOf,
  readVerifiable,
  required,
  Unusable,
} from './signature-tags.ts';

/** An ARC-Seal that can be verified. */
export interface ArcSeal extends SignatureNames {
  readonly type: 'rsa' | 'ed25519';
  readonly signature: Buffer;
}

/**
 * The ARC-Message-Signature of these tags (RFC 8617 4.1.2): a DKIM-Signature whose `v=` does not count and whose `i=` is
 * another. Throws `Unusable`. `now`: seconds since the epoch, for `x=`.
 *
 * Without `c=` it is two: what RFC 6376 3.5 makes of that, `simple/simple`, and what dkimpy and the ARC test suite do,
 * `relaxed/relaxed`. It is genuine by whichever it verifies.
 */
export function arcMessageSignature(tags: Tags, now: number): readonly DkimSignature[] {
  const verifiable = readVerifiable(tags, namesOf(tags));
  if (!verifiable.fields.includes('from')) throw new Unusable('from not signed', 'h= does not name From');
  if (verifiable.fields.includes('arc-seal')) throw new Unusable('syntax', 'h= names ARC-Seal');
  checkTimes(tags, now);
  const signature = { ...verifiable, bodyLength: lengthOf(tags) };
  if (tags.has('c')) return [signature];
  return [{ ...signature, header: 'relaxed', body: 'relaxed' }, signature];
}

/** The ARC-Seal of these tags (RFC 8617 4.1.3). Throws `Unusable`. */
export function arcSeal(tags: Tags): ArcSeal {
  const names = namesOf(tags);
  if (tags.has('h')) throw new Unusable('syntax', 'h= must not stand in a seal');
  const type = algorithmType(required(tags, 'a'));
  const signature = bytesOf(tags, 'b');
  required(tags, 'd');
  required(tags, 's');
  checkKeyName(names);
  const time = tags.get('t');
  if (time !== undefined && !/^[0-9]+$/.test(time)) throw new Unusable('syntax', 't= is no time');
  return { ...names, type, signature };
}
