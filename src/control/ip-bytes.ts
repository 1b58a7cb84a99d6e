import { isIPv4, isIPv6 } from 'node:net';

/**
 * The bytes of an IP address in any text form: 4, or 16 for IPv6. IPv4-mapped addresses (`::ffff:1.2.3.4`) are IPv4,
 * and a zone (`%eth0`) is left out. Null for anything that is not an IP address.
 */
export function ipBytes(ip: string): number[] | null {
  if (isIPv4(ip)) return ip.split('.').map(Number);
  if (!isIPv6(ip)) return null;
  const groups = groupsOf(ip);
  const bytes = groups.flatMap(group => [group >> 8, group & 0xff]);
  const mapped = groups[5] === 0xffff && groups.slice(0, 5).every(group => group === 0);
  return mapped ? bytes.slice(12) : bytes;
}

/** Text of 4 or 16 bytes: dotted IPv4, or IPv6 in lower case with its longest row of zeroes left out (RFC 5952). */
export function ipText(bytes: readonly number[]): string {
  if (bytes.length === 4) return bytes.join('.');
  const groups: number[] = [];
  for (let i = 0; i < 16; i += 2) groups.push(((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0));
  const [start, length] = longestZeroes(groups);
  const hex = groups.map(group => group.toString(16));
  if (length < 2) return hex.join(':');
  return `${hex.slice(0, start).join(':')}::${hex.slice(start + length).join(':')}`;
}

/** The eight 16-bit groups of what isIPv6 accepts. */
function groupsOf(ip: string): number[] {
  const percent = ip.indexOf('%');
  const address = percent < 0 ? ip : ip.slice(0, percent);
  const gap = address.indexOf('::');
  if (gap < 0) return groupsIn(address);
  const left = groupsIn(address.slice(0, gap));
  const right = groupsIn(address.slice(gap + 2));
  return [...left, ...Array.from({ length: 8 - left.length - right.length }, () => 0), ...right];
}

function groupsIn(part: string): number[] {
  const groups: number[] = [];
  if (part === '') return groups;
  for (const group of part.split(':')) {
    if (group.includes('.')) {
      const [a = 0, b = 0, c = 0, d = 0] = group.split('.').map(Number);
      groups.push((a << 8) | b, (c << 8) | d);
    } else groups.push(Number.parseInt(group, 16));
  }
  return groups;
}

function longestZeroes(groups: readonly number[]): [start: number, length: number] {
  let best: [number, number] = [0, 0];
  let start = 0;
  for (const [i, group] of groups.entries()) {
    if (group !== 0) start = i + 1;
    else if (i + 1 - start > best[1]) best = [start, i + 1 - start];
  }
  return best;
}
