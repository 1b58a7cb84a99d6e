import { asciiDomain, isSameOrBelow } from './ascii-domain.ts';
import { askWalk, organizationalDomain, readWalk } from './dmarc-walk.ts';
import type { MessageLookups } from './lookups.ts';

/** What SPF or a DKIM signature says, and of which domain: that of the sender, or `d=`. */
export interface Authenticated {
  /** The words of RFC 8601; `pass` counts, and `temperror` leaves the answer open. */
  readonly result: string;
  readonly domain: string;
}

/** One of those beside the author domain. */
export interface Judged {
  readonly by: 'spf' | 'dkim';
  readonly result: string;
  readonly domain: string;
  readonly strict: boolean;
  readonly alignment: 'aligned' | 'not aligned' | 'unknown';
  /** Why it is unknown. */
  readonly error: string | null;
}

/** The organizational domain of the author domain, or the DNS error that hides it. */
export type Organization = { readonly domain: string } | { readonly error: string };

export interface AlignmentQuestion {
  readonly author: string;
  readonly spf: Authenticated | null;
  readonly dkim: readonly Authenticated[];
  readonly strictSpf: boolean;
  readonly strictDkim: boolean;
  /** Asked for when relaxed alignment needs it. */
  readonly organization: () => Promise<Organization>;
}

/**
 * Whether what authenticated is aligned with the author domain (RFC 9989 4.10.2): SPF first, then the signatures in their
 * order. Waits for nothing more as soon as one that passes is aligned, and then leaves out what it does not know yet. Walks
 * for those that are neither the author's domain nor its organizational domain, but below that. What they ask goes to `shown`.
 */
export async function judgeAlignment(
  question: AlignmentQuestion,
  lookups: MessageLookups,
  shown: string[],
): Promise<readonly Judged[]> {
  const { author, spf, dkim, strictSpf, strictDkim } = question;
  const all = [
    ...(spf === null ? [] : [{ by: 'spf' as const, strict: strictSpf, ...spf }]),
    ...dkim.map(one => ({ by: 'dkim' as const, strict: strictDkim, ...one })),
  ].map(one => ({ ...one, domain: asciiDomain(one.domain) }));
  const open: Promise<Judged>[] = [];
  const judged: (Judged | undefined)[] = [];
  for (const [i, one] of all.entries()) {
    const matters = one.result === 'pass' || one.result === 'temperror';
    if (one.domain === author) judged[i] = { ...one, alignment: 'aligned', error: null };
    else if (!matters || one.strict || one.domain === '')
      judged[i] = { ...one, alignment: 'not aligned', error: null };
  }
  if (!judged.some(one => one !== undefined && passes(one))) {
    // Nothing that comes before the walks waits for the DNS, so that SPF's names are asked first.
    for (const [i, one] of all.entries()) {
      if (judged[i] !== undefined) continue;
      const walk = relaxed(one.domain, question, lookups, shown);
      open.push(walk.then(found => (judged[i] = { ...one, ...found })));
    }
    await untilOnePasses(open);
  }
  return judged.filter(one => one !== undefined);
}

export function passes(one: Judged): boolean {
  return one.result === 'pass' && one.alignment === 'aligned';
}

async function untilOnePasses(open: readonly Promise<Judged>[]): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  for (const one of open)
    void one.then(judged => {
      if (passes(judged)) resolve();
    });
  await Promise.race([promise, Promise.all(open)]);
}

async function relaxed(
  domain: string,
  { author, organization }: AlignmentQuestion,
  lookups: MessageLookups,
  shown: string[],
): Promise<Pick<Judged, 'alignment' | 'error'>> {
  const yes = { alignment: 'aligned', error: null } as const;
  const no = { alignment: 'not aligned', error: null } as const;
  // Domains without a common label have no parent in common either.
  if (domain.split('.').at(-1) !== author.split('.').at(-1)) return no;
  const own = await organization();
  if ('error' in own) return { alignment: 'unknown', error: own.error };
  if (domain === own.domain) return yes;
  // An organizational domain is the domain itself or a parent.
  if (!isSameOrBelow(domain, own.domain)) return no;
  const walk = await readWalk(askWalk(domain, lookups), shown);
  if (walk.error !== null) return { alignment: 'unknown', error: walk.error };
  return organizationalDomain(domain, walk.found) === own.domain ? yes : no;
}
