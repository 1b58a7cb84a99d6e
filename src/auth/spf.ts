import type { Dns } from '../model/dns.ts';
import type { SpfOutcome, SpfQuestion, SpfResult } from '../model/spf.ts';
import { asciiDomain } from './ascii-domain.ts';
import { clientBytes, readableAddress } from './ip-network.ts';
import { receivedSpf } from './received-spf.ts';
import { isCheckable, SpfEvaluation } from './spf-evaluate.ts';
import type { SpfClient, SpfDecision } from './spf-evaluate.ts';
import { CLASSIC_EXPLANATION, classicExplanation, printableExplanation } from './spf-explanation.ts';
import { SpfLookups, SpfTrouble } from './spf-lookups.ts';
import { localTerms, parseRecord } from './spf-record.ts';

export interface SpfOptions {
  /** Milliseconds since the epoch, for `%{t}`. */
  readonly now?: () => number;
  /** Limit on the whole evaluation in milliseconds; 20 s by default (RFC 7208 4.6.4). */
  readonly maxMs?: number;
}

/** What an evaluation came to, before it is put into words. */
interface Judgement {
  readonly result: SpfResult;
  /** Whose record decided; null: local policy. */
  readonly source: string | null;
  readonly term: string | null;
  readonly trouble: SpfTrouble | null;
  /** See SpfOutcome. */
  readonly guessFailed: boolean;
  readonly detail: string;
  /** The domain's own explanation. */
  readonly explanation: string | null;
}

/**
 * SPF of a client by RFC 7208, put into words as qmail-spf rc5 did. Sender domain, or HELO name for the null sender and
 * for senders without a domain. Asks `dns` at most for 10 terms, bears two answers without records, and ends within 20 s.
 * Without a promise where nobody has to be asked. Never rejects and never throws.
 */
export function checkSpf(
  question: SpfQuestion,
  dns: Dns,
  options: SpfOptions = {},
): SpfOutcome | Promise<SpfOutcome> {
  const now = options.now ?? Date.now;
  const { sender, helo } = question;
  const identity = identityOf(sender) === 'mailfrom' ? sender : helo.slice(helo.lastIndexOf('@') + 1);
  const split = identity.lastIndexOf('@');
  const domain = asciiDomain(identity.slice(split + 1));
  const bytes = clientBytes(question.ip);
  const client: SpfClient = {
    ip: bytes === null ? question.ip : readableAddress(bytes),
    bytes: bytes ?? [],
    helo,
    local: split > 0 ? identity.slice(0, split) : 'postmaster',
    domain,
    receiver: question.receiver,
    now: Math.floor(now() / 1000),
  };
  if (question.ownAddress || isLoopback(question.ip))
    return outcome(question, client, decided('pass', null, null, 'an address of this host'), []);
  if (bytes === null) {
    const trouble = new SpfTrouble('address', `${question.ip} is no address`, domain);
    return outcome(question, client, troubled(trouble, domain), []);
  }
  if (!isCheckable(domain)) {
    const why = domain === '' ? 'neither a sender nor a HELO name' : `${domain} cannot have a record`;
    return outcome(question, client, decided('none', domain, null, why), []);
  }
  return evaluate(question, client, new SpfLookups(dns, options.maxMs));
}

async function evaluate(question: SpfQuestion, client: SpfClient, lookups: SpfLookups): Promise<SpfOutcome> {
  try {
    const judgement = await judge(question, client, lookups);
    return outcome(question, client, judgement, lookups.shown);
  } catch (error) {
    const trouble =
      error instanceof SpfTrouble
        ? error
        : // Nothing of this kind is known; if it happens, nobody has found anything out.
          new SpfTrouble('dns', `evaluation failed: ${String(error)}`, client.domain);
    return outcome(question, client, troubled(trouble, client.domain), lookups.shown);
  } finally {
    lookups.close();
  }
}

