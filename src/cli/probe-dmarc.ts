import type { Authenticated } from '../auth/dmarc-alignment.ts';
import { checkDmarc } from '../auth/dmarc.ts';
import { MessageLookups } from '../auth/lookups.ts';
import { createResolver } from '../dns/resolver.ts';

type Json = Readonly<Record<string, unknown>>;

/** Questions, and milliseconds for all of them. */
const MAX_LOOKUPS = 100;
const MAX_MS = 20_000;

/**
 * The op `dmarc` of `postern probe`: the author domain `from`, `spf` and each of `dkim` as `{result, domain}`, asked of the
 * server `dns`, to `result`, `policy` (after `sp` and `np`; null without a record), `disposition`, and `detail`, what decided.
 */
export async function dmarc({ from, spf, dkim, dns }: Json): Promise<Json> {
  if (typeof from !== 'string') return { error: 'from is missing' };
  if (typeof dns !== 'string') return { error: 'dns is missing' };
  const resolver = createResolver({ servers: [dns] });
  try {
    const outcome = await checkDmarc(
      {
        from: bytes(from),
        spf: authenticated(spf)[0] ?? null,
        dkim: Array.isArray(dkim) ? dkim.flatMap(authenticated) : [],
      },
      new MessageLookups(resolver, MAX_LOOKUPS, MAX_MS),
    );
    const { result, policy, disposition, source, detail } = outcome;
    return { result, policy, disposition, source, detail };
  } finally {
    resolver.close();
  }
}

function authenticated(value: unknown): readonly Authenticated[] {
  if (typeof value !== 'object' || value === null) return [];
  const { result, domain } = value as Json;
  return typeof result === 'string' && typeof domain === 'string' ? [{ result, domain: bytes(domain) }] : [];
}

function bytes(text: string): string {
  return Buffer.from(text).toString('latin1');
}
