import { isSigningDomain } from '../model/signing-name.ts';
import { parseKeyPath } from './dkim-keys.ts';
import type { Parsed } from './kinds.ts';

/** Who seals, and with which key: `example.com:/etc/domainkeys/example.com/default`. */
export interface ArcKey {
  /** `d=`. */
  readonly domain: string;
  /** Of the private key; its last component is the selector. */
  readonly path: string;
}

/** `DOMAIN:PATH`, as a line of dkimkeys begins. */
export function parseArcKey(text: string): Parsed<ArcKey> {
  const colon = text.indexOf(':');
  const domain = text.slice(0, Math.max(colon, 0)).toLowerCase();
  if (!domain.includes('.') || !isSigningDomain(domain))
    return { wanted: `"${text}" does not begin with a domain; wanted DOMAIN:PATH` };
  const path = parseKeyPath(text.slice(colon + 1));
  return 'wanted' in path ? path : { value: { domain, path: path.value } };
}