async function judge(question: SpfQuestion, client: SpfClient, lookups: SpfLookups): Promise<Judgement> {
  const { domain } = client;
  const evaluation = new SpfEvaluation(client, lookups);
  const rules = usable(question.rules);
  const guess = usable(question.guess);
  const decision = await evaluation.check(domain, rules.terms);
  if (decision !== null) {
    const own = decision.result === 'fail' && decision.term?.local !== true;
    const explanation = own ? await ownExplanation(evaluation, decision) : null;
    return { ...worded(decision, rules.note), explanation };
  }
  if (guess.terms === '') return decided('none', domain, null, `${domain} has no record${guess.note}`);
  try {
    const guessed = await evaluation.checkLocal(domain, `${guess.terms} ${rules.terms}`);
    return worded({ ...guessed, term: guessed.term && { ...guessed.term, local: true } }, rules.note, true);
  } catch (error) {
    // A guess that could not be made is no reason to turn anybody away (rc5).
    if (!(error instanceof SpfTrouble)) throw error;
    const why = `${domain} has no record; spfguess: ${error.message}`;
    return { ...decided('none', domain, null, why), guessFailed: error.result === 'temperror' };
  }
}

/** Terms of a setting; with an error in them they are not used, and the record says so. */
function usable(terms: string): { readonly terms: string; readonly note: string } {
  const record = parseRecord(localTerms(terms));
  if (!('fault' in record)) return { terms, note: '' };
  return { terms: '', note: `; spfrules or spfguess not used, error at ${record.term}` };
}

/** RFC 7208 6.2: whatever goes wrong with it, there is none. */
async function ownExplanation(evaluation: SpfEvaluation, decision: SpfDecision): Promise<string | null> {
  try {
    return await evaluation.explanation(decision);
  } catch (error) {
    if (error instanceof SpfTrouble) return null;
    throw error;
  }
}

function worded({ result, domain, term }: SpfDecision, note: string, guessed = false): Judgement {
  const local = guessed || term?.local === true;
  const what = term === null ? 'no term matches' : term.text;
  const whose = local ? (guessed ? 'spfguess' : 'spfrules') : `record of ${domain}`;
  return decided(result, local ? null : domain, term?.text ?? null, `${what} (${whose})${note}`);
}

function decided(result: SpfResult, source: string | null, term: string | null, detail: string): Judgement {
  return { result, source, term, trouble: null, guessFailed: false, detail, explanation: null };
}

function troubled(trouble: SpfTrouble, domain: string): Judgement {
  const whose = trouble.domain || domain;
  const what =
    trouble.kind === 'syntax' || trouble.kind === 'mechanism'
      ? `${trouble.kind === 'syntax' ? 'syntax error' : 'unknown mechanism'} at ${trouble.message} (record of ${whose})`
      : trouble.message;
  const { result } = trouble;
  return { result, source: whose, term: null, trouble, guessFailed: false, detail: what, explanation: null };
}

function outcome(
  question: SpfQuestion,
  client: SpfClient,
  { result, source, term, trouble, guessFailed, detail, explanation }: Judgement,
  lookups: readonly string[],
): SpfOutcome {
  const { domain } = client;
  const header = receivedSpf(
    {
      result,
      identity: identityOf(question.sender),
      domain,
      source,
      term,
      trouble: trouble && { kind: trouble.kind, problem: trouble.message },
    },
    { ...question, ip: client.ip },
  );
  const classic = () =>
    classicExplanation(question.explanation || CLASSIC_EXPLANATION, client, domain, {
      source: source === null ? 'local policy' : `SPF record at ${source}`,
      error: trouble?.kind === 'mechanism' ? trouble.message : '',
    });
  const text = result === 'pass' ? '' : printableExplanation(explanation ?? classic());
  return {
    result,
    domain,
    byDomain: source !== null,
    guessFailed,
    detail,
    lookups,
    explanation: text,
    header,
  };
}

/** The sender, unless it is null or has no domain. */
function identityOf(sender: string): 'helo' | 'mailfrom' {
  const at = sender.lastIndexOf('@');
  return at >= 0 && at < sender.length - 1 ? 'mailfrom' : 'helo';
}

function isLoopback(ip: string): boolean {
  return ip.startsWith('127.') || ip === '::1';
}
