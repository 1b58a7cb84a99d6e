import { MessageSignatures } from '../auth/message-authentication.ts';
import { checkSpf } from '../auth/spf.ts';
import { createResolver } from '../dns/resolver.ts';
import { AUTHENTICATION_LIMITS, storedMessage } from './probe-message.ts';
import { spfQuestion } from './probe-spf.ts';

type Json = Readonly<Record<string, unknown>>;

/**
 * The op `auth` of `postern probe`: `message` (base64), `ip`, `helo`, `sender`, `dns`, to everything that they come to:
 * `spf`, `dkim` (a list), `dmarc` with its `policy` and `disposition`, `arc`.
 */
export async function auth(request: Json): Promise<Json> {
  const { message, ip, dns } = request;
  if (typeof message !== 'string') return { error: 'message is missing' };
  if (typeof ip !== 'string') return { error: 'ip is missing' };
  if (typeof dns !== 'string') return { error: 'dns is missing' };
  const stored = await storedMessage(message);
  const resolver = createResolver({ servers: [dns] });
  try {
    const spf = Promise.resolve(checkSpf(spfQuestion(request), resolver));
    const question = { message: stored, spf: () => spf, ...AUTHENTICATION_LIMITS };
    const found = new MessageSignatures(question, resolver, Date.now());
    const [{ result }, dkim, dmarc, arc] = await Promise.all([spf, found.dkim(), found.dmarc(), found.arc()]);
    return {
      spf: result,
      dkim: dkim.signatures.map(one => ({
        result: one.result,
        domain: one.domain,
        selector: one.selector,
        comment: one.detail,
      })),
      dmarc: dmarc.result,
      policy: dmarc.policy,
      disposition: dmarc.disposition,
      arc: arc.result,
      detail: dmarc.detail,
    };
  } finally {
    resolver.close();
    stored.release();
  }
}
