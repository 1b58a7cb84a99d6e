import { lowerAscii } from '../model/address.ts';
import { Cdb, CdbError } from './cdb.ts';
import type { Complaints, Parse } from './complaints.ts';
import { listEntries } from './readers.ts';

/** A list of mail domains: rcpthosts, morercpthosts. */
export interface DomainList {
  /**
   * Where the entry stands that covers `domain` (text after the `@`, any case): the domain itself, else the longest of
   * its tails that begin with a dot (`.b.c`, `.c`). Null when none does. `file:line`, or `file (key "…")` for a cdb.
   */
  find(domain: string): string | null;
  readonly size: number;
}

/**
 * One domain a line (netqmail rcpthosts.c): `example.com` covers itself only, `.example.com` all below it only.
 * Compared without regard to ASCII case; of several equal lines the last counts.
 */
export const parseDomainList: Parse<DomainList> = (text, file, complaints) => {
  const places = new Map<string, string>();
  for (const { text: entry, line } of listEntries(text, file, complaints)) {
    const fault = neverMatches(entry);
    if (fault !== null) complaints.warn(file, line, fault);
    places.set(lowerAscii(entry), `${file}:${line}`);
  }
  return domainList(places);
};

/**
 * The compiled form, morercpthosts.cdb of qmail-newmrh: lower-case keys, values unused. A damaged file is an error, and
 * the list holds what stood before the damage.
 */
export function domainListFromCdb(bytes: Buffer, file: string, complaints: Complaints): DomainList {
  const places = new Map<string, string>();
  try {
    for (const [key] of Cdb.parse(bytes).entries()) {
      const domain = key.toString('latin1');
      places.set(domain, `${file} (key ${JSON.stringify(domain)})`);
    }
  } catch (error) {
    if (!(error instanceof CdbError)) throw error;
    complaints.error(file, 0, error.message);
  }
  return domainList(places);
}

/** Every `.tail` of a lower-case domain, longest first; the domain itself is not among them. */
export function* domainTails(domain: string): Generator<string, void, void> {
  for (let dot = domain.indexOf('.', 1); dot >= 0; dot = domain.indexOf('.', dot + 1))
    yield domain.slice(dot);
}

function domainList(places: ReadonlyMap<string, string>): DomainList {
  return {
    size: places.size,
    find(domain) {
      const name = lowerAscii(domain);
      const exact = places.get(name);
      if (exact !== undefined) return exact;
      for (const tail of domainTails(name)) {
        const place = places.get(tail);
        if (place !== undefined) return place;
      }
      return null;
    },
  };
}

function neverMatches(entry: string): string | null {
  const wanted = 'wanted example.com (itself) or .example.com (all below it)';
  if (entry.includes('@')) return `"${entry}" is an address and no domain, so it never matches; ${wanted}`;
  if (entry.includes('*')) return `"${entry}": * is no wildcard here, so the line never matches; ${wanted}`;
  return null;
}
