import type { Finding } from '../model/finding.ts';
import type { Verdict } from '../model/verdict.ts';

/**
 * Header fields that tell whoever sorts the mail later what the policy thought of it: a line for each tag, the score,
 * and all of it on one line that filters can look for, `X-Postern-Verdict: tag; rules=A,B; score=2.5`. Nothing for a
 * message that nothing is said about, and for a copy that is held (`null`), whose verdict its quarantine file tells.
 */
export function addedHeaders(verdict: Verdict | null): string {
  if (verdict?.kind !== 'continue') return '';
  const { tags, score } = verdict;
  if (tags.length === 0 && score === 0) return '';
  const words = [tags.length > 0 ? 'tag' : 'pass'];
  // Folded: there are more rules than fit on a line.
  if (tags.length > 0) words.push(`rules=${tags.join(',\r\n ')}`);
  if (score !== 0) words.push(`score=${score}`);
  const lines = [`X-Postern-Verdict: ${words.join('; ')}\r\n`];
  for (const tag of tags) lines.push(`X-Postern-Tag: ${tag}\r\n`);
  if (score !== 0) lines.push(`X-Postern-Score: ${score}\r\n`);
  return lines.join('');
}

/** The header fields that checks have for the message (Received-SPF), in the order of the findings, each once. */
export function foundHeaders(findings: Iterable<Finding>): string {
  const fields = new Set<string>();
  for (const { header } of findings) if (header !== undefined) fields.add(header);
  return [...fields].join('');
}

/** The signatures that checks have made for the message, each once. */
export function foundSignatures(findings: Iterable<Finding>): string {
  const fields = new Set<string>();
  for (const { signature } of findings) if (signature !== undefined) fields.add(signature);
  return [...fields].join('');
}
