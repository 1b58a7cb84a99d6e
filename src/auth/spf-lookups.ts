import type { Dns, DnsAnswer } from '../model/dns.ts';
import type { RecordOf } from './lookup-text.ts';
import { isAskable, shownAnswer } from './lookup-text.ts';

/** Kinds of trouble, as the Received-SPF field tells them apart. */
export type SpfTroubleKind =
  | 'dns'
  | 'no record'
  | 'syntax'
  | 'mechanism'
  | 'many records'
  | 'limit'
  | 'address';

/** Ends an evaluation with `temperror` or `permerror` (RFC 7208 2.6.6, 2.6.7). */
export class SpfTrouble extends Error {
  readonly result: 'temperror' | 'permerror';
  readonly kind: SpfTroubleKind;
  /** Whose record it is about. */
  readonly domain: string;

  constructor(kind: SpfTroubleKind, problem: string, domain: string) {
    super(problem);
    this.kind = kind;
    this.result = kind === 'dns' ? 'temperror' : 'permerror';
    this.domain = domain;
  }
}

/** RFC 7208 4.6.4: terms that ask the DNS, answers without a record, and the time for all of it (at least 20 s). */
const MAX_TERMS = 10;
const MAX_VOID = 2;
const MAX_MS = 20_000;
const MAX_SHOWN_LOOKUPS = 40;

type Question = 'a' | 'aaaa' | 'txt' | 'mx' | 'ptr';

/** What one evaluation may still ask. */
export interface LookupBudget {
  terms: number;
  voids: number;
}

/** A full budget. */
export function lookupBudget(): LookupBudget {
  return { terms: MAX_TERMS, voids: MAX_VOID };
}

/** The look-ups of one evaluation: its budget, its deadline, and what was asked. `close` when it is over. */
export class SpfLookups {
  /** Swapped while terms of the site's own are evaluated: what they cost is not the domain's affair. */
  budget: LookupBudget = lookupBudget();
  readonly #dns: Dns;
  readonly #shown: string[] = [];
  readonly #late = Promise.withResolvers<never>();
  readonly #timer: NodeJS.Timeout;

  constructor(dns: Dns, maxMs = MAX_MS) {
    this.#dns = dns;
    const seconds = maxMs / 1000;
    this.#timer = setTimeout(
      () => this.#late.reject(new SpfTrouble('dns', `no result within ${seconds} s`, '')),
      maxMs,
    );
    // Nobody may be waiting at that moment.
    this.#late.promise.catch(() => undefined);
  }

  /** The questions and answers so far, one text each. */
  get shown(): readonly string[] {
    return this.#shown;
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  /** A term that asks the DNS is about to be evaluated. */
  spendTerm(domain: string): void {
    if (--this.budget.terms < 0)
      throw new SpfTrouble('limit', `more than ${MAX_TERMS} terms that ask the DNS`, domain);
  }

  /** A term got no records. */
  spendVoid(domain: string): void {
    if (--this.budget.voids < 0)
      throw new SpfTrouble('limit', `more than ${MAX_VOID} look-ups without a record`, domain);
  }

  a(name: string) {
    return this.#ask('a', name, asIs);
  }

  aaaa(name: string) {
    return this.#ask('aaaa', name, asIs);
  }

  /** The strings of each record put together (RFC 7208 3.3). */
  async txt(name: string): Promise<DnsAnswer<string>> {
    const answer = await this.#ask('txt', name, strings => JSON.stringify(strings.join('')));
    if (answer.kind !== 'found') return answer;
    return { kind: 'found', records: answer.records.map(strings => strings.join('')) };
  }

  mx(name: string) {
    return this.#ask('mx', name, mx => mx.host);
  }

  ptr(ip: string) {
    return this.#ask('ptr', ip, asIs);
  }

  async #ask<Q extends Question>(
    type: Q,
    name: string,
    show: (record: RecordOf<Q>) => string,
  ): Promise<DnsAnswer<RecordOf<Q>>> {
    // A name that no server could be asked for has no records (RFC 7208 4.8 leaves it at "no match").
    const answer: DnsAnswer<RecordOf<Q>> =
      type === 'ptr' || isAskable(name)
        ? await Promise.race([this.#dns[type](name) as Promise<DnsAnswer<RecordOf<Q>>>, this.#late.promise])
        : { kind: 'none', nxdomain: true };
    if (this.#shown.length < MAX_SHOWN_LOOKUPS)
      this.#shown.push(`${type.toUpperCase()} ${name.slice(0, 255)}: ${shownAnswer(answer, show)}`);
    return answer;
  }
}

function asIs(record: string): string {
  return record;
}
