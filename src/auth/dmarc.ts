import type { DmarcOutcome, DmarcPolicy } from '../model/authentication.ts';
import type { DnsAnswer } from '../model/dns.ts';
import { asciiDomain } from './ascii-domain.ts';
import type { Authenticated, Judged, Organization } from './dmarc-alignment.ts';
import { judgeAlignment, passes } from './dmarc-alignment.ts';
import type { DmarcPolicies } from './dmarc-record.ts';
import type { Published, WalkQuestions } from './dmarc-walk.ts';
import { appliedRecord, askWalk, organizationalDomain, readOwn, readWalk } from './dmarc-walk.ts';
import { isAskable } from './lookup-text.ts';
import type { MessageLookups } from './lookups.ts';

export interface DmarcQuestion {
  /** The author domain: that of the address in From. */
  readonly from: string;
  /** SPF of the envelope sender; null: nobody asked. */
  readonly spf: Authenticated | null;
  /** The signatures; a `pass` is one that covers the whole body. */
  readonly dkim: readonly Authenticated[];
}

/** `t=y` asks for the policy one step below (RFC 9989 4.7). */
const MILDER: Readonly<Record<DmarcPolicy, DmarcPolicy>> = {
  none: 'none',
  quarantine: 'none',
  reject: 'quarantine',
};
const STRENGTH: Readonly<Record<DmarcPolicy, number>> = { none: 0, quarantine: 1, reject: 2 };
const MAX_SHOWN_DOMAIN = 253;
const ADDRESS_LITERAL = /^\[.*\]$/;
/** Letters, digits and hyphens; underscores do occur. */
const DOMAIN_NAME = /^[a-z0-9_-]+(?:\.[a-z0-9_-]+)*$/;

/**
 * Evaluates DMARC for one author domain by RFC 9989, with the records of RFC 7489 as they are in the wild. Domains are byte
 * strings in any case; a U-label in UTF-8 is asked for as its A-label. Never rejects.
 *
 * `none`: no record, or none that anything can be done with, or an address literal. `temperror`: the DNS fails where its answer is needed, or SPF or a
 * signature ended in a `temperror` of a domain that is aligned. `permerror`: `from` is no domain name.
 */
export async function checkDmarc(question: DmarcQuestion, lookups: MessageLookups): Promise<DmarcOutcome> {
  const shown: string[] = [];
  const outcome = await evaluate(question, lookups, shown);
  // A copy, each once: answers nobody waited for come later, and walks share names.
  return { ...outcome, lookups: [...new Set(shown)] };
}

/** Asks for the records of an author domain, whose answers `checkDmarc` reads; null for what is no domain name. */
export function askPolicy(from: string, lookups: MessageLookups): WalkQuestions | null {
  const author = asciiDomain(from);
  return DOMAIN_NAME.test(author) && isAskable(author) ? askWalk(author, lookups) : null;
}

async function evaluate(
  { from, spf, dkim }: DmarcQuestion,
  lookups: MessageLookups,
  shown: string[],
): Promise<Omit<DmarcOutcome, 'lookups'>> {
  const author = asciiDomain(from);
  const nothing = { domain: author, policy: null, disposition: 'none', source: null } as const;
  if (ADDRESS_LITERAL.test(author))
    return { ...nothing, result: 'none', detail: 'the author has an IP address' };
  const questions = askPolicy(from, lookups);
  if (questions === null)
    return { ...nothing, result: 'permerror', detail: 'the author domain is no domain name' };

  let walk = await readOwn(questions, shown);
  if (walk.error === null && walk.found.length === 0) walk = await readWalk(questions, shown);
  if (walk.error !== null)
    return { ...nothing, result: 'temperror', detail: `the DMARC record cannot be looked up: ${walk.error}` };
  const applied = appliedRecord(author, walk.found);
  if (applied === null)
    return { ...nothing, result: 'none', detail: `no DMARC record for ${shownDomain(author)}` };
  const source = `_dmarc.${applied.domain}`;
  const { record } = applied;
  if (record.policy === null) {
    const detail = `the record at ${source} has neither a valid policy nor a valid rua=`;
    return { ...nothing, result: 'none', source, detail };
  }

  let known: Promise<Organization> | null = null;
  const organization = (): Promise<Organization> => {
    known ??= readWalk(questions, shown).then(({ error, found }) =>
      error === null ? { domain: organizationalDomain(author, found) } : { error },
    );
    return known;
  };
  const { strictSpf, strictDkim } = record;
  const [policy, judged] = await Promise.all([
    policyFor(author, applied, record.policy, lookups, shown),
    judgeAlignment({ author, spf, dkim, strictSpf, strictDkim, organization }, lookups, shown),
  ]);
  const result = resultOf(judged, policy.error !== null);
  return {
    result,
    domain: author,
    policy: policy.policy,
    disposition: result !== 'fail' ? 'none' : record.testing ? MILDER[policy.policy] : policy.policy,
    source,
    detail: [
      ...(judged.length === 0 ? ['neither SPF nor DKIM'] : judged.map(one => alignmentText(one, author))),
      `${policy.tag}=${policy.policy} at ${source}${record.testing ? ', being tested' : ''}`,
      ...(policy.error === null ? [] : [`whether ${shownDomain(author)} exists is unknown: ${policy.error}`]),
    ].join('; '),
  };
}

