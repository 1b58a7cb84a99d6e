/** npm dnsbl 4.0.3 brings no types; only what the tests use. */
declare module 'dnsbl' {
  /** True when the list has an A record for the address; false for everything else, failures included. */
  export function lookup(
    address: string,
    list: string,
    options: { readonly servers: readonly string[]; readonly timeout: number },
  ): Promise<boolean>;
}
