import type { Figures, Row } from './rows.ts';

/** What one row found in one round, by key of the gateway. */
export type Round = ReadonlyMap<string, Figures>;

/** All rounds of the rows that were measured, by name of the row. */
export type Measured = ReadonlyMap<string, readonly Round[]>;

/** The figure of a gateway in one round, or null. */
type FigureOf = (gateway: string, figure: string) => number | null;

/** One comparison, with the bar it has to clear where it has one. */
interface Comparison {
  readonly row: string;
  readonly what: string;
  readonly unit: '×' | ' ms' | ' MiB' | ' /s';
  readonly bar?: { readonly atLeast: number } | { readonly atMost: number };
  /** Of one round; null when a gateway it needs was not measured. */
  readonly value: (figures: FigureOf) => number | null;
}

/** A comparison and what came out. */
export interface Line {
  readonly row: string;
  readonly what: string;
  readonly unit: string;
  readonly bar: string | null;
  /** Median of the rounds. */
  readonly value: number;
  readonly rounds: readonly number[];
  /** Null without a bar. */
  readonly passed: boolean | null;
}

const COMPARISONS: readonly Comparison[] = [
  ...cpu('4k-fresh', 8),
  ...cpu('4k-kept', 11),
  ...cpu('50k', 15),
  ...cpu('1m', 20),
  ...content('content-4k', 6),
  ...content('content-50k', 8),
  ...content('content-zip'),
  cpuPair('auth-4k', 'haraka-auth', 'postern-auth', 5),
  cpuPair('auth-50k', 'haraka-auth', 'postern-auth', 8),
  cpuPair('scan-4k', 'haraka-scan', 'postern-scan'),
  cpuPair('scan-real', 'haraka-scan', 'postern-scan'),
  ...['postern-scan', 'haraka-scan'].map(gateway => ({
    row: 'scan-real',
    what: `${nameOf(gateway)}: messages a second`,
    unit: ' /s' as const,
    value: (figure: FigureOf) => figure(gateway, 'perSecond'),
  })),
  ...['postern', 'postern-checks'].map(gateway => ({
    row: 'dots',
    what: `${nameOf(gateway)}: dots ÷ text`,
    unit: '×' as const,
    bar: { atMost: 3 },
    value: (figure: FigureOf) => figure(gateway, 'ratio'),
  })),
  ...against('latency-kept', 'p50', ' ms', 'added to smtp-sink', (own, direct) => own - direct, {
    atMost: 1,
  }),
  ...against('latency-100', 'p50', ' ms', 'all in all', own => own, { atMost: 6 }),
  ...against('throughput', 'perSecond', '×', '÷ smtp-sink', (own, direct) => own / direct, { atLeast: 0.5 }),
  ...['postern', 'postern-checks'].map(gateway => ({
    row: 'memory',
    what: `${nameOf(gateway)}: peak − idle`,
    unit: ' MiB' as const,
    bar: { atMost: 150 },
    value: (figure: FigureOf) => figure(gateway, 'aboveIdle'),
  })),
];

function nameOf(gateway: string): string {
  return (
    {
      direct: 'smtp-sink',
      postern: 'Postern',
      'postern-checks': 'Postern with checks',
      haraka: 'Haraka',
      'haraka-checks': 'Haraka with checks',
      'haraka-content': 'Haraka with content rules',
      'postern-content': 'Postern with content rules',
      'haraka-auth': 'Haraka with sender authentication',
      'postern-auth': 'Postern with sender authentication',
      'haraka-scan': 'Haraka with scanners',
      'postern-scan': 'Postern with scanners',
      'smtp-server': 'smtp-server relay',
    }[gateway] ?? gateway
  );
}

function cpu(row: string, atLeast: number): Comparison[] {
  return [
    cpuPair(row, 'haraka', 'postern', atLeast),
    cpuPair(row, 'haraka-checks', 'postern-checks', 6),
    cpuPair(row, 'haraka', 'smtp-server'),
    cpuPair(row, 'smtp-server', 'postern'),
  ];
}

function content(row: string, atLeast?: number): Comparison[] {
  return [cpuPair(row, 'haraka-content', 'postern-content', atLeast)];
}

function cpuPair(row: string, more: string, less: string, atLeast?: number): Comparison {
  return {
    row,
    what: `${nameOf(more)} ÷ ${nameOf(less)}`,
    unit: '×',
    ...(atLeast === undefined ? {} : { bar: { atLeast } }),
    value: figure => both(figure(more, 'cpu'), figure(less, 'cpu'), (a, b) => a / b),
  };
}

/** Every gateway beside the sink; only Postern has to clear the bar. */
function against(
  row: string,
  figure: string,
  unit: Comparison['unit'],
  how: string,
  value: (own: number, direct: number) => number,
  bar: NonNullable<Comparison['bar']>,
): Comparison[] {
  return ['postern', 'postern-checks', 'smtp-server', 'haraka', 'haraka-checks'].map(gateway => ({
    row,
    what: `${nameOf(gateway)}, ${how}`,
    unit,
    ...(gateway.startsWith('postern') ? { bar } : {}),
    value: figures => both(figures(gateway, figure), figures('direct', figure), value),
  }));
}

function both(a: number | null, b: number | null, value: (a: number, b: number) => number): number | null {
  return a === null || b === null ? null : value(a, b);
}

/** Works out every comparison that `measured` has the figures for: per round, then the median. */
export function compare(measured: Measured): Line[] {
  const lines: Line[] = [];
  for (const { row, what, unit, bar, value } of COMPARISONS) {
    const rounds = (measured.get(row) ?? [])
      .map(round => value((gateway, figure) => round.get(gateway)?.[figure] ?? null))
      .filter(ratio => ratio !== null);
    if (rounds.length === 0) continue;
    const middle = median(rounds);
    const passed = !bar ? null : 'atLeast' in bar ? middle >= bar.atLeast : middle <= bar.atMost;
    const wanted = !bar ? null : 'atLeast' in bar ? `≥ ${bar.atLeast}${unit}` : `≤ ${bar.atMost}${unit}`;
    lines.push({ row, what, unit, bar: wanted, value: middle, rounds, passed });
  }
  return lines;
}

/** `lines` as a Markdown table. A value outside its bar, NaN included, is a failure. */
export function markdown(lines: readonly Line[], rows: readonly Row[]): string {
  const table = ['| measured | compared | median | rounds | bar | |', '|---|---|--:|---|--:|---|'];
  for (const line of lines) {
    const title = rows.find(row => row.name === line.row)?.title ?? line.row;
    const rounds = `${amount(Math.min(...line.rounds))} – ${amount(Math.max(...line.rounds))}`;
    const verdict = line.passed === null ? '' : line.passed ? 'pass' : '**FAIL**';
    table.push(
      `| ${title} | ${line.what} | ${amount(line.value)}${line.unit} | ${rounds} | ${line.bar ?? ''} | ${verdict} |`,
    );
  }
  return table.join('\n');
}

function amount(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

/** The middle one, or the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const half = Math.floor(sorted.length / 2);
  const upper = sorted[half] ?? NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[half - 1] ?? NaN) + upper) / 2;
}
