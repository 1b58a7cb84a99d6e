import type { Verdict } from '../model/verdict.ts';

/**
 * Header fields that tell the next hop what the policy thought of the message: a line for each tag and the score.
 * Recipients that share a transaction share the fields, so only what holds for all of them is said.
 */
export function addedHeaders(verdicts: readonly Verdict[]): string {
  const passing = verdicts.flatMap(v => (v.kind === 'continue' ? [v] : []));
  const first = passing[0];
  if (first === undefined) return '';
  const tags = first.tags.filter(tag => passing.every(v => v.tags.includes(tag)));
  const score = Math.min(...passing.map(v => v.score));
  const lines = tags.map(tag => `X-Postern-Tag: ${tag}\r\n`);
  if (score !== 0) lines.push(`X-Postern-Score: ${score}\r\n`);
  return lines.join('');
}
