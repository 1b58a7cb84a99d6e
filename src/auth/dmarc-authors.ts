import { fieldValue } from '../mail/header.ts';
import type { HeaderFields } from '../mail/header.ts';
import { mailboxes } from '../mail/mailboxes.ts';
import { lowerAscii } from '../model/address.ts';
import type { DmarcOutcome } from '../model/authentication.ts';
import { asciiDomain } from './ascii-domain.ts';
import { checkDmarc } from './dmarc.ts';
import type { DmarcQuestion } from './dmarc.ts';
import type { MessageLookups } from './lookups.ts';

/** Author domains that are looked at; nobody writes a message in the name of more. */
export const MAX_AUTHORS = 4;

/** Bytes of a From field; reading them costs some 20 ms. */
const MAX_FROM = 16 * 1024;
const UNSEEN = '?';

/**
 * The author domains of a message: those of all addresses of all its From fields, each once, in their order, lower case and
 * as A-labels. One that cannot be written so stays as it stands. Where readers disagree about the address, all that they see
 * count, so that more than one may come out of what is meant as one (RFC 9989 11.5). Of a header that is cut, those of the
 * fields that are there.
 */
export function authorDomains(header: HeaderFields): readonly string[] {
  const domains = new Set<string>();
  for (const field of header.fields) {
    if (field.name !== 'from') continue;
    const length = field.end - field.valueStart;
    // What is not looked at could be the address that somebody sees: it counts as one more, of no domain.
    if (length > MAX_FROM) domains.add(UNSEEN);
    for (const mailbox of mailboxes(fieldValue(header, field, Math.min(length, MAX_FROM)), Infinity)) {
      const domain = mailbox.slice(mailbox.lastIndexOf('@') + 1);
      domains.add(asciiDomain(domain) || lowerAscii(domain));
    }
  }
  return [...domains];
}

/**
 * Evaluates DMARC for each of several author domains, as RFC 9989 5.3.1 leaves to the receiver, and gives the outcome that is
 * worst for the message: a domain that passes cannot cover one that does not. `none` without an author domain; `permerror`,
 * and no look-up, for more than 4.
 */
export async function checkDmarcOfAuthors(
  authors: readonly string[],
  authenticated: Omit<DmarcQuestion, 'from'>,
  lookups: MessageLookups,
): Promise<DmarcOutcome> {
  const nothing = { domain: '', policy: null, disposition: 'none', source: null, lookups: [] } as const;
  if (authors.length > MAX_AUTHORS)
    return { ...nothing, result: 'permerror', detail: `${authors.length} author domains` };
  const outcomes = await Promise.all(authors.map(from => checkDmarc({ ...authenticated, from }, lookups)));
  const worst = outcomes.toSorted((a, b) => badness(b) - badness(a))[0];
  if (worst === undefined) return { ...nothing, result: 'none', detail: 'no author domain' };
  if (outcomes.length === 1) return worst;
  return {
    ...worst,
    detail: `${authors.length} author domains, worst of all ${worst.domain}: ${worst.detail}`,
    lookups: [...new Set(outcomes.flatMap(outcome => outcome.lookups))],
  };
}

/** What could not be found out is worse than a failure that the domain's owner does not mind. */
function badness({ result, disposition }: DmarcOutcome): number {
  if (result === 'fail') return disposition === 'reject' ? 6 : disposition === 'quarantine' ? 5 : 2;
  return { pass: 0, none: 1, permerror: 3, temperror: 4 }[result];
}
