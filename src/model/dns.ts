/**
 * A DNS answer in three ways, kept apart in the type: there are records; there are none (NXDOMAIN or NODATA); we
 * could not find out.
 */
export type DnsAnswer<T> =
  | { readonly kind: 'found'; readonly records: readonly T[] }
  | { readonly kind: 'none'; readonly nxdomain: boolean }
  | { readonly kind: 'error'; readonly error: string };

/** Look-ups with a deadline. Never rejects; every failure is an `error` answer. Names are without the final dot. */
export interface Dns {
  a(name: string): Promise<DnsAnswer<string>>;
  aaaa(name: string): Promise<DnsAnswer<string>>;
  /** Each record is its strings, as byte strings. */
  txt(name: string): Promise<DnsAnswer<readonly string[]>>;
  mx(name: string): Promise<DnsAnswer<{ readonly preference: number; readonly host: string }>>;
  ptr(ip: string): Promise<DnsAnswer<string>>;
}
