import type { Dns, DnsAnswer } from '../model/dns.ts';
import type { RecordOf } from './lookup-text.ts';
import { isAskable, shownAnswer } from './lookup-text.ts';

type Question = 'txt' | 'a' | 'aaaa' | 'mx';

/**
 * The DNS look-ups that the signatures and policies of one message may cost: so many different questions, and so long for
 * all of them together. What goes beyond is an `error` answer. The same question is counted once.
 */
export class MessageLookups {
  readonly #dns: Dns;
  readonly #asked = new Set<string>();
  #left: number;
  readonly #deadline: number;
  readonly #now: () => number;

  /** `maxMs` counts from the first question. `now`: a monotonic clock in milliseconds. */
  constructor(dns: Dns, max: number, maxMs: number, now: () => number = () => performance.now()) {
    this.#dns = dns;
    this.#left = max;
    this.#now = now;
    this.#deadline = now() + maxMs;
  }

  /** The records at `name`, the strings of each joined. The question and its answer go to `shown`. */
  async txt(name: string, shown: string[]): Promise<DnsAnswer<string>> {
    const answer = await this.#ask('txt', name, shown, strings => JSON.stringify(strings.join('')));
    if (answer.kind !== 'found') return answer;
    return { kind: 'found', records: answer.records.map(strings => strings.join('')) };
  }

  a(name: string, shown: string[]): Promise<DnsAnswer<string>> {
    return this.#ask('a', name, shown, record => record);
  }

  aaaa(name: string, shown: string[]): Promise<DnsAnswer<string>> {
    return this.#ask('aaaa', name, shown, record => record);
  }

  mx(name: string, shown: string[]) {
    return this.#ask('mx', name, shown, record => record.host);
  }

  async #ask<Q extends Question>(
    type: Q,
    name: string,
    shown: string[],
    show: (record: RecordOf<Q>) => string,
  ): Promise<DnsAnswer<RecordOf<Q>>> {
    const answer = await this.#answer(type, name);
    shown.push(`${type.toUpperCase()} ${name.slice(0, 255)}: ${shownAnswer(answer, show)}`);
    return answer;
  }

  async #answer<Q extends Question>(type: Q, name: string): Promise<DnsAnswer<RecordOf<Q>>> {
    if (!isAskable(name)) return { kind: 'none', nxdomain: true };
    const key = `${type} ${name.toLowerCase()}`;
    if (!this.#asked.has(key)) {
      if (this.#left <= 0) return { kind: 'error', error: 'BUDGET' };
      this.#left--;
      this.#asked.add(key);
    }
    const ms = this.#deadline - this.#now();
    if (ms <= 0) return { kind: 'error', error: 'TIMEOUT' };
    const { promise: late, resolve } = Promise.withResolvers<DnsAnswer<RecordOf<Q>>>();
    const timer = setTimeout(() => resolve({ kind: 'error', error: 'TIMEOUT' }), ms);
    try {
      return await Promise.race([this.#dns[type](name) as Promise<DnsAnswer<RecordOf<Q>>>, late]);
    } finally {
      clearTimeout(timer);
    }
  }
}
