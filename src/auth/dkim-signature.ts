import { asciiDomain, isSameOrBelow } from './ascii-domain.ts';
import type { DkimSignature, SignatureNames, Tags, UnusableSignature } from './signature-tags.ts';
import { namesOf, readVerifiable, required, shown, Unusable } from './signature-tags.ts';
import { tagList, withoutSpace } from './tag-list.ts';

/** RFC 6376 3.5: a time with more than 12 digits is as good as never. */
const DIGITS = /^[0-9]{1,12}$/;

/**
 * The DKIM-Signature whose field value is `value` (a byte string, folded or not), judged at `now` (seconds since the epoch):
 * syntax, required tags, identity, expiry (RFC 6376 3.5, 6.1.1; RFC 8301: SHA-1 is not accepted any more; RFC 8463). Never throws.
 */
export function dkimSignature(value: string, now: number): DkimSignature | UnusableSignature {
  const tags = tagList(value);
  const names = namesOf(tags ?? new Map<string, string>());
  try {
    if (tags === null) throw new Unusable('syntax', 'it is no tag list');
    return readSignature(tags, names, now);
  } catch (error) {
    if (!(error instanceof Unusable)) throw error;
    return { kind: 'unusable', ...names, fault: error.fault, why: error.message };
  }
}

function readSignature(tags: Tags, names: SignatureNames, now: number): DkimSignature {
  if (required(tags, 'v') !== '1') throw new Unusable('version', `v=${shown(tags.get('v'))} is not 1`);
  const verifiable = readVerifiable(tags, names);
  if (!verifiable.fields.includes('from')) throw new Unusable('from not signed', 'h= does not name From');
  const { domain } = names;
  const identity = names.identity;
  const at = identity.lastIndexOf('@');
  if (at < 0 || !isSameOrBelow(asciiDomain(identity.slice(at + 1)), domain))
    throw new Unusable('identity', `i=${shown(identity)} does not belong to d=${shown(domain)}`);
  const methods = tags.get('q');
  if (methods !== undefined && !withoutSpace(methods).toLowerCase().split(':').includes('dns/txt'))
    throw new Unusable('syntax', `q=${shown(methods)}: the key is not in the DNS`);
  checkTimes(tags, now);
  return { ...verifiable, bodyLength: lengthOf(tags) };
}

/** `l=`; Infinity without it. Throws what is wrong with it. */
export function lengthOf(tags: Tags): number {
  const value = tags.get('l');
  if (value === undefined) return Infinity;
  if (!/^[0-9]{1,76}$/.test(value)) throw new Unusable('syntax', `l=${shown(value)} is no number`);
  return Number(value);
}

/** Throws when `t=` or `x=` is no time, or the signature has expired. */
export function checkTimes(tags: Tags, now: number): void {
  const time = (name: string) => {
    const value = tags.get(name);
    if (value === undefined) return null;
    if (!/^[0-9]+$/.test(value)) throw new Unusable('syntax', `${name}=${shown(value)} is no time`);

    return DIGITS.test(value) ? Number(value) : Infinity;
  };
  const signed = time('t');
  const expires = time('x');
  if (expires === null) return;
  if (signed !== null && expires <= signed) throw new Unusable('syntax', 'x= is not later than t=');
  if (expires < now) throw new Unusable('expired', `it expired ${Math.round(now - expires)} s ago (x=)`);
}
