import { styleText } from 'node:util';
import { explainText } from '../../journal/explain.ts';
import { printable } from '../../journal/printable.ts';
import type { RecordedFinding } from '../../model/finding.ts';
import type { VerdictRecord } from '../../model/record.ts';
import type { FoundScanner } from './found-scanners.ts';
import type { DemoLetter, Need } from './letters.ts';

/** A message, and what became of it; null: it was not sent, because nobody was there to judge it. */
export interface Outcome {
  readonly letter: DemoLetter;
  readonly sent: { readonly reply: string; readonly record: VerdictRecord } | null;
}

const VERDICTS = {
  accepted: 'green',
  tagged: 'yellow',
  held: 'yellow',
  deferred: 'magenta',
  refused: 'red',
  'not sent': 'dim',
} as const;

type Verdict = keyof typeof VERDICTS;
type Colour = (typeof VERDICTS)[Verdict] | 'bold';

const VERDICT_WIDTH = 10;
const TITLE_WIDTH = 58;

/** Colours where `stream` is a terminal that wants them (NO_COLOR). */
export type Paint = (colour: Colour, text: string) => string;

export function painter(stream: NodeJS.WriteStream): Paint {
  return (colour, text) => styleText(colour, text, { stream });
}

/** What became of a message, in one word. */
export function verdictOf({ sent }: Outcome): Verdict {
  if (sent === null) return 'not sent';
  const { event, reply } = sent.record;
  if (event === 'message-held') return 'held';
  if (event === 'message-accepted') return sent.record.findings.some(isMark) ? 'tagged' : 'accepted';
  return reply.startsWith('4') ? 'deferred' : 'refused';
}

/** The rule that decided; for a message that passed, what its sender could prove. */
function reasonOf(outcome: Outcome): string {
  const { letter, sent } = outcome;
  if (sent === null) return `no ${NEEDED[letter.needs ?? 'clamd']} found`;
  const { rule, findings } = sent.record;
  const mark = findings.find(isMark);
  const decided = rule ?? (mark?.state === 'error' ? `${mark.rule}: ${mark.detail ?? 'error'}` : mark?.rule);
  // RFC 8601 2.2: method and result come first.
  const proved = findings.flatMap(({ authResult }) => authResult?.match(/^\w+=\w+/)?.[0] ?? []);
  return decided ?? [...new Set(proved)].join(' ');
}

const NEEDED: Readonly<Record<Need, string>> = { clamd: 'clamd', engine: 'spamd or rspamd' };

/** Rules that put a tag on a message here, as shipped. */
const MARKS: ReadonlySet<string> = new Set(['DMARC_QUARANTINE', 'SPAM_FLAGGED', 'CLAM_SIZE']);

function isMark({ rule, state, plugin }: RecordedFinding): boolean {
  return (state === 'hit' && MARKS.has(rule)) || (state === 'error' && plugin === 'spam');
}

/** Which scanners are asked, one a line. */
export function scannerLines(scanners: readonly FoundScanner[]): string[] {
  return scanners.map(({ name, address, hint }) =>
    address === null ? `  ${name.padEnd(6)} not found (${hint})` : `  ${name.padEnd(6)} ${address}`,
  );
}

/** The table: verdict, message, what decided, and below them what the client read. */
export function tableLines(outcomes: readonly Outcome[], paint: Paint): string[] {
  const heading = `  ${'verdict'.padEnd(VERDICT_WIDTH)}${'message'.padEnd(TITLE_WIDTH)}rule that decided`;
  const lines = ['', paint('dim', heading)];
  let chapter = '';
  for (const outcome of outcomes) {
    const { letter, sent } = outcome;
    if (letter.chapter !== chapter) {
      if (chapter !== '') lines.push('');
      chapter = letter.chapter;
      lines.push(paint('bold', chapter));
    }
    const verdict = verdictOf(outcome);
    const word = paint(VERDICTS[verdict], verdict.padEnd(VERDICT_WIDTH));
    lines.push(`  ${word}${letter.title.padEnd(TITLE_WIDTH)}${reasonOf(outcome)}`);
    if (sent === null) continue;
    const reply = printable(sent.reply.replaceAll('\n', ' '));
    lines.push(paint('dim', `  ${' '.repeat(VERDICT_WIDTH)}${reply}`));
  }
  return lines;
}

/** How many of each there were: `4 accepted, 1 held, 8 refused`. */
export function countsText(outcomes: readonly Outcome[]): string {
  const counts = Map.groupBy(outcomes, verdictOf);
  return (Object.keys(VERDICTS) as Verdict[])
    .flatMap(verdict => {
      const count = counts.get(verdict)?.length ?? 0;
      return count === 0 ? [] : [`${count} ${verdict}`];
    })
    .join(', ');
}

/** What `postern explain` says first, and the findings that decided. */
export function excerpt(record: VerdictRecord): string[] {
  const lines = explainText(record).split('\n');
  const beginning = lines.slice(0, lines.indexOf(''));
  return [
    ...beginning,
    ...lines.filter(line => line.startsWith('>')).map(line => line.replace(/ {3,}/g, '  ')),
  ];
}
