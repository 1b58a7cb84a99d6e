import { isIPv4, isIPv6 } from 'node:net';

/**
 * The name under which a DNS list is asked for `ip`, without the list's zone: `8.0.183.61` for 61.183.0.8, 32 nibbles
 * for IPv6 (RFC 5782 2.1, 2.4). An IPv4-mapped address is treated as IPv4. Null when `ip` is no address (zone ids are
 * none either).
 */
export function reverseName(ip: string): string | null {
  if (isIPv4(ip)) return ip.split('.').toReversed().join('.');
  const words = ipv6Words(ip);
  if (words === null) return null;
  const mapped = mappedIPv4(words);
  if (mapped !== null) return mapped.split('.').toReversed().join('.');
  return words
    .map(word => word.toString(16).padStart(4, '0'))
    .join('')
    .split('')
    .toReversed()
    .join('.');
}

/** The name whose PTR record is the host name of `ip` (RFC 1035 3.5, RFC 3596 2.5); null when `ip` is no address. */
export function reverseLookupName(ip: string): string | null {
  const reversed = reverseName(ip);
  if (reversed === null) return null;
  return reversed.length > '255.255.255.255'.length ? `${reversed}.ip6.arpa` : `${reversed}.in-addr.arpa`;
}

/** The eight 16-bit words of an IPv6 address in any of its text forms; null when `text` is none. */
export function ipv6Words(text: string): number[] | null {
  if (!isIPv6(text) || text.includes('%')) return null;
  const [head = '', tail] = text.split('::');
  const front = wordsOf(head);
  if (tail === undefined) return front;
  const back = wordsOf(tail);
  return [...front, ...Array<number>(8 - front.length - back.length).fill(0), ...back];
}

/** The dotted address of `::ffff:a.b.c.d`, or null. */
export function mappedIPv4(words: readonly number[]): string | null {
  const [a, b, c, d, e, marker, high = 0, low = 0] = words;
  if (a || b || c || d || e || marker !== 0xffff) return null;
  return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;
}

function wordsOf(part: string): number[] {
  if (part === '') return [];
  return part.split(':').flatMap(word => {
    if (!word.includes('.')) return [Number.parseInt(word, 16)];
    const [a = 0, b = 0, c = 0, d = 0] = word.split('.').map(Number);
    return [a * 256 + b, c * 256 + d];
  });
}
