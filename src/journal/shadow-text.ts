import { time } from './explain.ts';
import { printable } from './printable.ts';
import type { ShadowReport } from './shadow-comparison.ts';
import { table } from './table.ts';

/** The report for people, line by line. */
export function shadowText(report: ShadowReport): string[] {
  const { messages, from, to, groups } = report;
  if (from === null || to === null) return NONE;
  const compared = report.agreed + report.disagreed;
  const share = compared === 0 ? '' : ` (${percent(report.agreed, compared)} %)`;
  const kinds = groups.length === 0 ? '' : ` in ${counted(groups.length, 'group')}`;
  const why = report.notCompared === 0 ? '' : ': what the old filter said was not told';
  return [
    `${counted(messages, 'message')} from ${time(from)} to ${time(to)}`,
    ...table([
      ['agreed', `${report.agreed}${share}`],
      ['disagreed', `${report.disagreed}${kinds}`],
      ['not compared', `${report.notCompared}${why}`],
    ]),
    ...(groups.length === 0 ? [] : disagreements(report)),
  ];
}

/** Said when shadow mode has left no records. */
const NONE: string[] = [
  'No message has been looked at in shadow mode.',
  'It is on for clients whose line in tcp.smtp has',
  '  QMAILQUEUE="/usr/local/bin/postern-queue",POSTERN_SHADOW="/var/qmail/bin/simscan"',
  'or whatever filter is in place: that decides as ever, and Postern looks on.',
];

/** For each group a row, and below it the events to look at. */
function disagreements({ groups }: ShadowReport): string[] {
  const rows = groups.map(({ count, cause, meaning }) => [`${count}`, printable(cause), meaning]);
  const [head = '', ...lines] = table([['count', 'cause', 'what it means'], ...rows]);
  const each = lines.flatMap((line, i) => [
    line,
    `       ${(groups[i]?.ids ?? []).map(printable).join(' ')}`,
  ]);
  return [
    '',
    head,
    ...each,
    '',
    'Below each: ids of its newest events. postern explain ID shows one in full.',
  ];
}

/** Rounded down, so that all but all is never 100.0. */
function percent(part: number, whole: number): string {
  return (Math.floor((part * 1000) / whole) / 10).toFixed(1);
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}
