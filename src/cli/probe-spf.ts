import { checkSpf } from '../auth/spf.ts';
import { createResolver } from '../dns/resolver.ts';
import { normalAddress } from '../smtp/client-address.ts';

type Json = Readonly<Record<string, unknown>>;

/** What a domain without an explanation of its own gets: the word of the openspf suite. */
const NO_EXPLANATION = 'DEFAULT';

/**
 * The op `spf` of `postern probe`: `ip`, `helo`, `sender` (`""`: the null sender), `receiver`, asked of the server `dns`,
 * to `result` (RFC 7208 2.6), for a fail `explanation`, and `detail`, what decided.
 */
export async function spf({ ip, helo, sender, receiver, dns }: Json): Promise<Json> {
  if (typeof ip !== 'string') return { error: 'ip is missing' };
  if (typeof dns !== 'string') return { error: 'dns is missing' };
  const resolver = createResolver({ servers: [dns] });
  try {
    const outcome = await checkSpf(
      {
        ip: normalAddress(ip),
        ownAddress: false,
        helo: bytes(helo),
        sender: bytes(sender),
        receiver: bytes(receiver) || 'unknown',
        rules: '',
        guess: '',
        explanation: NO_EXPLANATION,
        header: 'rfc7208',
      },
      resolver,
    );
    const { result, detail, explanation } = outcome;
    return result === 'fail' ? { result, explanation, detail } : { result, detail };
  } finally {
    resolver.close();
  }
}

function bytes(text: unknown): string {
  return typeof text === 'string' ? Buffer.from(text).toString('latin1') : '';
}
