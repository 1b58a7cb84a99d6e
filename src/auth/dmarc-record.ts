import type { DmarcPolicy } from '../model/authentication.ts';

/** What one DMARC policy record says, defaults filled in (RFC 9989 4.7). */
export interface DmarcRecord {
  /** Null: neither a policy that can be read nor anybody to report to, so that no DMARC is done (RFC 9989 4.10.1). */
  readonly policy: DmarcPolicies | null;
  /** Strict alignment (`s`); else relaxed. */
  readonly strictDkim: boolean;
  readonly strictSpf: boolean;
  /** `y`: a public suffix; `n`: an organizational domain; `u`: the walk goes on. */
  readonly psd: 'y' | 'n' | 'u';
  /** The policy is to be applied one step milder. */
  readonly testing: boolean;
}

export interface DmarcPolicies {
  readonly p: DmarcPolicy;
  /** For subdomains; null: as `p`. */
  readonly sp: DmarcPolicy | null;
  /** For subdomains that do not exist; null: as the others. */
  readonly np: DmarcPolicy | null;
}

const VERSION = /^[ \t]*[vV][ \t]*=[ \t]*DMARC1[ \t]*(?:;|$)/;
const POLICIES: readonly string[] = ['none', 'quarantine', 'reject'] satisfies readonly DmarcPolicy[];
/** RFC 3986: a scheme, and characters that may stand in a URI; `!10m` behind it is RFC 7489's greatest size of a report. */
const REPORTING_URI =
  /^[a-z][a-z0-9+.-]*:(?:[a-z0-9\-._~:/?#[\]@$&'()*+;=]|%[0-9a-f]{2})*(?:![0-9]+[kmgt]?)?$/i;

/**
 * Reads a TXT record, its strings joined, as a DMARC policy record (RFC 9989 4.7 and 4.8; a byte string). Null: it does not
 * begin with `v=DMARC1`, and is none.
 *
 * Tags that are unknown, or whose value cannot be read, count as not there; names and values in any case; of a tag that
 * comes twice the last counts. Records of RFC 7489: `pct=` is gone, but `pct=0` is what has become `t=y` (RFC 9989 A.6) and is
 * read so where there is no `t=`; other percentages mean all of the mail. A bad or missing `p=`, or a bad `sp=` or `np=`, means
 * `p=none` where `rua=` has a URI to report to, and no policy at all elsewhere.
 */
export function dmarcRecord(text: string): DmarcRecord | null {
  if (!VERSION.test(text)) return null;
  const tags = new Map<string, string>();
  for (const entry of text.split(';')) {
    const equals = entry.indexOf('=');
    if (equals > 0) tags.set(entry.slice(0, equals).trim().toLowerCase(), entry.slice(equals + 1).trim());
  }
  const word = (name: string): string | null => tags.get(name)?.toLowerCase() ?? null;
  const test = word('t');
  const psd = word('psd');
  return {
    policy: policies(word('p'), word('sp'), word('np'), tags.get('rua') ?? ''),
    strictDkim: word('adkim') === 's',
    strictSpf: word('aspf') === 's',
    psd: psd === 'y' || psd === 'n' ? psd : 'u',
    testing: test === 'y' || (test !== 'n' && /^0+$/.test(word('pct') ?? '')),
  };
}

function policies(p: string | null, sp: string | null, np: string | null, rua: string): DmarcPolicies | null {
  if (isPolicy(p) && (sp === null || isPolicy(sp)) && (np === null || isPolicy(np))) return { p, sp, np };
  const reported = rua.split(',').some(uri => REPORTING_URI.test(uri.trim()));
  return reported ? { p: 'none', sp: null, np: null } : null;
}

function isPolicy(word: string | null): word is DmarcPolicy {
  return word !== null && POLICIES.includes(word);
}