function resultOf(judged: readonly Judged[], policyUnknown: boolean): 'pass' | 'fail' | 'temperror' {
  if (judged.some(passes)) return 'pass';
  const open = judged.some(
    ({ result, alignment }) => alignment === 'unknown' || (result === 'temperror' && alignment === 'aligned'),
  );
  return open || policyUnknown ? 'temperror' : 'fail';
}

interface PolicyFor {
  readonly policy: DmarcPolicy;
  readonly tag: 'p' | 'sp' | 'np';
  /** The policy hangs on whether the domain exists, and the DNS does not tell; it is the milder one. */
  readonly error: string | null;
}

/** `p=` of the domain's own record; of another one `sp=`, or `np=` when the domain does not exist (RFC 9989 4.10.1). */
async function policyFor(
  author: string,
  applied: Published,
  { p, sp, np }: DmarcPolicies,
  lookups: MessageLookups,
  shown: string[],
): Promise<PolicyFor> {
  if (applied.domain === author) return { policy: p, tag: 'p', error: null };
  const existing: PolicyFor = { policy: sp ?? p, tag: sp === null ? 'p' : 'sp', error: null };
  if (np === null || np === existing.policy) return existing;
  const missing: PolicyFor = { policy: np, tag: 'np', error: null };
  const exists = await existence(author, lookups, shown);
  if (typeof exists === 'boolean') return exists ? existing : missing;
  return { ...(STRENGTH[np] < STRENGTH[existing.policy] ? missing : existing), error: exists.error };
}

/**
 * Whether a name exists: NXDOMAIN says no, any other answer to any question yes (RFC 9989 A.4). Three are asked at once; the
 * later ones count where the ones before fail.
 */
async function existence(
  domain: string,
  lookups: MessageLookups,
  shown: string[],
): Promise<boolean | { readonly error: string }> {
  const ask = (question: (shown: string[]) => Promise<DnsAnswer<unknown>>) => {
    const asked: string[] = [];
    return { asked, answer: question(asked) };
  };
  const questions = [
    ask(asked => lookups.a(domain, asked)),
    ask(asked => lookups.aaaa(domain, asked)),
    ask(asked => lookups.mx(domain, asked)),
  ];
  let error = '';
  for (const { asked, answer } of questions) {
    const one = await answer;
    shown.push(...asked);
    if (one.kind !== 'error') return one.kind === 'found' || !one.nxdomain;
    error = one.error;
  }
  return { error };
}

function alignmentText({ by, result, domain, strict, alignment, error }: Judged, author: string): string {
  const name = `${by} ${by === 'dkim' ? 'd=' : ''}${shownDomain(domain)}`;
  if (result !== 'pass' && alignment !== 'unknown') return `${name} ${shownDomain(result)}`;
  if (alignment === 'unknown') return `${name} ${result}, alignment unknown: ${error}`;
  if (alignment === 'not aligned')
    return `${name} not aligned with ${shownDomain(author)}${strict ? ' (strict)' : ''}`;
  return `${name} aligned (${strict ? 'strict' : 'relaxed'})`;
}

function shownDomain(domain: string): string {
  return domain.slice(0, MAX_SHOWN_DOMAIN);
}
