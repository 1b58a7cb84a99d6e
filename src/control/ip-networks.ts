import { blocks, ipv4Number, ipv6Number, masked } from './ip-list-lines.ts';
import type { Ipv4Range, Ipv6Network } from './ip-list-lines.ts';

const MAPPED = /^::ffff:(?=[0-9.]+$)/i;

/** Something said of a network; `excluded` takes the network out again. */
interface NetworkEntry {
  readonly excluded: boolean;
}

/**
 * Networks, found by address: one map for each prefix length, so that a look-up costs the same for ten entries and for a
 * million. The longest prefix wins. An IPv4 exclusion also wins over longer prefixes that end within the same octet,
 * since rbldnsd's ip4set keeps whole octets: a doubt lets the client in.
 */
export class IpNetworks<E extends NetworkEntry> {
  readonly #v4 = new Map<number, Map<number, E>>();
  readonly #v6 = new Map<number, Map<bigint, E>>();

  addIpv4(range: Ipv4Range, entry: E): void {
    for (const { network, prefix } of blocks(range)) put(this.#v4, prefix, network, entry);
  }

  addIpv6({ network, prefix }: Ipv6Network, entry: E): void {
    put(this.#v6, prefix, network, entry);
  }

  /** What is said of `ip` (IPv4, IPv6, mapped IPv6 as IPv4); null when nothing is, or when it is excluded. */
  find(ip: string): E | null {
    const address = ip.replace(MAPPED, '');
    const v4 = ipv4Number(address);
    const v6 = v4 === null ? ipv6Number(address) : null;
    const entry = v4 === null ? v6 !== null && this.#findIpv6(v6) : this.#findIpv4(v4);
    return entry && !entry.excluded ? entry : null;
  }

  #findIpv4(ip: number): E | null {
    for (let octet = 32; octet > 0; octet -= 8) {
      let found: E | null = null;
      for (let prefix = octet; prefix > octet - 8; prefix--) {
        const entry = this.#v4.get(prefix)?.get(ip - (ip % 2 ** (32 - prefix)));
        if (entry?.excluded) return entry;
        found ??= entry ?? null;
      }
      if (found) return found;
    }
    return this.#v4.get(0)?.get(0) ?? null;
  }

  #findIpv6(ip: bigint): E | null {
    for (let prefix = 128; prefix >= 0; prefix--) {
      const entry = this.#v6.get(prefix)?.get(masked(ip, prefix));
      if (entry) return entry;
    }
    return null;
  }
}

/** The first entry for a network stays, but an exclusion takes its place. */
function put<N, E extends NetworkEntry>(
  networks: Map<number, Map<N, E>>,
  prefix: number,
  network: N,
  entry: E,
): void {
  let same = networks.get(prefix);
  if (!same) {
    same = new Map();
    networks.set(prefix, same);
  }
  const there = same.get(network);
  if (!there || (!there.excluded && entry.excluded)) same.set(network, entry);
}
