import type { Effective } from '../control/effective.ts';
import type { RecordedFinding } from '../model/finding.ts';
import type { Verdict } from '../model/verdict.ts';
import { isRefusal } from '../model/verdict.ts';
import type { AcceptedRecipient } from './recipients.ts';

/** Recipients with the same effective settings: content is scanned once and judged for each group. */
export interface Group {
  readonly effective: Effective;
  readonly addresses: readonly string[];
}

/** The groups of a transaction, in the order of their first recipient. */
export function groupsOf(accepted: readonly AcceptedRecipient[]): readonly Group[] {
  const groups = new Map<Effective, string[]>();
  for (const { effective, recipient } of accepted) {
    const addresses = groups.get(effective);
    if (addresses) addresses.push(recipient.text);
    else groups.set(effective, [recipient.text]);
  }
  return [...groups].map(([effective, addresses]) => ({ effective, addresses }));
}

/** Findings that only the settings of one group brought about. */
export class GroupFindings {
  readonly #byGroup = new Map<Effective, RecordedFinding[]>();

  add({ effective, addresses }: Group, found: readonly RecordedFinding[]): void {
    const marked = found.map(finding => ({ ...finding, recipients: addresses }));
    const before = this.#byGroup.get(effective);
    if (before) before.push(...marked);
    else this.#byGroup.set(effective, marked);
  }

  of(effective: Effective): readonly RecordedFinding[] {
    return this.#byGroup.get(effective) ?? [];
  }

  all(): readonly RecordedFinding[] {
    return [...this.#byGroup.values()].flat();
  }
}

/** Verdicts from mild to strict. */
const STRICTNESS: readonly Verdict['kind'][] = ['continue', 'quarantine', 'discard', 'defer', 'reject'];

/**
 * `recipients=strictest`: what is said of one is said of all, and the strictest verdict wins. Among verdicts that let
 * the message pass, all tags and the highest score.
 */
export function strictestForAll(verdicts: readonly Verdict[]): readonly Verdict[] {
  const rank = ({ kind }: Verdict) => STRICTNESS.indexOf(kind);
  let worst = verdicts[0];
  if (worst === undefined) return verdicts;
  for (const verdict of verdicts) if (rank(verdict) > rank(worst)) worst = verdict;
  const chosen = joined(worst.kind === 'continue' ? verdicts : []) ?? worst;
  return verdicts.map(() => chosen);
}

/** What those that let the message pass say together; null when none does. */
export function joined(verdicts: readonly Verdict[]): Verdict | null {
  const passing = verdicts.flatMap(v => (v.kind === 'continue' ? [v] : []));
  if (passing.length === 0) return null;
  return {
    kind: 'continue',
    score: largest(passing.map(v => v.score)),
    tags: [...new Set(passing.flatMap(v => v.tags))],
    delaySeconds: largest(passing.map(v => v.delaySeconds)),
  };
}

/** Of any number of numbers: as arguments of Math.max, a hundred thousand would be too many. */
function largest(numbers: readonly number[]): number {
  return numbers.reduce((a, b) => Math.max(a, b), -Infinity);
}

/** One answer for all: refused only when everybody's verdict refuses, and only for now when anybody's is for now. */
export function refusalOfAll(
  verdicts: readonly Verdict[],
): Extract<Verdict, { kind: 'defer' | 'reject' }> | null {
  let chosen: Extract<Verdict, { kind: 'defer' | 'reject' }> | null = null;
  for (const verdict of verdicts) {
    if (!isRefusal(verdict)) return null;
    if (chosen === null || (chosen.kind === 'reject' && verdict.kind === 'defer')) chosen = verdict;
  }
  return chosen;
}
