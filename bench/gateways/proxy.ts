/** What a client must say first where PROXY headers are expected. */
export const PROXY = 'PROXY TCP4 198.18.0.1 127.0.0.1 40000 25\r\n';

/**
 * The client on connection `n`, as the PROXY header names it: a new one each time, so that no answer of a DNS list
 * comes from a cache. From the network for benchmarks (RFC 2544), which neither gateway takes for a private one.
 */
export function clientAddress(n: number): string {
  return `198.${18 + ((n >> 16) & 1)}.${(n >> 8) & 255}.${n & 255}`;
}
