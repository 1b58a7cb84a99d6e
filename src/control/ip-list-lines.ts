/** IPv4 addresses as unsigned 32-bit numbers, both ends included. */
export interface Ipv4Range {
  readonly first: number;
  readonly last: number;
}

/** Bits of the network; `host` says that bits beyond the prefix are set, so that the entry can never match. */
export interface Ipv6Network {
  readonly network: bigint;
  readonly prefix: number;
  readonly host: boolean;
}

const MAX_OCTETS = 4;
const V6_BITS = 128n;

/** The octets of a whole or partial dotted address, or null. Leading zeros are decimal, as both list programs read them. */
export function octets(text: string): number[] | null {
  const found: number[] = [];
  let value = -1;
  for (let i = 0; i <= text.length; i++) {
    const c = i < text.length ? text.charCodeAt(i) : 0x2e;
    if (c === 0x2e) {
      if (value < 0 || found.length === MAX_OCTETS) return null;
      found.push(value);
      value = -1;
    } else {
      if (c < 0x30 || c > 0x39) return null;
      value = Math.max(value, 0) * 10 + (c - 0x30);
      if (value > 255) return null;
    }
  }
  return found;
}

/** A whole dotted address as a number, or null. */
export function ipv4Number(text: string): number | null {
  const found = octets(text);
  return found?.length === MAX_OCTETS ? filled(found, 0) : null;
}

/** `found` completed to four octets with `rest`. */
export function filled(found: readonly number[], rest: number): number {
  let sum = 0;
  for (let i = 0; i < MAX_OCTETS; i++) sum = sum * 256 + (found[i] ?? rest);
  return sum;
}

/**
 * A range of prefixes as rbldnsd's ip4set has them: `1.2.3.4-1.2.3.9`, `127.16-127.31` (the end is filled with 255), or
 * `127.16-31`, where a lone number takes the place of the last octet given. Null when it is none.
 */
export function prefixRange(from: string, to: string): Ipv4Range | null {
  const begin = octets(from);
  let end = octets(to);
  if (begin === null || end === null) return null;
  if (end.length === 1) end = [...begin.slice(0, -1), ...end];
  const range = { first: filled(begin, 0), last: filled(end, 255) };
  return range.first <= range.last ? range : null;
}

/** The fewest CIDR blocks that make up a range, lowest first; at most 62. */
export function* blocks(range: Ipv4Range): Generator<{ readonly network: number; readonly prefix: number }> {
  let { first } = range;
  while (first <= range.last) {
    let size = 1;
    let prefix = 32;
    while (prefix > 0 && first % (size * 2) === 0 && first + size * 2 - 1 <= range.last) {
      size *= 2;
      prefix--;
    }
    yield { network: first, prefix };
    first += size;
  }
}

/**
 * An IPv6 network as rbldnsd's ip6trie has it: trailing words may be left out (`2001:db8/32`), and words without a prefix
 * length are a network of that many words (`2001:db8:1:2` is a /64). Null when it is none.
 */
export function ipv6Network(text: string): Ipv6Network | null {
  const [address = '', bits] = text.split('/');
  const words = ipv6Words(address);
  if (words === null) return null;
  if (bits !== undefined && (!/^[0-9]{1,3}$/.test(bits) || Number(bits) > 128)) return null;
  const prefix = bits === undefined ? words.given * 16 : Number(bits);
  const all = wordsNumber(words.words);
  const network = masked(all, prefix);
  return { network, prefix, host: network !== all };
}

/** A whole IPv6 address as a number, or null. */
export function ipv6Number(text: string): bigint | null {
  const words = ipv6Words(text);
  return words?.given === 8 ? wordsNumber(words.words) : null;
}

/** `address` with everything beyond `prefix` bits cleared. */
export function masked(address: bigint, prefix: number): bigint {
  const host = V6_BITS - BigInt(prefix);
  return (address >> host) << host;
}

function ipv6Words(text: string): { readonly words: readonly number[]; readonly given: number } | null {
  const [head = '', tail, ...more] = text.split('::');
  const front = hexWords(head);
  if (front === null || more.length > 0) return null;
  if (tail === undefined) {
    if (front.length === 0 || front.length > 8) return null;
    return { words: [...front, ...Array<number>(8 - front.length).fill(0)], given: front.length };
  }
  const back = hexWords(tail);
  if (back === null || front.length + back.length > 7) return null;
  return { words: [...front, ...Array<number>(8 - front.length - back.length).fill(0), ...back], given: 8 };
}

function hexWords(part: string): number[] | null {
  if (part === '') return [];
  const words = part.split(':');
  return words.every(word => /^[0-9a-f]{1,4}$/i.test(word))
    ? words.map(word => Number.parseInt(word, 16))
    : null;
}

function wordsNumber(words: readonly number[]): bigint {
  return words.reduce((sum, word) => (sum << 16n) | BigInt(word), 0n);
}
