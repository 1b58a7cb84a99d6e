import type { DnsListSource } from '../control/dns-lists.ts';
import { advance, UNDECIDED } from '../dns/list-decision.ts';
import type { ListOutcome, ListState } from '../dns/list-decision.ts';
import { askList, listedClient } from '../dns/lists.ts';
import type { Dns } from '../model/dns.ts';
import type { Finding } from '../model/finding.ts';
import { definePlugin } from './define.ts';

type Rule =
  | 'RBL_REJECT'
  | 'RBL_DEFER'
  | 'RBL_SCORE'
  | 'RBL_OBSERVE'
  | 'RBL_ALLOWED'
  | 'RBL_ERROR'
  | 'RBLSMTPD_REJECT'
  | 'RBLSMTPD_DEFER';

/** DNS lists, as rblsmtpd and sagredo's qmail-smtpd ask them. */
export const rbl = definePlugin({
  name: 'rbl',
  doc: 'Asks the DNS lists of `rbl` and `dnsbllist` about the client’s address, all at once; the first in order that answers decides. RBLSMTPD in tcp.smtp decides without asking.',
  tier: 'dns',
  rules: {
    RBL_REJECT: {
      doc: 'A list under `-b` (or `-zone` in dnsbllist) names the client, and no list before it failed.',
    },
    RBL_DEFER: {
      doc: 'A list names the client and `-b` is not in force, or a list before it failed; or a list under `-c` failed.',
    },
    RBL_SCORE: { doc: 'A list with `score=` names the client.' },
    RBL_OBSERVE: { doc: 'A list that is only watched (`=zone` in dnsbllist) names the client.' },
    RBL_ALLOWED: {
      doc: 'An anti-list or an empty RBLSMTPD lets the client in, whatever lists after it say.',
    },
    RBL_ERROR: { doc: 'A list could not be asked, or answered with an error code instead of a listing.' },
    RBLSMTPD_REJECT: { doc: 'RBLSMTPD in tcp.smtp begins with a hyphen.' },
    RBLSMTPD_DEFER: { doc: 'RBLSMTPD in tcp.smtp is a text without a hyphen.' },
  },
  settings: ['rbl', 'dnsbllist', 'rblsmtpd'],
  // rblsmtpd fails open; what fails closed (`-c`) is a hit of RBL_DEFER.
  onError: 'continue',
  sparesRelayClients: true,
  connect({ client }, tools) {
    const { settings, dns } = tools;
    if (client === null) return [];
    if (settings.rblsmtpd !== null) return [ordered(settings.rblsmtpd, client.ip, tools.origin('rblsmtpd'))];
    const first = settings.rbl.sources;
    const second = settings.dnsbllist.sources;
    if (first.length === 0 && second.length === 0) return [];
    return askAll(dns, client.ip, first, second);
  },
});

/** What the variable RBLSMTPD orders (rblsmtpd(1)). */
function ordered(text: string, ip: string, source: string): Finding<Rule> {
  if (text === '') {
    return {
      rule: 'RBL_ALLOWED',
      state: 'pass',
      value: ip,
      source,
      detail: 'RBLSMTPD is empty: no list is asked',
    };
  }
  const rejects = text.startsWith('-');
  return {
    rule: rejects ? 'RBLSMTPD_REJECT' : 'RBLSMTPD_DEFER',
    state: 'hit',
    value: ip,
    source,
    text: rejects ? text.slice(1) : text,
  };
}

/**
 * Asks every list at once and judges `rbl` as rblsmtpd would. A client that it would let through meets `dnsbllist` next,
 * with a decision of its own, as in qmail-smtpd behind rblsmtpd.
 */
async function askAll(
  dns: Dns,
  ip: string,
  first: readonly DnsListSource[],
  second: readonly DnsListSource[],
): Promise<Finding<Rule>[]> {
  const client = listedClient(ip);
  const ask = (lists: readonly DnsListSource[]) => Promise.all(lists.map(list => askList(dns, client, list)));
  const [firstOutcomes, secondOutcomes] = await Promise.all([ask(first), ask(second)]);
  const judged = judge(ip, first, firstOutcomes);
  if (judged.blocked) return judged.findings;
  return [...judged.findings, ...judge(ip, second, secondOutcomes).findings];
}

