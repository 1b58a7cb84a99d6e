import { authResult } from '../mail/auth-result.ts';
import type { ArcOutcome, AuthorsOutcome, DmarcPolicy } from '../model/authentication.ts';
import type { Finding } from '../model/finding.ts';
import { definePlugin } from './define.ts';
import { fromHere } from './this-host.ts';

type Rule =
  | 'DMARC'
  | 'DMARC_REJECT'
  | 'DMARC_QUARANTINE'
  | 'DMARC_NONE'
  | 'DMARC_NO_POLICY'
  | 'DMARC_FROM_MANY'
  | 'DMARC_OVERRIDE';

/** The rule for what the owner of the domain asks for when the message fails. */
const FAILED: Readonly<Record<DmarcPolicy, Rule>> = {
  reject: 'DMARC_REJECT',
  quarantine: 'DMARC_QUARANTINE',
  none: 'DMARC_NONE',
};

/**
 * DMARC (RFC 9989). The policy asks; what is done stands in `actions`. A failure is overridden, visibly, where a chain of
 * trusted sealers vouches for what the message was before it was forwarded.
 */
export const dmarc = definePlugin({
  name: 'dmarc',
  doc: 'Does the domain in From stand behind the message? SPF or DKIM must have passed for a domain that belongs to it; else the rule is what its owner asks for in the DNS.',
  tier: 'dns',
  rules: {
    DMARC: { doc: 'Never: it tells the result, and which record decided. An error when the DNS failed.' },
    DMARC_REJECT: { doc: 'The message fails, and the policy is reject.' },
    DMARC_QUARANTINE: { doc: 'The message fails, and the policy is quarantine.' },
    DMARC_NONE: { doc: 'The message fails, and the policy is none: its owner only watches.' },
    DMARC_NO_POLICY: { doc: 'The domain in From has no DMARC record.' },
    DMARC_FROM_MANY: { doc: 'There are addresses of several domains in From; the strictest policy counts.' },
    DMARC_OVERRIDE: {
      doc: 'The message fails, but trusted sealers (`arctrusted`) vouch that it passed when it came to the first of them.',
    },
  },
  settings: ['dmarc', 'arctrusted', 'dkimsignatures', 'dkimminbits', 'authlookups', 'authtime'],
  onError: 'continue',
  sparesRelayClients: true,
  async message(facts, { settings, origin }) {
    if (!settings.dmarc) return [];
    const here = fromHere(facts.client);
    if (here !== null) return [{ rule: 'DMARC', state: 'skipped', detail: here }];
    const outcome = await facts.authentication.dmarc();
    const { result, domain, detail, authors, policy, disposition } = outcome;
    const many: Finding<Rule>[] =
      authors.length > 1
        ? [{ rule: 'DMARC_FROM_MANY', state: 'hit', detail: authors.slice(0, 10).join(', ').slice(0, 500) }]
        : [];
    if (result === 'none') {
      const none = { rule: 'DMARC_NO_POLICY', state: 'hit', value: domain, detail } as const;
      return [...many, told(outcome, ''), none];
    }
    if (result !== 'fail') return [...many, told(outcome, '')];
    const trusted = settings.arctrusted;
    const vouched =
      trusted === null
        ? null
        : voucher(await facts.authentication.arc(), domain, sealer => trusted.find(sealer) !== null);
    if (vouched !== null) {
      const override = {
        rule: 'DMARC_OVERRIDE',
        state: 'hit',
        value: domain,
        detail: `policy ${policy} not applied: ${vouched}`,
        source: origin('arctrusted'),
      } as const;
      return [...many, told(outcome, `overridden: ${vouched}`), override];
    }
    const failed = { rule: FAILED[disposition], state: 'hit', value: domain, detail, text: domain } as const;
    return [...many, told(outcome, ''), failed];
  },
});

/** What the record says of the evaluation. */
function told(outcome: AuthorsOutcome, note: string): Finding<Rule> {
  const { result, domain, policy, disposition, source, detail, lookups } = outcome;
  const asked = lookups.length === 0 ? '' : `; asked: ${lookups.join('; ')}`;
  const wanted = policy === null ? '' : ` p=${policy} (${source})`;
  const comment = policy === null ? '' : `p=${policy} dis=${note === '' ? disposition : 'none'}`;
  return {
    rule: 'DMARC',
    state: result === 'temperror' ? 'error' : 'pass',
    value: domain,
    detail: `${result}:${wanted} ${detail}${note === '' ? '' : `; ${note}`}${asked}`,
    authResult: authResult('dmarc', result, [['header.from', domain]], comment),
  };
}

/**
 * Who vouches for a message that fails now: in a valid chain whose sealers are all trusted, the first of them saw DMARC
 * pass for this domain. Null: nobody does.
 */
function voucher(
  { result, sets }: ArcOutcome,
  domain: string,
  isTrusted: (sealer: string) => boolean,
): string | null {
  const [first] = sets;
  if (result !== 'pass' || first === undefined) return null;
  if (!sets.every(set => isTrusted(set.sealer))) return null;
  const passed = bareResults(first.results).find(one => /^\s*dmarc\s*=\s*pass(?:\s|$)/i.test(one));
  const about = /\sheader\.from\s*=\s*(\S+)/i.exec(passed ?? '')?.[1]?.toLowerCase();
  if (passed === undefined || (about !== undefined && about !== domain)) return null;
  return `${first.sealer} saw DMARC pass (ARC)`;
}

/** The results of an Authentication-Results value, without comments and quoted strings, which hold the words of others. */
function bareResults(value: string): string[] {
  let bare = '';
  let depth = 0;
  let quoted = false;
  for (let i = 0; i < value.length; i++) {
    const c = value[i] as string;
    if (c === '\\' && (quoted || depth > 0)) i++;
    else if (c === '"' && depth === 0) quoted = !quoted;
    else if (quoted) continue;
    else if (c === '(') depth++;
    else if (c === ')') depth = Math.max(0, depth - 1);
    else if (depth === 0) bare += c;
  }
  return bare.split(';');
}
