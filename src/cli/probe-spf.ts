import { checkSpf } from '../auth/spf.ts';
import { createResolver } from '../dns/resolver.ts';
import type { SpfQuestion } from '../model/spf.ts';
import { normalAddress } from '../smtp/client-address.ts';

type Json = Readonly<Record<string, unknown>>;

/** What a domain without an explanation of its own gets: the word of the openspf suite. */
const NO_EXPLANATION = 'DEFAULT';

/**
 * The op `spf` of `postern probe`: `ip`, `helo`, `sender` (`""`: the null sender), `receiver`, asked of the server `dns`,
 * to `result` (RFC 7208 2.6), for a fail `explanation`, and `detail`, what decided.
 */
export async function spf(request: Json): Promise<Json> {
  const { ip, dns } = request;
  if (typeof ip !== 'string') return { error: 'ip is missing' };
  if (typeof dns !== 'string') return { error: 'dns is missing' };
  const resolver = createResolver({ servers: [dns] });
  try {
    const outcome = await checkSpf(spfQuestion(request), resolver);
    const { result, detail, explanation } = outcome;
    return result === 'fail' ? { result, explanation, detail } : { result, detail };
  } finally {
    resolver.close();
  }
}

/** The question in a request. */
export function spfQuestion({ ip, helo, sender, receiver }: Json): SpfQuestion {
  return {
    ip: normalAddress(String(ip)),
    ownAddress: false,
    helo: bytes(helo),
    sender: bytes(sender),
    receiver: bytes(receiver) || 'unknown',
    rules: '',
    guess: '',
    explanation: NO_EXPLANATION,
    header: 'rfc7208',
  };
}

function bytes(text: unknown): string {
  return typeof text === 'string' ? Buffer.from(text).toString('latin1') : '';
}