interface Judged {
  readonly findings: Finding<Rule>[];
  readonly blocked: boolean;
}

/**
 * The findings of one file's lists. Lists that weigh or only watch stand beside the decision: they never end it, their
 * failure does not soften it, and only an anti-list before them silences them.
 */
function judge(ip: string, lists: readonly DnsListSource[], outcomes: readonly ListOutcome[]): Judged {
  const findings: Finding<Rule>[] = [];
  let state: ListState<DnsListSource> = UNDECIDED;
  for (const [index, list] of lists.entries()) {
    const outcome = outcomes[index];
    if (outcome === undefined || state.decision.kind === 'accept') break;
    if (list.score !== null || list.observe) {
      findings.push(aside(ip, list, outcome));
    } else if (state.decision.kind === 'undecided') {
      const before = state;
      state = advance(before, list, outcome);
      if (outcome.kind === 'error') findings.push(failure(list, outcome.why, state));
      const decided = decisionFinding(ip, list, outcome, state);
      if (decided !== null) findings.push(decided);
    }
  }
  return { findings, blocked: state.decision.kind === 'block' };
}

/** What a list has to say whose hit refuses nobody. */
function aside(ip: string, list: DnsListSource, outcome: ListOutcome): Finding<Rule> {
  if (outcome.kind === 'error') return failure(list, outcome.why, UNDECIDED);
  const rule = list.observe ? 'RBL_OBSERVE' : 'RBL_SCORE';
  if (outcome.kind === 'unlisted') return unlisted(rule, list, outcome.detail);
  return {
    ...listed(rule, ip, list, outcome.codes, outcome.text),
    ...(list.score === null ? {} : { score: list.score }),
  };
}

/** The finding for a list that takes part in the decision; null when its failure has said it all. */
function decisionFinding(
  ip: string,
  list: DnsListSource,
  outcome: ListOutcome,
  { decision, mustNotBounce }: ListState<DnsListSource>,
): Finding<Rule> | null {
  if (outcome.kind === 'unlisted') {
    if (list.kind === 'allow') return unlisted('RBL_ALLOWED', list, outcome.detail);
    return unlisted(list.bounce ? 'RBL_REJECT' : 'RBL_DEFER', list, outcome.detail);
  }
  const codes = outcome.kind === 'listed' ? outcome.codes : [];
  if (decision.kind === 'accept' && !decision.failed) {
    const value = {
      value: ip,
      source: list.place,
      detail: `${list.zone} lets the client in${answered(codes)}`,
    };
    return { rule: 'RBL_ALLOWED', state: 'pass', ...value };
  }
  if (decision.kind !== 'block') return null;
  const rule = decision.code === 553 ? 'RBL_REJECT' : 'RBL_DEFER';
  const finding = listed(rule, ip, list, codes, decision.text);
  if (decision.failed) return { ...finding, detail: `${list.zone} could not be asked, and -c is in force` };
  if (list.bounce && mustNotBounce)
    return { ...finding, detail: `${finding.detail}; a list before it failed` };
  return finding;
}

function listed<R extends Rule>(
  rule: R,
  ip: string,
  list: DnsListSource,
  codes: readonly string[],
  text: string,
): Finding<R> {
  return { rule, state: 'hit', value: ip, detail: list.zone + answered(codes), source: list.place, text };
}

function unlisted<R extends Rule>(rule: R, list: DnsListSource, detail: string): Finding<R> {
  return { rule, state: 'pass', value: list.zone, detail, source: list.place };
}

function failure(list: DnsListSource, why: string, after: ListState<DnsListSource>): Finding<Rule> {
  const lets = after.decision.kind === 'accept' ? '; the client is let in, since -c is not in force' : '';
  return {
    rule: 'RBL_ERROR',
    state: 'error',
    value: list.zone,
    detail: `${list.zone}: ${why}${lets}`,
    source: list.place,
  };
}

function answered(codes: readonly string[]): string {
  return codes.length === 0 ? '' : ` (${codes.join(' ')})`;
}
