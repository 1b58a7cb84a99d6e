import type { Finding } from '../model/finding.ts';
import type { MessageFacts } from '../model/message.ts';
import type { SpamOutcome } from '../model/scan.ts';
import { definePlugin } from './define.ts';
import { spamHeaders } from './spam-headers.ts';

type Rule = 'SPAM' | 'SPAM_FLAGGED' | 'SPAM_HITS' | 'SPAM_DROPPED' | 'SPAM_SCORE';

type Scored = SpamOutcome & { readonly kind: 'scored' };

/**
 * What SpamAssassin or Rspamd thinks of a message: asked once for each user, judged for each recipient by its `spam_hits`
 * (simscan.md 7.2). An engine that gives no answer has not said that it is ham.
 */
export const spam = definePlugin({
  name: 'spam',
  doc: 'Has the message scored by spamd or Rspamd, for recipients with `spam=yes`: refused from `spam_hits` on, marked with X-Spam fields.',
  tier: 'scanner',
  rules: {
    SPAM: { doc: 'Never: it tells the score. An error when the engine gave no answer.' },
    SPAM_FLAGGED: { doc: 'The engine calls it spam, or would mark it (Rspamd), and it is not refused.' },
    SPAM_HITS: {
      doc: 'The score has reached `spam_hits`; without `spam_hits`, the engine calls it spam, and `spam_passthru` says no.',
    },
    SPAM_DROPPED: { doc: 'What would be SPAM_HITS, and `dropmsg` says to throw it away.' },
    SPAM_SCORE: { doc: 'With `spamscore`: the engine’s score, for the sum.' },
  },
  settings: [
    'spam',
    'spamd',
    'rspamd',
    'spam_hits',
    'spam_passthru',
    'spamuser',
    'spamuserfor',
    'spamcuser',
    'spamrelayclients',
    'size_limit',
    'spamtime',
    'spamscans',
    'spamscore',
    'spamheaders',
    'dropmsg',
  ],
  onError: 'continue',
  sparesRelayClients: false,
  async message(facts, { settings, origin }) {
    if (settings.spamd.length === 0 && settings.rspamd.length === 0) return [];
    const skipped = (detail: string, name: 'spam' | 'size_limit' = 'spam') =>
      [{ rule: 'SPAM', state: 'skipped', detail, source: origin(name) }] as const;
    if (!settings.spam) return skipped('spam=no');
    if (facts.relayClient && !settings.spamrelayclients) return skipped('relay client');
    const { size, lines } = facts.message;
    // Counted as simscan counts it, with LF line ends.
    if (settings.size_limit > 0 && size - lines >= settings.size_limit)
      return skipped(`size: ${size - lines} bytes, limit ${settings.size_limit}`, 'size_limit');
    const outcome = await facts.score(userFor(facts, settings));
    if (outcome.kind === 'error')
      return [{ rule: 'SPAM', state: 'error', detail: `${outcome.fault}: ${outcome.why}` }];
    if (outcome.kind === 'skipped') return skipped(outcome.why);
    return judged(outcome, settings, origin('spam_hits'));
  },
});

interface Judging {
  readonly spam_hits: number;
  readonly spam_passthru: boolean;
  readonly spamscore: boolean;
  readonly spamheaders: boolean;
  readonly dropmsg: boolean;
}

function judged(outcome: Scored, settings: Judging, source: string): readonly Finding<Rule>[] {
  const { spam_hits: limit, dropmsg } = settings;
  const { spam: flagged, score, threshold, rules, scanner } = outcome;
  const points = score.toFixed(2);
  const value = `${score} of ${threshold}`;
  const told: Finding<Rule> = {
    rule: 'SPAM',
    state: 'pass',
    value,
    detail: `${flagged ? 'spam' : 'ham'}: ${value} (${scanner}): ${rules.join(',') || 'no rule'}`,
    ...(settings.spamheaders ? { header: spamHeaders(outcome) } : {}),
  };
  const findings = [told];
  const refused = limit > 0 ? score >= limit : flagged && !settings.spam_passthru;
  const detail = limit > 0 ? `${value}, limit ${limit}` : value;
  if (refused) {
    const rule = dropmsg ? 'SPAM_DROPPED' : 'SPAM_HITS';
    findings.push({ rule, state: 'hit', value, detail, text: points, source });
  } else if (outcome.marked) findings.push({ rule: 'SPAM_FLAGGED', state: 'hit', value, detail, source });
  if (settings.spamscore && score !== 0)
    findings.push({ rule: 'SPAM_SCORE', state: 'hit', value, detail, score });
  return findings;
}

/** `spamc -u` as simscan has it: with one recipient only, unless groups have users of their own. */
function userFor(
  { recipients }: Pick<MessageFacts, 'recipients'>,
  {
    spamuser,
    spamuserfor,
    spamcuser,
  }: {
    readonly spamuser: string;
    readonly spamuserfor: 'one' | 'group';
    readonly spamcuser: boolean;
  },
): string | null {
  const [only, ...others] = recipients;
  if (spamuser !== '' && (spamuserfor === 'group' || others.length === 0)) return spamuser;
  return spamcuser && only !== undefined && others.length === 0 ? only.text.toLowerCase() : null;
}
