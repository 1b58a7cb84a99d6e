import type { Complaints } from './complaints.ts';
import type { Parsed } from './kinds.ts';
import type { PerlPattern } from './perl-pattern.ts';
import { perlPattern } from './perl-pattern.ts';
import { listEntries } from './readers.ts';

/** An expression of simcontrol's `regex`, with its number. */
export interface LinePattern {
  /** As simscan counts: from 0, in the order of the list. */
  readonly number: number;
  readonly source: string;
  /** Null for one that cannot be used; it keeps its number. */
  readonly pattern: PerlPattern | null;
}

export type LinePatterns = readonly LinePattern[];

/** `regex=one:two`, each an expression that is looked for anywhere in a line (simscan.md 7.1). */
export function parseLinePatterns(value: string): Parsed<LinePatterns> {
  const warnings: string[] = [];
  const sources = value.split(':').filter(source => source !== '');
  return { value: sources.map((source, n) => prepared(source, n, text => warnings.push(text))), warnings };
}

/** The same list for everybody, in a control file: one expression a line. simscan has no such file. */
export function parseLinePatternFile(text: string, file: string, complaints: Complaints): LinePatterns {
  return listEntries(text, file, complaints).map((entry, n) =>
    prepared(entry.text, n, warning => complaints.warn(file, entry.line, warning)),
  );
}

function prepared(source: string, number: number, warn: (text: string) => void): LinePattern {
  const pattern = perlPattern(source, false);
  if (typeof pattern !== 'string') return { number, source, pattern };
  warn(`the expression ${source} matches nothing: ${pattern}`);
  return { number, source, pattern: null };
}

/** The list of a domain or an address goes behind the one that is there already (simscan.md 4). */
export function addLinePatterns(before: LinePatterns, more: LinePatterns): LinePatterns {
  return [...before, ...more.map(one => ({ ...one, number: before.length + one.number }))];
}
