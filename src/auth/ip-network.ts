import { isIPv4, SocketAddress } from 'node:net';
import { ipv6Words, mappedIPv4 } from '../dns/reverse.ts';

/** An address as its 4 or 16 bytes. */
export type AddressBytes = readonly number[];

/**
 * The bytes of a client's address; an IPv4-mapped one is IPv4 (RFC 7208 5). Null when `text` is no address.
 */
export function clientBytes(text: string): AddressBytes | null {
  const words = isIPv4(text) ? null : ipv6Words(text);
  return addressBytes((words === null ? null : mappedIPv4(words)) ?? text);
}

/** The bytes of an address, 4 or 16 as it is written; null when `text` is none. */
export function addressBytes(text: string): AddressBytes | null {
  if (isIPv4(text)) return text.split('.').map(Number);
  return ipv6Words(text)?.flatMap(word => [word >> 8, word & 255]) ?? null;
}

/** True when both are of one family and agree in the first `prefix` bits. */
export function sameNetwork(a: AddressBytes, b: AddressBytes, prefix: number): boolean {
  if (a.length !== b.length) return false;
  const whole = prefix >> 3;
  for (let i = 0; i < whole; i++) if (a[i] !== b[i]) return false;
  const rest = prefix & 7;
  return rest === 0 || ((a[whole] ?? 0) ^ (b[whole] ?? 0)) >> (8 - rest) === 0;
}

/** As `%{i}` shows it (RFC 7208 7.3): dotted bytes, or dotted nibbles for IPv6. */
export function dottedAddress(bytes: AddressBytes): string {
  if (bytes.length === 4) return bytes.join('.');
  return bytes
    .flatMap(byte => [byte >> 4, byte & 15])
    .map(nibble => nibble.toString(16).toUpperCase())
    .join('.');
}

/** As `%{c}` shows it: dotted, or compressed lower-case IPv6. */
export function readableAddress(bytes: AddressBytes): string {
  if (bytes.length === 4) return bytes.join('.');
  const words = Array.from({ length: 8 }, (_, i) =>
    ((bytes[2 * i] ?? 0) * 256 + (bytes[2 * i + 1] ?? 0)).toString(16),
  );
  return new SocketAddress({ address: words.join(':'), family: 'ipv6' }).address;
}
