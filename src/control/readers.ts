import type { Complaints } from './complaints.ts';

/** A line of a list file, trailing blanks removed. */
export interface ListEntry {
  readonly text: string;
  /** 1-based. */
  readonly line: number;
}

/**
 * qmail's line reader (control.c control_readline): the first line of a file without its trailing blanks, leading ones
 * kept; an empty file gives `''`. A `#` does not start a comment here, and a CR is part of the text: both are warned of.
 */
export function firstLine(text: string, file: string, complaints: Complaints): string {
  const value = lineOf(text);
  if (value.endsWith('\r')) complaints.warn(file, 1, CARRIAGE_RETURN);
  if (value.startsWith('#')) {
    complaints.warn(file, 1, 'the first line is the value, comments or not: this one begins with #');
  } else if (hasLeadingBlank(value)) {
    complaints.warn(file, 1, 'the line begins with a blank, which is part of the value');
  }
  return value;
}

/**
 * qmail's number reader (control.c control_readint): the leading decimal digits of the first line. Null, with a
 * warning, when there are none: the file is ignored and the default kept. Larger numbers than JavaScript counts exactly
 * are cut to Number.MAX_SAFE_INTEGER.
 */
export function leadingInt(text: string, file: string, complaints: Complaints): number | null {
  const value = lineOf(text);
  const digits = leadingDigits(value);
  if (digits === '') {
    complaints.warn(
      file,
      1,
      `${shown(value)} does not begin with a digit; the file is ignored and the default kept`,
    );
    return null;
  }
  const number = toInt(digits);
  if (digits.length < value.length) complaints.warn(file, 1, `${shown(value)} counts as ${number}`);
  return number;
}

/**
 * A number in an environment variable (DATABYTES, TARPITCOUNT, …), which qmail reads with the same digit scanner but
 * without ignoring anything: what does not begin with a digit is 0.
 */
export function environmentInt(value: string): number {
  return toInt(leadingDigits(value));
}

/**
 * qmail's list reader (control.c control_readfile): the lines of a file without their trailing blanks; empty lines and
 * lines whose very first byte is `#` are skipped. Leading blanks, a `#` further on and a CR at the end are part of the
 * entry, so that it never matches; leading blanks and CRs are warned of.
 */
export function listEntries(text: string, file: string, complaints: Complaints): ListEntry[] {
  const entries: ListEntry[] = [];
  let firstReturn = 0;
  let returns = 0;
  for (const entry of lines(text)) {
    const line = entry.line;
    const value = withoutTrailingBlanks(entry.text);
    if (value === '' || value.startsWith('#')) continue;
    if (value.endsWith('\r')) {
      returns++;
      firstReturn ||= line;
    }
    if (hasLeadingBlank(value)) {
      complaints.warn(
        file,
        line,
        'the line begins with a blank, which is part of the entry, so that it never matches',
      );
    }
    entries.push({ text: value, line });
  }
  if (returns > 0) {
    const more = returns > 1 ? ` (and so do ${returns - 1} more lines)` : '';
    complaints.warn(file, firstReturn, CARRIAGE_RETURN + more);
  }
  return entries;
}

/** The lines of a file as they are, without their LF. The last one needs none. */
export function* lines(text: string): Generator<ListEntry, void, void> {
  let line = 0;
  for (let at = 0; at < text.length; ) {
    const end = text.indexOf('\n', at);
    const next = end < 0 ? text.length : end;
    yield { text: text.slice(at, next), line: ++line };
    at = next + 1;
  }
}

/** Without the spaces and TABs at the end. */
export function withoutTrailingBlanks(line: string): string {
  let end = line.length;
  while (end > 0 && isBlank(line.charCodeAt(end - 1))) end--;
  return end === line.length ? line : line.slice(0, end);
}

const CARRIAGE_RETURN =
  'the line ends in a carriage return (a CRLF file), which is part of the text as in qmail';

function lineOf(text: string): string {
  const end = text.indexOf('\n');
  return withoutTrailingBlanks(end < 0 ? text : text.slice(0, end));
}

function hasLeadingBlank(line: string): boolean {
  return line !== '' && isBlank(line.charCodeAt(0));
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

function leadingDigits(value: string): string {
  return /^[0-9]*/.exec(value)?.[0] ?? '';
}

function toInt(digits: string): number {
  return Math.min(Number(digits), Number.MAX_SAFE_INTEGER);
}

function shown(value: string): string {
  return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
}
