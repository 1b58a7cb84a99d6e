import { isIPv4, isIPv6 } from 'node:net';
import { ipBytes, ipText } from './ip-bytes.ts';

/**
 * The address part of a tcp.smtp line as a key for look-ups. Plain keys are compared as bytes, as tcprules does. CIDR
 * keys are `_` (IPv4) or `^` (IPv6) and the bits of the network as 0s and 1s, as ucspi-tcp6 0.99a stores them.
 */
export interface TcpKey {
  readonly key: string;
  readonly kind: 'plain' | 'cidr';
  /** The key as it is shown: `10.0.0.0/8` for a CIDR key. */
  readonly name: string;
  /** Why no client ever matches it, or what is odd about it; null when all is well. */
  readonly oddity: string | null;
}

/**
 * Reads the address part of a rule, from text or from a cdb (tcprules.md 2.1 and 7). IPv6 addresses may be written in
 * any form; IPv4-mapped ones become IPv4. Never throws.
 */
export function tcpKey(address: string): TcpKey {
  if (address === '') return plain('', null);
  if (address.startsWith(' ') || address.startsWith('\t')) {
    return plain(
      address,
      'the line begins with a blank, which is part of the address, so that it never matches',
    );
  }
  const at = address.lastIndexOf('@');
  const info = address.slice(0, at + 1);
  const place = address.slice(at + 1);
  if (place.startsWith('=')) return plain(address, hostOddity(place, at >= 0));
  const ipv6 = place.includes(':') ? ipBytes(place) : null;
  if (ipv6 !== null) return plain(info + ipText(ipv6), null);
  if (at >= 0) {
    return plain(
      address,
      isIPv4(place) ? null : `${shown(address)} never matches: after user@ stands a whole IP or =HOST`,
    );
  }
  return networkKey(address);
}

/** True for IPv6 addresses, their networks and their text prefixes, with or without `user@` in front. */
export function isIPv6Key(address: string): boolean {
  const at = address.lastIndexOf('@');
  const place = address.slice(at + 1);
  if (isIPv6(place)) return true;
  if (at >= 0 || !place.includes(':')) return false;
  return cidr(place) !== null || isPrefix6(place);
}

/** A client's IP as it is looked up: IPv4-mapped addresses as IPv4, other IPv6 compressed in lower case (RFC 5952). */
export function clientKey(ip: string): string {
  const bytes = ip.includes(':') ? ipBytes(ip) : null;
  return bytes === null ? ip : ipText(bytes);
}

/** All bits of an IP, in the form of CIDR keys: `_` and 32, or `^` and 128. Null for anything else. */
export function ipBits(ip: string): string | null {
  const bytes = ipBytes(ip);
  return bytes === null ? null : bitsOf(bytes);
}

const PREFIX4 = /^(?:[0-9]{1,3}\.){1,3}$/;
const COMPILED_CIDR = /^(?:_[01]{0,32}|\^[01]{0,128})$/;

function networkKey(address: string): TcpKey {
  if (isIPv4(address)) return plain(address, null);
  if (PREFIX4.test(address)) return plain(address, null);
  if (COMPILED_CIDR.test(address))
    return { key: address, kind: 'cidr', name: networkText(address), oddity: null };
  const network = cidr(address);
  if (network !== null) {
    const { key, strayBits } = network;
    const name = strayBits || address.includes(':') ? networkText(key) : address;
    const oddity = strayBits
      ? `${shown(address)} is read as ${name}: it has bits beyond its prefix length`
      : null;
    return { key, kind: 'cidr', name, oddity };
  }
  if (isPrefix6(address)) return plain(address.toLowerCase().replace(/\b0+(?=[0-9a-f])/g, ''), null);
  return plain(address, neverMatches(address));
}

function cidr(address: string): { key: string; strayBits: boolean } | null {
  const slash = address.indexOf('/');
  const length = address.slice(slash + 1);
  if (slash < 0 || !/^[0-9]{1,3}$/.test(length)) return null;
  const ip = address.slice(0, slash);
  const bytes = ipBytes(ip);
  if (bytes === null) return null;
  const mapped = bytes.length === 4 && ip.includes(':');
  const kept = Number(length) - (mapped ? 96 : 0);
  if (kept < 0 || kept > bytes.length * 8) return null;
  const bits = bitsOf(bytes);
  return { key: bits.slice(0, kept + 1), strayBits: bits.includes('1', kept + 1) };
}

const BITS = Array.from({ length: 256 }, (_, byte) => byte.toString(2).padStart(8, '0'));

function bitsOf(bytes: readonly number[]): string {
  let bits = bytes.length === 4 ? '_' : '^';
  for (const byte of bytes) bits += BITS[byte];
  return bits;
}

function networkText(key: string): string {
  const bits = key.slice(1);
  const full = bits.padEnd(key.startsWith('_') ? 32 : 128, '0');
  const bytes = Array.from({ length: full.length / 8 }, (_, i) =>
    Number.parseInt(full.slice(i * 8, i * 8 + 8), 2),
  );
  return `${ipText(bytes)}/${bits.length}`;
}

/** `2001:db8:` as the IPv6 patch for ucspi-tcp reads it: every address whose text begins so. */
function isPrefix6(address: string): boolean {
  return (
    /^(?:[0-9a-f]{1,4}:){1,7}$/i.test(address) ||
    /^(?:[0-9a-f]{1,4}:){0,6}:(?:[0-9a-f]{1,4}:)+$/i.test(address)
  );
}

function hostOddity(place: string, withInfo: boolean): string | null {
  if (/[A-Z]/.test(place)) {
    return `${shown(place)} has capital letters: names are compared byte for byte with what DNS answers`;
  }
  if (withInfo && (place === '=' || place.startsWith('=.'))) {
    return `user@${place} never matches: after user@= stands a whole host name`;
  }
  return null;
}

function neverMatches(address: string): string {
  const never = `${shown(address)} never matches`;
  if (PREFIX4.test(`${address}.`)) return `${never}: a network needs a final dot, ${address}.`;
  if (address.includes('/')) return `${never}: wanted a network such as 10.0.0.0/8 or 2001:db8::/32`;
  if (address.includes('-')) return `${never}: only the first range of an address is expanded`;
  if (/^[A-Za-z]/.test(address)) return `${never}: a host name is written with = in front, =${address}`;
  return `${never}: wanted an IP, a network with a final dot, =HOST, =.DOMAIN or nothing`;
}

function plain(key: string, oddity: string | null): TcpKey {
  return { key, kind: 'plain', name: key, oddity };
}

function shown(text: string): string {
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
