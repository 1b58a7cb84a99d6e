import { gatheredResults } from '../auth/arc-results.ts';
import { sealArc, wantSealDigest } from '../auth/arc-seal.ts';
import { beginArc, NO_CHAIN } from '../auth/arc.ts';
import { readPrivateKey } from '../auth/private-key.ts';
import type { ArcOutcome } from '../model/authentication.ts';
import { withSigned } from './probe-message.ts';
import type { Signed } from './probe-message.ts';

type Json = Readonly<Record<string, unknown>>;

/** As the setting dkimminbits has it. */
const MIN_BITS = 1024;

/** The op `arc` of `postern probe`: `message` and `dns` to `result` (RFC 8617 4.4, or `temperror`) and `detail`. */
export function arc(request: Json): Promise<Json> {
  return withSigned(request, async signed => {
    const { result, detail } = await verified(signed);
    return { result, detail };
  });
}

/**
 * The op `arc-seal` of `postern probe`: `message`, `domain`, `selector`, `privateKey` (PEM), `srvId`, `t` (seconds since
 * the epoch, now without it) and `dns`, to `headers`, the new set. What it holds is what the message's own
 * Authentication-Results by `srvId` say; without them there is no set: `""`, and neither where there is a chain and they say
 * nothing of it, as with dkimpy and Mail::DKIM. Their `arc=fail`, or several `arc=`, make the chain a failed one; better than
 * what we find ourselves they cannot make it.
 */
export async function arcSeal(request: Json): Promise<Json> {
  const { domain, selector, privateKey, srvId, t } = request;
  if (typeof domain !== 'string' || typeof selector !== 'string')
    return { error: 'domain or selector is missing' };
  if (typeof srvId !== 'string') return { error: 'srvId is missing' };
  const authservId = Buffer.from(srvId).toString('latin1');
  const key = readPrivateKey(typeof privateKey === 'string' ? privateKey : '');
  if ('why' in key) return { error: `privateKey: ${key.why}` };
  return withSigned(request, async signed => {
    const { header, digests } = signed;
    wantSealDigest(digests);
    const chain = await verified(signed);
    const results = gatheredResults(header, authservId);
    if (results === null) return { headers: '' };
    const [said = 'none', ...more] = results.arc;
    if (chain.result !== 'none' && said === 'none' && more.length === 0) return { headers: '' };
    const failed = chain.result !== 'temperror' && (said === 'fail' || more.length > 0);
    const headers = sealArc({
      header,
      digests,
      authservId,
      results: results.payload,
      chain: failed ? { ...chain, result: 'fail' } : chain,
      key: key.key,
      domain,
      selector,
      now: typeof t === 'number' || typeof t === 'string' ? Number(t) : Date.now() / 1000,
    });
    return { headers: Buffer.from(headers, 'latin1').toString() };
  });
}

async function verified({ message, fields, header, digests, keys, shown }: Signed): Promise<ArcOutcome> {
  const options = { now: Date.now() / 1000, minBits: MIN_BITS };
  const pending = beginArc(header, fields, message.headerCut ? null : digests, keys, options);
  await digests.read();
  return pending === null ? NO_CHAIN : pending.outcome(shown);
}
