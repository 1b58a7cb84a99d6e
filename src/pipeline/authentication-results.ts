import type { Finding } from '../model/finding.ts';

/** Far below the 998 that a line may have; a usual result stands on one, where grep finds it. */
const LINE = 250;
const TAB = 8;

/**
 * The Authentication-Results field (RFC 8601) with what the checks found out, in their order, each result once; `''` when
 * there is none. `authservId`: our name. CRLF lines.
 */
export function authenticationResults(findings: Iterable<Finding>, authservId: string): string {
  const results = authResults(findings);
  if (results.length === 0) return '';
  return `Authentication-Results: ${authservId};\r\n\t${results.map(folded).join(';\r\n\t')}\r\n`;
}

/** A result on lines that are not too long: senders fill it with names of hundreds of bytes. */
function folded(result: string): string {
  let text = '';
  let column = TAB;
  // Quoted strings and comments stay whole.
  for (const word of result.match(/(?:"(?:[^"\\]|\\.)*"|\([^)]*\)|[^ ])+/g) ?? []) {
    const breaks = text !== '' && column + 1 + word.length > LINE;
    column = (breaks ? 2 * TAB : column + 1) + word.length;
    text += text === '' ? word : `${breaks ? '\r\n\t\t' : ' '}${word}`;
  }
  return text;
}

/** The results alone. */
export function authResults(findings: Iterable<Finding>): readonly string[] {
  const results = new Set<string>();
  for (const { authResult } of findings) if (authResult !== undefined) results.add(authResult);
  return [...results];
}
