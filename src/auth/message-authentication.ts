import { headerFields } from '../mail/header.ts';
import type { HeaderField, HeaderFields } from '../mail/header.ts';
import type {
  ArcOutcome,
  AuthorsOutcome,
  DkimOutcome,
  DomainKeysVerdict,
  MessageAuthentication,
  SignatureOutcome,
} from '../model/authentication.ts';
import type { AuthenticationQuestion } from '../model/authentication-question.ts';
import type { Dns } from '../model/dns.ts';
import { BodyDigests } from './body-digests.ts';
import { beginArc, NO_CHAIN } from './arc.ts';
import { beginSignature } from './dkim-verify.ts';
import { authorDomains, checkDmarcOfAuthors, MAX_AUTHORS } from './dmarc-authors.ts';
import { askPolicy } from './dmarc.ts';
import { malformedAuthor } from './domainkeys-address.ts';
import { dkverifyLetter, domainKeyStatus } from './domainkeys-status.ts';
import { verifyDomainKeys } from './domainkeys.ts';
import { KeyFinder } from './key-finder.ts';
import { LookupTime, MessageLookups } from './lookups.ts';
import { SignedHeader } from './signed-header.ts';

/**
 * Verifies what a message as it was received bears: signatures, policies, chains. Everything shares the body's hashes, which
 * are taken in one pass, and one budget of look-ups.
 */
export class MessageSignatures implements MessageAuthentication {
  readonly #question: AuthenticationQuestion;
  readonly #fields: HeaderFields;
  readonly #header: SignedHeader;
  readonly #digests: BodyDigests;
  readonly #lookups: MessageLookups;
  /** Of its own, so that signatures without end cannot use up what the policy needs. */
  readonly #policyLookups: MessageLookups;
  readonly #now: number;
  #dkim: Promise<DkimOutcome> | null = null;
  #domainKeys: Promise<DomainKeysVerdict> | null = null;
  #arc: Promise<ArcOutcome> | null = null;
  #dmarc: Promise<AuthorsOutcome> | null = null;

  /** `now`: milliseconds since the epoch. */
  constructor(question: AuthenticationQuestion, dns: Dns, now: number) {
    const { message, lookups, seconds } = question;
    this.#question = question;
    this.#fields = headerFields(message.header, question.headerFields);
    this.#header = new SignedHeader(this.#fields);
    this.#digests = new BodyDigests(message);
    const time = new LookupTime(seconds * 1000);
    this.#lookups = new MessageLookups(dns, lookups, time);
    this.#policyLookups = new MessageLookups(dns, lookups, time);
    this.#now = now / 1000;
  }

  dkim(): Promise<DkimOutcome> {
    return (this.#dkim ??= this.#verifyDkim());
  }

  domainKeys(): Promise<DomainKeysVerdict> {
    return (this.#domainKeys ??= this.#verifyDomainKeys());
  }

  arc(): Promise<ArcOutcome> {
    return (this.#arc ??= this.#verifyArc());
  }

  dmarc(): Promise<AuthorsOutcome> {
    return (this.#dmarc ??= this.#checkDmarc());
  }

  async #verifyDomainKeys(): Promise<DomainKeysVerdict> {
    const outcome = await verifyDomainKeys(this.#question.message, this.#fields, this.#lookups);
    const malformed = malformedAuthor(this.#fields);
    return {
      ...outcome,
      letter: dkverifyLetter(outcome, malformed),
      status: domainKeyStatus(outcome, malformed),
    };
  }

  async #verifyArc(): Promise<ArcOutcome> {
    const shown: string[] = [];
    const keys = new KeyFinder(this.#lookups, shown);
    const pending = beginArc(this.#header, this.#fields, this.#hashes, keys, this.#options);
    if (pending === null) return NO_CHAIN;
    await this.#digests.read();
    return pending.outcome(shown);
  }

  async #checkDmarc(): Promise<AuthorsOutcome> {
    const authors = authorDomains(this.#fields);
    // Before the signatures have a chance to use up the time: who signs with keys that nobody answers for gains nothing.
    for (const author of authors.slice(0, MAX_AUTHORS)) askPolicy(author, this.#policyLookups);
    const [spf, { signatures }] = await Promise.all([this.#question.spf(), this.dkim()]);
    const authenticated = {
      // What the site's own rules let pass says nothing about the domain.
      spf: { result: spf.byDomain || spf.result !== 'pass' ? spf.result : 'none', domain: spf.domain },
      dkim: signatures.map(({ result, domain }) => ({ result, domain })),
    };
    return { ...(await checkDmarcOfAuthors(authors, authenticated, this.#policyLookups)), authors };
  }

  async #verifyDkim(): Promise<DkimOutcome> {
    const all = this.#fields.fields.filter(field => field.name === 'dkim-signature');
    const looked = all.slice(0, this.#question.signatures);
    const shown: string[] = [];
    const signatures = await this.#signatures(looked, new KeyFinder(this.#lookups, shown));
    return { signatures, ignored: all.length - looked.length, lookups: shown };
  }

  async #signatures(fields: readonly HeaderField[], keys: KeyFinder): Promise<readonly SignatureOutcome[]> {
    const pending = fields.map(field =>
      beginSignature(field, this.#header, this.#hashes, keys, this.#options),
    );
    await this.#digests.read();
    return Promise.all(pending.map(one => one.outcome()));
  }

  get #options() {
    return { now: this.#now, minBits: this.#question.minBits };
  }

  /** Null when a part of the header is missing: it cannot be hashed then. */
  get #hashes(): BodyDigests | null {
    return this.#fields.cut || this.#question.message.headerCut ? null : this.#digests;
  }
}
