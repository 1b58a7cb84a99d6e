import ipaddr from 'ipaddr.js';

/** An address as the rest of the program writes it: dotted IPv4 (mapped ones too), compressed lower-case IPv6. */
export function normalAddress(text: string): string {
  if (!text.includes(':')) return text;
  const bare = text.replace(/%.*$/, '');
  if (!ipaddr.IPv6.isValid(bare)) return text;
  const parsed = ipaddr.IPv6.parse(bare);
  return parsed.isIPv4MappedAddress() ? parsed.toIPv4Address().toString() : parsed.toString();
}

/** What connections are counted by: an IPv4 address, or the /64 of an IPv6 address, which one customer has to himself. */
export function countingKey(ip: string): string {
  if (!ip.includes(':')) return ip;
  return `${ipaddr.IPv6.parse(ip)
    .parts.slice(0, 4)
    .map(part => part.toString(16))
    .join(':')}::/64`;
}

/** A list of addresses and CIDR networks. */
export class AddressSet {
  readonly #ranges: readonly [ipaddr.IPv4 | ipaddr.IPv6, number][];

  /** Throws an Error that names the entry when one is neither an address nor a network. */
  constructor(entries: readonly string[]) {
    this.#ranges = entries.map(entry => {
      if (ipaddr.isValidCIDR(entry)) return ipaddr.parseCIDR(entry);
      if (!ipaddr.isValid(entry))
        throw new Error(`"${entry}" is neither an address nor a network such as 10.0.0.0/8`);
      const parsed = ipaddr.parse(entry);
      return [parsed, parsed.kind() === 'ipv4' ? 32 : 128];
    });
  }

  get size(): number {
    return this.#ranges.length;
  }

  has(ip: string): boolean {
    if (this.#ranges.length === 0 || !ipaddr.isValid(ip)) return false;
    const parsed = ipaddr.process(ip);
    return this.#ranges.some(
      ([network, bits]) => network.kind() === parsed.kind() && parsed.match(network, bits),
    );
  }
}
