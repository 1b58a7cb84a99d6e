import type { HeaderFields } from '../mail/header.ts';
import type { ArcOutcome } from '../model/authentication.ts';
import { arcFields, chainStatus, resultsOf, sealedText } from './arc-sets.ts';
import type { ArcFields, ArcSet } from './arc-sets.ts';
import { arcMessageSignature, arcSeal } from './arc-signature.ts';
import type { ArcSeal } from './arc-signature.ts';
import type { BodyDigests } from './body-digests.ts';
import type { DkimOptions } from './dkim-verify.ts';
import type { FoundKeys, KeyFinder } from './key-finder.ts';
import type { PublishedKey } from './key-record.ts';
import type { DkimSignature } from './signature-tags.ts';
import { namesOf, Unusable } from './signature-tags.ts';
import type { SignedHeader } from './signed-header.ts';
import { isSignedBy, keyObjection } from './verify-signature.ts';

/** What comes of a message without any ARC field. */
export const NO_CHAIN: ArcOutcome = {
  result: 'none',
  instances: 0,
  sets: [],
  domain: '',
  selector: '',
  detail: 'no chain',
  lookups: [],
};

/** An ARC chain on its way: its structure judged, the body hash asked for, its keys being looked up. */
export interface PendingArc {
  /** After the body digests were read. `shown`: the look-ups, for the outcome. Never rejects. */
  outcome(shown: readonly string[]): Promise<ArcOutcome>;
}

/** A seal covers all sets below it: so many bytes may be hashed for the seals of one message. Honest chains take some 100 KB. */
const MAX_HASHED = 16 * 1024 * 1024;

/** What a signature of the chain comes to; `unknown`: its key cannot be looked up for the time being. */
interface Verdict {
  readonly kind: 'valid' | 'invalid' | 'unknown';
  readonly why: string;
}

/** A signature whose key is being looked up: asked after the body was read. */
type Pending = () => Promise<Verdict>;

/**
 * Begins with the ARC chain of a message (RFC 8617 5.2): judges its structure, asks `digests` for the hash of the newest
 * ARC-Message-Signature and `keys` for the keys of it and of all seals. The caller reads the body, then asks for the
 * outcome. Null: the message has no ARC field. Without `digests`, the header is not whole.
 *
 * The DNS out of order is `temperror`, and not the `fail` of 5.2.1, unless something else is wrong, too: whether the chain
 * holds is not known. A body that goes on behind `l=` is `fail`.
 */
export function beginArc(
  header: SignedHeader,
  fields: HeaderFields,
  digests: BodyDigests | null,
  keys: KeyFinder,
  options: DkimOptions,
): PendingArc | null {
  const found = arcFields(header);
  if (found === null) return null;
  const settled = (detail: string): PendingArc => ({
    outcome: shown => Promise.resolve(outcomeOf(found, header, 'fail', detail, shown)),
  });
  if (digests === null || fields.cut) return settled('the header is too big to be verified');
  if (found.sealedAsFailed) return settled(`the seal of set ${found.highest} says that it failed`);
  if ('why' in found.sets) return settled(found.sets.why);
  try {
    return begin(found, found.sets, header, digests, keys, options);
  } catch (error) {
    if (error instanceof Unusable) return settled(error.message);
    throw error;
  }
}

function begin(
  found: ArcFields,
  sets: readonly ArcSet[],
  header: SignedHeader,
  digests: BodyDigests,
  finder: KeyFinder,
  { minBits, now }: DkimOptions,
): PendingArc {
  for (const { instance, sealTags } of sets) {
    const [wanted, said] = [instance === 1 ? 'none' : 'pass', chainStatus(sealTags)];
    if (said !== wanted)
      throw new Unusable('syntax', `the seal of set ${instance} does not say cv=${wanted}`);
  }
  const newest = sets.at(-1) as ArcSet;
  const messages = named(newest, 'signature', () => arcMessageSignature(newest.messageTags, now));
  const seals = sets.map(set => named(set, 'seal', () => arcSeal(set.sealTags)));
  const covered = sealedText(sets, header);
  const hashed = covered.ends.reduce((sum, end) => sum + end, 0);
  if (hashed > MAX_HASHED) throw new Unusable('budget', 'the chain is too big to be verified');
  if (!messages.every(one => digests.want(one.body, one.bodyLength)))
    throw new Unusable('budget', 'too many different l= in one message');

  const judge = <T extends DkimSignature | ArcSeal>(
    signature: T,
    fault: (signature: T, key: PublishedKey) => string | null,
  ): Pending => {
    const keys = finder.find(signature.selector, signature.domain);
    return async () => judged(await keys, signature.type, minBits, key => fault(signature, key));
  };
  const ofMessages = messages.map(message =>
    judge(message, (signature, key) => messageFault(newest, signature, header, digests, key)),
  );
  const ofSeals = seals.map((seal, i) =>
    judge(seal, ({ signature }, key) => {
      const { seal: field } = sets[i] as ArcSet;
      const data = covered.text.slice(0, covered.ends[i]) + header.unsigned(field, 'relaxed');
      return isSignedBy(data, signature, key) ? null : 'it is not genuine';
    }),
  );
  return {
    async outcome(shown) {
      const { result, why } = await chainVerdict(ofMessages, ofSeals);
      return outcomeOf(found, header, result, why, shown);
    },
  };
}

