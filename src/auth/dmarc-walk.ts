import type { DnsAnswer } from '../model/dns.ts';
import type { DmarcRecord } from './dmarc-record.ts';
import { dmarcRecord } from './dmarc-record.ts';
import type { MessageLookups } from './lookups.ts';

/** Names asked in one walk are the domain itself and at most the last seven labels, one less each (RFC 9989 4.10). */
const MAX_PARENT_LABELS = 7;

/** The questions of a walk, on their way. */
export interface WalkQuestions {
  readonly domain: string;
  readonly steps: readonly {
    readonly domain: string;
    readonly answer: Promise<DnsAnswer<string>>;
    /** The question and its answer, once it is there. */
    readonly shown: readonly string[];
  }[];
}

/** A record and the domain that published it, at `_dmarc.` of it. */
export interface Published {
  readonly domain: string;
  readonly record: DmarcRecord;
}

export interface Walk {
  /** The records, that of the longest name first. */
  readonly found: readonly Published[];
  /** Why the walk broke off; null: it came to its end. */
  readonly error: string | null;
}

/**
 * Asks for all records that a tree walk from `domain` can need (RFC 9989 4.10), at once, so that a resolver that hangs costs
 * one time-out and not eight. At most 8 questions.
 */
export function askWalk(domain: string, lookups: MessageLookups): WalkQuestions {
  const steps = walkedDomains(domain).map(step => {
    const shown: string[] = [];
    return { domain: step, answer: lookups.txt(`_dmarc.${step}`, shown), shown };
  });
  return { domain, steps };
}

/** The domains whose records a walk from `domain` looks at, in its order. */
export function walkedDomains(domain: string): readonly string[] {
  const labels = domain.split('.');
  const domains = [domain];
  for (let n = Math.min(labels.length - 1, MAX_PARENT_LABELS); n > 0; n--)
    domains.push(labels.slice(-n).join('.'));
  return domains;
}

/**
 * Reads the answers of a walk in their order, and waits for none behind the record that ends it (`psd=y`, `psd=n`) or the
 * first failure. What was read goes to `shown`.
 */
export async function readWalk({ steps }: WalkQuestions, shown: string[]): Promise<Walk> {
  const found: Published[] = [];
  for (const { domain, answer, shown: asked } of steps) {
    const records = await answer;
    shown.push(...asked);
    if (records.kind === 'error') return { found, error: records.error };
    const record = onlyRecord(records);
    if (record === null) continue;
    found.push({ domain, record });
    if (record.psd !== 'u') break;
  }
  return { found, error: null };
}

/** The first step of a walk alone: the domain's own record, if it has one. */
export async function readOwn({ domain, steps }: WalkQuestions, shown: string[]): Promise<Walk> {
  return readWalk({ domain, steps: steps.slice(0, 1) }, shown);
}

/** Several DMARC records at a name are none (RFC 9989 4.10 step 2). */
function onlyRecord(answer: DnsAnswer<string>): DmarcRecord | null {
  if (answer.kind !== 'found') return null;
  const records = answer.records.map(dmarcRecord).filter(record => record !== null);
  return records.length === 1 ? (records[0] ?? null) : null;
}

/** The organizational domain of `domain`, out of what a whole walk from it found (RFC 9989 4.10.2). */
export function organizationalDomain(domain: string, found: readonly Published[]): string {
  for (const { domain: publisher, record } of found) {
    if (record.psd === 'n') return publisher;
    if (record.psd === 'y' && publisher !== domain) return oneLabelBelow(publisher, domain);
  }
  return found.at(-1)?.domain ?? domain;
}

function oneLabelBelow(parent: string, domain: string): string {
  return domain
    .split('.')
    .slice(-parent.split('.').length - 1)
    .join('.');
}

/**
 * The record that applies to `domain`, out of what a whole walk from it found: its own, that of its organizational domain,
 * or that of the public suffix above (RFC 9989 4.10.1).
 */
export function appliedRecord(domain: string, found: readonly Published[]): Published | null {
  const organization = organizationalDomain(domain, found);
  return (
    found.find(one => one.domain === domain) ??
    found.find(one => one.domain === organization) ??
    found.find(one => one.record.psd === 'y') ??
    null
  );
}
