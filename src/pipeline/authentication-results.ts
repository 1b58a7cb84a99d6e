import type { Finding } from '../model/finding.ts';

/**
 * The Authentication-Results field (RFC 8601) with what the checks found out, in their order, each result once; `''` when
 * there is none. `authservId`: our name. CRLF lines.
 */
export function authenticationResults(findings: Iterable<Finding>, authservId: string): string {
  const results = authResults(findings);
  if (results.length === 0) return '';
  return `Authentication-Results: ${authservId};\r\n\t${results.join(';\r\n\t')}\r\n`;
}

/** The results alone. */
export function authResults(findings: Iterable<Finding>): readonly string[] {
  const results = new Set<string>();
  for (const { authResult } of findings) if (authResult !== undefined) results.add(authResult);
  return [...results];
}
