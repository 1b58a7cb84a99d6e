import type { VerdictRecord } from '../../src/model/record.ts';
import type { Share } from './sample.ts';

/** What became of a message, worst first. */
const FATES = ['refused', 'deferred', 'held', 'tagged', 'passed'] as const;
export type Fate = (typeof FATES)[number];

/** What became of one message. */
export interface Judged {
  readonly archive: string;
  readonly fate: Fate;
  /** Which of our rules decided that; none for what passed. */
  readonly rules: readonly string[];
  /** SpamAssassin's rules, and what it made of them; null: it was not scored. */
  readonly spam: {
    readonly score: number;
    readonly threshold: number;
    readonly rules: readonly string[];
  } | null;
}

/** The most that are listed of rules. */
const MOST = 10;

/** A message's fate by its record, and by the tags that the next hop saw. */
export function judged(archive: string, record: VerdictRecord, tags: readonly string[]): Judged {
  const outcome = record.recipients[0]?.outcome;
  const spam = scoredBy(record);
  const rules = record.rule === null ? [] : [record.rule];
  if (outcome === 'refused' || outcome === 'deferred' || outcome === 'held')
    return { archive, fate: outcome, rules, spam };
  if (outcome !== 'delivered') throw new Error(`${record.id} was ${outcome}`);
  return { archive, fate: tags.length > 0 ? 'tagged' : 'passed', rules: tags, spam };
}

/** What the record says that SpamAssassin said. */
export function scoredBy(record: VerdictRecord): Judged['spam'] {
  const detail = record.findings.find(({ rule, state }) => rule === 'SPAM' && state === 'pass')?.detail ?? '';
  const [, score, threshold, rules = ''] =
    /^(?:spam|ham): (-?[\d.]+) of (-?[\d.]+) \(.*?\): (.*)$/.exec(detail) ?? [];
  if (score === undefined) return null;
  return {
    score: Number(score),
    threshold: Number(threshold),
    rules: rules === 'no rule' ? [] : rules.split(','),
  };
}

/** The lines of the report. */
export function report(shares: readonly Share[], all: readonly Judged[]): string[] {
  const width = Math.max(...shares.map(({ archive }) => archive.length));
  const row = (name: string, cells: readonly (string | number)[]) =>
    name.padEnd(width) + cells.map(cell => String(cell).padStart(10)).join('');
  const lines = [row('', FATES)];
  for (const { archive } of shares) {
    const own = all.filter(one => one.archive === archive);
    lines.push(
      row(
        archive,
        FATES.map(fate => own.filter(one => one.fate === fate).length),
      ),
    );
  }
  lines.push('', 'The rules that decided most:');
  for (const { archive } of shares)
    for (const fate of FATES) {
      const rules = all.filter(one => one.archive === archive && one.fate === fate).flatMap(one => one.rules);
      if (rules.length > 0) lines.push(`  ${archive} ${fate}: ${most(rules)}`);
    }
  lines.push('', 'SpamAssassin’s own rules that hit most in what it called spam:');
  for (const { archive } of shares) {
    const spam = all.flatMap(one => (one.archive === archive && one.spam !== null ? [one.spam] : []));
    const called = spam.filter(({ score, threshold }) => score >= threshold);
    const skipped = all.filter(one => one.archive === archive && one.spam === null).length;
    lines.push(`  ${archive}: ${called.length} of ${spam.length} scored, ${skipped} not scored`);
    if (called.length > 0) lines.push(`    ${most(called.flatMap(({ rules }) => rules))}`);
  }
  return lines;
}

/** Names with how often each is there, the most frequent first. */
function most(names: readonly string[]): string {
  const counts = [...Map.groupBy(names, name => name)].map(([name, all]) => [name, all.length] as const);
  const first = counts.toSorted(([a, m], [b, n]) => n - m || (a < b ? -1 : 1)).slice(0, MOST);
  return first.map(([name, count]) => `${name} ${count}`).join(', ');
}
