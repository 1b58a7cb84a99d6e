import { RE2JS } from 're2js';
import type { Complaints, Parse } from './complaints.ts';
import type { Ere } from './ere.ts';
import { foldCase, translateEre } from './ere.ts';
import { EreError } from './ere-nodes.ts';
import { LiteralIndex } from './literal-index.ts';
import type { ListEntry } from './readers.ts';
import { listEntries } from './readers.ts';

/** A line of a pattern list that decided. */
export interface PatternHit {
  /** `file:line`. */
  readonly place: string;
  /** The line as it stands in the file. */
  readonly line: string;
}

/** Lines of POSIX expressions, tried in order. */
export interface PatternList {
  /**
   * The first line that matches `subject` (a byte string, of which 2048 bytes are looked at), or null. A line with `!`
   * in front matches when the rest of it does not. Takes time in proportion to the subject and never backtracks.
   */
  find(subject: string): PatternHit | null;
  readonly size: number;
}

/**
 * The files of the qregex patch (qregex-20060423; control-files.md 4.3): one POSIX extended expression a line, case
 * ignored, matched anywhere in the subject; `!` in front negates. A line that does not compile matches nothing, with
 * `!` or without, and is a warning.
 */
export const parsePatternList: Parse<PatternList> = (text, file, complaints) =>
  patternList(listEntries(text, file, complaints), file, complaints);

/** As `parsePatternList`, for lines that are picked out already. */
export function patternList(
  entries: readonly ListEntry[],
  file: string,
  complaints: Complaints,
): PatternList {
  const literals = new LiteralIndex();
  const others: Pattern[] = [];
  for (const [index, entry] of entries.entries()) {
    const negated = entry.text.startsWith('!');
    const ere = compile(negated ? entry.text.slice(1) : entry.text, file, entry.line, complaints);
    if (ere === null) continue;
    if (negated && entry.text === '!') complaints.warn(file, entry.line, 'a ! alone never matches');
    if (ere.literal !== null && !negated) literals.add(ere.literal, index);
    else others.push({ index, negated, ere, compiled: null });
  }
  return {
    size: entries.length,
    find(subject) {
      const folded = foldCase(subject.length > LONGEST_SUBJECT ? subject.slice(0, LONGEST_SUBJECT) : subject);
      const index = firstMatch(folded, literals.find(folded), others);
      const entry = entries[index];
      return entry === undefined ? null : { place: `${file}:${entry.line}`, line: entry.text };
    },
  };
}

/** Addresses and HELO names are shorter; RFC 5321 4.5.3.1 allows 512 bytes for a whole command. */
const LONGEST_SUBJECT = 2048;
const LONGEST_PATTERN = 4096;

/** A line that the index of literals cannot hold. */
interface Pattern {
  readonly index: number;
  readonly negated: boolean;
  readonly ere: Ere;
  compiled: RE2JS | null;
}

/** The smaller of `literal` (the first literal line that matches) and the first of the others that does. */
function firstMatch(folded: string, literal: number, others: readonly Pattern[]): number {
  for (const pattern of others) {
    if (pattern.index > literal) break;
    if (matches(pattern, folded) !== pattern.negated) return pattern.index;
  }
  return literal;
}

/** Most lines of a long list are settled by the text they require, so that they need not even be compiled. */
function matches(pattern: Pattern, folded: string): boolean {
  if (!folded.includes(pattern.ere.required)) return false;
  pattern.compiled ??= RE2JS.compile(pattern.ere.source, RE2JS.DOTALL);
  return pattern.compiled.test(folded);
}

/** Null, with a warning, for what does not compile. Only counted repetitions can be too large for RE2. */
function compile(pattern: string, file: string, line: number, complaints: Complaints): Ere | null {
  try {
    if (pattern.length > LONGEST_PATTERN) throw new EreError(`longer than ${LONGEST_PATTERN} bytes`);
    const ere = translateEre(pattern);
    if (ere.counted) RE2JS.compile(ere.source, RE2JS.DOTALL);
    return ere;
  } catch (error) {
    const why = error instanceof EreError ? error.message : 'its repetitions make it too large';
    complaints.warn(file, line, `this expression does not compile, so the line matches nothing: ${why}`);
    return null;
  }
}
