import { isIP } from 'node:net';
import { parseScannerAddress } from '../model/scanner-address.ts';

/** An IP address and a port. */
export interface SocketAddress {
  readonly host: string;
  readonly port: number;
}

/** Reads `IP:PORT` or `[IPv6]:PORT`; null for anything else. Port 0 asks for any free one. */
export function socketAddress(entry: string): SocketAddress | null {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([0-9.]+)):([0-9]{1,5})$/.exec(entry);
  const host = match?.[1] ?? match?.[2] ?? '';
  const port = Number(match?.[3] ?? Number.NaN);
  return isIP(host) === (match?.[1] === undefined ? 4 : 6) && port <= 65_535 ? { host, port } : null;
}

/** An entry of `listen` that asks for no address. */
export const NOWHERE = 'none';

/** What is wrong with an entry of `listen`; null when nothing is. */
export function listenFault(entry: string): string | null {
  if (entry === NOWHERE) return null;
  return socketAddress(entry) === null ? `"${entry}" is not IP:PORT, [IPv6]:PORT or ${NOWHERE}` : null;
}

/** What is wrong with an entry of `dnsservers`; null when nothing is. */
export function dnsServerFault(entry: string): string | null {
  if (isIP(entry) !== 0 || (socketAddress(entry)?.port ?? 0) > 0) return null;
  return `"${entry}" is not IP, IP:PORT or [IPv6]:PORT`;
}

/** What is wrong with an address or network in CIDR form, all octets written out; null when nothing is. */
export function networkFault(entry: string): string | null {
  const [address = '', bits = '', ...more] = entry.split('/');
  const version = isIP(address);
  const longest = version === 4 ? 32 : 128;
  const whole = !entry.includes('/') || (/^[0-9]{1,3}$/.test(bits) && Number(bits) <= longest);
  if (version !== 0 && whole && more.length === 0) return null;
  return `"${entry}" is neither an address nor a network such as 10.0.0.0/8`;
}

/** What is wrong with an address of a scanner; null when nothing is. */
export function scannerFault(entry: string): string | null {
  const parsed = parseScannerAddress(entry);
  return 'wanted' in parsed ? parsed.wanted : null;
}
