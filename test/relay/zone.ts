import type { Dns, DnsAnswer } from '../../src/model/dns.ts';

type Mx = { readonly preference: number; readonly host: string };

export interface Zone {
  readonly mx?: Readonly<Record<string, readonly Mx[] | 'error' | 'nxdomain'>>;
  readonly a?: Readonly<Record<string, readonly string[] | 'error'>>;
  readonly aaaa?: Readonly<Record<string, readonly string[] | 'error'>>;
}

function answer<T>(records: readonly T[] | 'error' | 'nxdomain' | undefined): Promise<DnsAnswer<T>> {
  if (records === 'error') return Promise.resolve({ kind: 'error', error: 'SERVFAIL' });
  if (records === undefined || records === 'nxdomain') {
    return Promise.resolve({ kind: 'none', nxdomain: records === 'nxdomain' });
  }
  return Promise.resolve({ kind: 'found', records });
}

/** A resolver that knows this zone only. */
export function dnsOf(zone: Zone): Dns {
  return {
    a: name => answer(zone.a?.[name]),
    aaaa: name => answer(zone.aaaa?.[name]),
    mx: name => answer(zone.mx?.[name]),
    txt: () => answer<readonly string[]>(undefined),
    ptr: () => answer<string>(undefined),
  };
}
