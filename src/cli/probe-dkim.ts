import { beginSignature } from '../auth/dkim-verify.ts';
import { verifyDomainKeys } from '../auth/domainkeys.ts';
import type { SignatureOutcome } from '../model/authentication.ts';
import { withSigned } from './probe-message.ts';

type Json = Readonly<Record<string, unknown>>;

/** As the settings dkimsignatures and dkimminbits have it. */
const SIGNATURES = 10;
const MIN_BITS = 1024;

/**
 * The op `dkim` of `postern probe`: `message`, `dns`, and if need be `now` (seconds since the epoch) and `minBits`, to
 * `signatures`, from the top, each with `result` (RFC 8601 2.7.1), `domain`, `selector` and `comment`.
 */
export function dkim(request: Json): Promise<Json> {
  const { now, minBits } = request;
  const options = {
    now: typeof now === 'number' ? now : Date.now() / 1000,
    minBits: typeof minBits === 'number' ? minBits : MIN_BITS,
  };
  return withSigned(request, async ({ message, fields, header, digests, keys }) => {
    const whole = !fields.cut && !message.headerCut;
    const pending = fields.fields
      .filter(field => field.name === 'dkim-signature')
      .slice(0, SIGNATURES)
      .map(field => beginSignature(field, header, whole ? digests : null, keys, options));
    await digests.read();
    const outcomes = await Promise.all(pending.map(one => one.outcome()));
    return { signatures: outcomes.map(shown) };
  });
}

/** The op `domainkeys` of `postern probe`: the same of the topmost DomainKey-Signature (RFC 4870). */
export function domainkeys(request: Json): Promise<Json> {
  return withSigned(request, async ({ message, fields, lookups }) => {
    const { signature } = await verifyDomainKeys(message, fields, lookups);
    return { signatures: signature === null ? [] : [shown(signature)] };
  });
}

function shown({ result, domain, selector, detail }: SignatureOutcome): Json {
  return { result, domain, selector, comment: detail };
}
