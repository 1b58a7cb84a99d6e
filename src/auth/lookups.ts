import type { Dns, DnsAnswer } from '../model/dns.ts';
import type { RecordOf } from './lookup-text.ts';
import { isAskable, shownAnswer } from './lookup-text.ts';

type Question = 'txt' | 'a' | 'aaaa' | 'mx';

/**
 * The time that a message may wait for the DNS, all questions together: it runs while an answer is waited for, however many
 * are, and not while the message is kept busy by something else.
 */
export class LookupTime {
  #left: number;
  #waiting = 0;
  #since = 0;
  readonly #now: () => number;

  /** `now`: a monotonic clock in milliseconds. */
  constructor(maxMs: number, now: () => number = () => performance.now()) {
    this.#left = maxMs;
    this.#now = now;
  }

  /** Somebody begins to wait; milliseconds that he has. `end` must follow. */
  begin(): number {
    if (this.#waiting++ === 0) this.#since = this.#now();
    return this.#left - (this.#now() - this.#since);
  }

  end(): void {
    if (--this.#waiting === 0) this.#left -= this.#now() - this.#since;
  }
}

/**
 * The DNS look-ups that the signatures and policies of one message may cost: so many different questions, and so long for
 * all of them together. What goes beyond is an `error` answer. The same question is asked and counted once, and its answer
 * stands when the time is over.
 */
export class MessageLookups {
  readonly #dns: Dns;
  readonly #asked = new Map<string, Promise<DnsAnswer<unknown>>>();
  #left: number;
  readonly #time: LookupTime;

  /** `time`: milliseconds, or a time that is shared with other look-ups. */
  constructor(dns: Dns, max: number, time: number | LookupTime) {
    this.#dns = dns;
    this.#left = max;
    this.#time = typeof time === 'number' ? new LookupTime(time) : time;
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

  #answer<Q extends Question>(type: Q, name: string): Promise<DnsAnswer<RecordOf<Q>>> {
    const key = `${type} ${name.toLowerCase()}`;
    const known = this.#asked.get(key);
    // A key holds answers of its type only.
    if (known !== undefined) return known as Promise<DnsAnswer<RecordOf<Q>>>;
    const answer = this.#look(type, name);
    this.#asked.set(key, answer);
    return answer;
  }

  async #look<Q extends Question>(type: Q, name: string): Promise<DnsAnswer<RecordOf<Q>>> {
    if (!isAskable(name)) return { kind: 'none', nxdomain: true };
    if (this.#left-- <= 0) return { kind: 'error', error: 'BUDGET' };
    const ms = this.#time.begin();
    try {
      if (ms <= 0) return { kind: 'error', error: 'TIMEOUT' };
      return await within(this.#dns[type](name) as Promise<DnsAnswer<RecordOf<Q>>>, ms);
    } finally {
      this.#time.end();
    }
  }
}

function within<T>(answer: Promise<DnsAnswer<T>>, ms: number): Promise<DnsAnswer<T>> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => resolve({ kind: 'error', error: 'TIMEOUT' }), ms);
    const settled = <V>(settle: (value: V) => void) => {
      return (value: V) => {
        clearTimeout(timer);
        settle(value);
      };
    };
    answer.then(settled(resolve), settled(reject));
  });
}