/** Steps 4 and 6 of RFC 8617 5.2: the newest message signature by any of its readings, then the seals, the newest first. */
async function chainVerdict(
  messages: readonly Pending[],
  seals: readonly Pending[],
): Promise<{ readonly result: ArcOutcome['result']; readonly why: string }> {
  let unknown = '';
  const said = await Promise.all(messages.map(pending => pending()));
  const message = said.find(({ kind }) => kind === 'valid') ?? said[0];
  if (message !== undefined && message.kind !== 'valid') {
    const why = `the signature of set ${seals.length}: ${message.why}`;
    if (message.kind === 'invalid') return { result: 'fail', why };
    unknown = why;
  }
  for (let i = seals.length - 1; i >= 0; i--) {
    const seal = await (seals[i] as Pending)();
    const why = `the seal of set ${i + 1}: ${seal.why}`;
    if (seal.kind === 'invalid') return { result: 'fail', why };
    if (seal.kind === 'unknown') unknown ||= why;
  }
  if (unknown !== '') return { result: 'temperror', why: unknown };
  return {
    result: 'pass',
    why: seals.length === 1 ? 'one seal, genuine' : `${seals.length} seals, all genuine`,
  };
}

/** Reads a signature of a set; what it throws then says which set it was. */
function named<T>({ instance }: ArcSet, what: 'signature' | 'seal', read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof Unusable)) throw error;
    throw new Unusable(error.fault, `the ${what} of set ${instance}: ${error.message}`);
  }
}

/** Whether one of the keys makes a signature valid. `fault`: what is wrong with it by this key, or null. */
function judged(
  found: FoundKeys,
  type: 'rsa' | 'ed25519',
  minBits: number,
  fault: (key: PublishedKey) => string | null,
): Verdict {
  if (found.kind === 'trouble')
    return { kind: found.fault === 'dns' ? 'unknown' : 'invalid', why: found.why };
  let first = '';
  for (const key of found.keys) {
    const why = keyObjection(key, type, minBits)?.why ?? fault(key);
    if (why === null) return { kind: 'valid', why: '' };
    first ||= why;
  }
  return { kind: 'invalid', why: first };
}

function messageFault(
  { message }: ArcSet,
  signature: DkimSignature,
  header: SignedHeader,
  digests: BodyDigests,
  key: PublishedKey,
): string | null {
  const digest = digests.get(signature.body, signature.bodyLength);
  if (digest === null) return 'the body was not hashed';
  const { bodyLength } = signature;
  if (bodyLength !== Infinity && bodyLength !== digest.length)
    return `l= says ${bodyLength} bytes, and the body has ${digest.length}`;
  if (!digest.sha256.equals(signature.bodyHash)) return 'the body was changed';
  const data = header.signed(signature.fields, signature.header) + header.unsigned(message, signature.header);
  return isSignedBy(data, signature.signature, key) ? null : 'the header was changed';
}

function outcomeOf(
  { highest, sets }: ArcFields,
  header: SignedHeader,
  result: ArcOutcome['result'],
  detail: string,
  shown: readonly string[],
): ArcOutcome {
  const chain = 'why' in sets ? [] : sets;
  const { domain, selector } = namesOf(chain.at(-1)?.sealTags ?? new Map<string, string>());
  return {
    result,
    instances: highest,
    sets:
      result === 'pass'
        ? chain.map(set => ({ sealer: namesOf(set.sealTags).domain, results: resultsOf(set, header) }))
        : [],
    domain,
    selector,
    detail,
    lookups: [...shown],
  };
}
