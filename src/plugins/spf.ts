import { authResult } from '../mail/auth-result.ts';
import type { Finding } from '../model/finding.ts';
import type { MailFacts } from '../model/session.ts';
import type { SpfOutcome, SpfResult } from '../model/spf.ts';
import { definePlugin } from './define.ts';

type Rule =
  | 'SPF'
  | 'SPF_FAIL'
  | 'SPF_SOFTFAIL'
  | 'SPF_NEUTRAL'
  | 'SPF_NONE'
  | 'SPF_PERMERROR'
  | 'SPF_TEMPERROR';

/** The rule of a result, and the spfbehavior from which on it hits (qmail-spf rc5). */
const REFUSED_FROM: Readonly<Record<Exclude<SpfResult, 'pass'>, readonly [rule: Rule, behavior: number]>> = {
  temperror: ['SPF_TEMPERROR', 2],
  fail: ['SPF_FAIL', 3],
  softfail: ['SPF_SOFTFAIL', 4],
  neutral: ['SPF_NEUTRAL', 5],
  none: ['SPF_NONE', 6],
  permerror: ['SPF_PERMERROR', 6],
};

/** Of the explanation, which is the sender's own text: so many lines, of so many characters. */
const MAX_LINES = 5;
const MAX_LINE = 200;

/**
 * Sender Policy Framework (RFC 7208) with the faces of the qmail patch. It is evaluated at MAIL, once; what the result
 * means is judged for each recipient, whose `spfbehavior` may differ, unless refusals are spoken at MAIL.
 */
export const spf = definePlugin({
  name: 'spf',
  doc: 'Does the sender’s domain let this client send its mail? Evaluated by RFC 7208 at MAIL, for the HELO name when the sender is null; `spfbehavior` says which results a recipient refuses. Adds a Received-SPF field.',
  tier: 'dns',
  rules: {
    SPF: { doc: 'Never: it tells the result, and which record decided. An error when the DNS failed.' },
    SPF_FAIL: { doc: 'The result is fail, and `spfbehavior` is 3 or more.' },
    SPF_SOFTFAIL: { doc: 'The result is softfail, and `spfbehavior` is 4 or more.' },
    SPF_NEUTRAL: { doc: 'The result is neutral, and `spfbehavior` is 5 or more.' },
    SPF_NONE: { doc: 'The domain has no record, and `spfbehavior` is 6.' },
    SPF_PERMERROR: { doc: 'The record cannot be evaluated, and `spfbehavior` is 6.' },
    SPF_TEMPERROR: { doc: 'The DNS failed, and `spfbehavior` is 2 or more.' },
  },
  settings: ['spfbehavior', 'refuseat'],
  // From spfbehavior 2 on, SPF_TEMPERROR defers.
  onError: 'continue',
  sparesRelayClients: true,
  mail(facts, { settings, origin }) {
    const behavior = settings.spfbehavior;
    if (behavior === 0) return [];
    if (facts.client === null) return [{ rule: 'SPF', state: 'skipped', detail: 'no client' }];
    const judged = (outcome: SpfOutcome) =>
      settings.refuseat === 'stage'
        ? [told(facts, outcome), ...refusal(outcome, behavior, origin('spfbehavior'))]
        : [told(facts, outcome)];
    return withOutcome(facts, judged);
  },
  rcpt(facts, { settings, origin }) {
    const behavior = settings.spfbehavior;
    if (facts.client === null || behavior === 0 || settings.refuseat === 'stage') return [];
    return withOutcome(facts, outcome => {
      const source = origin('spfbehavior');
      const { result, domain, detail, header } = outcome;
      const letIn: Finding<Rule> = {
        rule: 'SPF',
        state: 'pass',
        value: domain,
        detail: `${result}: ${detail}`,
        source,
      };
      const [refused] = refusal(outcome, behavior, source);
      // The field again: where the client's own setting is 0, MAIL has none. The pipeline adds it once.
      return [{ ...(refused ?? letIn), header, authResult: resultFor(facts, outcome) }];
    });
  },
});

function withOutcome<T>(facts: MailFacts, then: (outcome: SpfOutcome) => T): T | Promise<T> {
  const outcome = facts.spf();
  return outcome instanceof Promise ? outcome.then(then) : then(outcome);
}

/** What the record says of the evaluation. */
function told(facts: MailFacts, outcome: SpfOutcome): Finding<Rule> {
  const { result, domain, detail, lookups, header } = outcome;
  const asked = lookups.length === 0 ? '' : `; asked: ${lookups.join('; ')}`;
  return {
    rule: 'SPF',
    state: result === 'temperror' ? 'error' : 'pass',
    value: domain,
    detail: `${result}: ${detail}${asked}`,
    header,
    authResult: resultFor(facts, outcome),
  };
}

/** RFC 8601 2.7.2: of the sender, or of the HELO name where that was looked at. */
function resultFor({ sender }: MailFacts, { result, domain, byDomain }: SpfOutcome): string {
  const property = sender !== null && sender.domain !== '' ? 'smtp.mailfrom' : 'smtp.helo';
  return authResult('spf', result, [[property, domain]], byDomain ? '' : 'local policy');
}

/** What refuses the mail under this spfbehavior, if anything. */
function refusal(outcome: SpfOutcome, behavior: number, source: string): Finding<Rule>[] {
  const { result, domain, detail, explanation, guessFailed } = outcome;
  if (result === 'pass') return [];
  const [noted, from] = REFUSED_FROM[result];
  if (behavior < from) return [];
  const rule = guessFailed ? 'SPF_TEMPERROR' : noted;
  const hit = { rule, state: 'hit', value: domain, detail: `${result}: ${detail}`, source } as const;
  if (explanation.length <= MAX_LINE) return [{ ...hit, text: explanation }];
  return [{ ...hit, text: explanation, lines: linesOf(explanation) }];
}

/** A long explanation as lines of a reply. */
function linesOf(text: string): readonly string[] {
  const lines: string[] = [];
  let rest = text;
  while (rest.length > MAX_LINE && lines.length < MAX_LINES - 1) {
    const blank = rest.lastIndexOf(' ', MAX_LINE);
    const end = blank > 0 ? blank : MAX_LINE;
    lines.push(rest.slice(0, end));
    rest = rest.slice(blank > 0 ? end + 1 : end);
  }
  return [...lines, rest.slice(0, MAX_LINE)];
}
