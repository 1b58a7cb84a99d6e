import type { SignatureFault } from '../model/authentication.ts';
import type { PublishedKey } from './key-record.ts';
import { publishedKey } from './key-record.ts';
import type { MessageLookups } from './lookups.ts';

/** The keys at one selector (there should be one), or why there is none. */
export type FoundKeys =
  | { readonly kind: 'keys'; readonly keys: readonly PublishedKey[] }
  | { readonly kind: 'trouble'; readonly fault: SignatureFault; readonly why: string };

/** Key records at one name that are looked at; RFC 6376 3.6.2.2 leaves it open what several mean. */
const MAX_RECORDS = 3;

/** Finds the public keys that the signatures of one message name; each selector is asked for once. */
export class KeyFinder {
  readonly #lookups: MessageLookups;
  readonly #shown: string[];
  readonly #asked = new Map<string, Promise<FoundKeys>>();

  /** Questions and answers go to `shown`. */
  constructor(lookups: MessageLookups, shown: string[]) {
    this.#lookups = lookups;
    this.#shown = shown;
  }

  /** The key of `selector` at `domain`, both in A-labels. Never rejects. */
  find(selector: string, domain: string): Promise<FoundKeys> {
    const name = `${selector}._domainkey.${domain}`;
    let found = this.#asked.get(name);
    if (found === undefined) this.#asked.set(name, (found = this.#find(name)));
    return found;
  }

  async #find(name: string): Promise<FoundKeys> {
    const answer = await this.#lookups.txt(name, this.#shown);
    if (answer.kind === 'none') return trouble('no key', `there is no key at ${name}`);
    if (answer.kind === 'error') {
      if (answer.error === 'BUDGET') return trouble('budget', 'the look-ups of this message are used up');
      return trouble('dns', `${name} cannot be looked up (${answer.error})`);
    }
    const keys: PublishedKey[] = [];
    let fault: FoundKeys | null = null;
    for (const record of answer.records.slice(0, MAX_RECORDS)) {
      const key = publishedKey(record);
      if ('key' in key) keys.push(key);
      else fault ??= trouble(key.fault === 'no p' ? 'bad key' : key.fault, `${name}: ${key.why}`);
    }
    if (keys.length > 0) return { kind: 'keys', keys };
    return fault ?? trouble('no key', `there is no key at ${name}`);
  }
}

function trouble(fault: SignatureFault, why: string): FoundKeys {
  return { kind: 'trouble', fault, why };
}
