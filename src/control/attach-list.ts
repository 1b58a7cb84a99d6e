import { lowerAscii } from '../model/address.ts';
import type { Complaints } from './complaints.ts';
import type { Parsed } from './kinds.ts';
import { lines } from './readers.ts';
import { charactersOf } from './utf8-text.ts';

/** simscan's list of refused attachment names: ends of names. */
export interface AttachList {
  /** In order, Unicode. */
  readonly patterns: readonly string[];
  readonly size: number;
  /** The pattern with which `name` (lower case) ends, the longest one; null when there is none. Takes no longer for a longer list. */
  find(name: string): string | null;
}

/** As many lines, and bytes in a line, as simscan 1.4.1 reads of ssattach (simscan.md 7.3). */
const LINES = 100;
const LINE_BYTES = 99;

/**
 * The file ssattach, as simscan 1.4.1 reads it (simscan.md 7.3): of each line only what stands before the first blank
 * or colon counts, in lower case; `#` is no comment sign. Whatever is lost by that is a warning. Lines past the 100th
 * and bytes past the 99th, which simscan would not see, count here, with a warning.
 */
export function parseSsattach(text: string, file: string, complaints: Complaints): AttachList {
  const patterns: string[] = [];
  let last = 0;
  for (const { text: raw, line } of lines(text)) {
    last = line;
    const [pattern, ...lost] = raw.split(/[ :\t\r]+/).filter(token => token !== '');
    if (raw.length > LINE_BYTES) {
      complaints.warn(file, line, `longer than ${LINE_BYTES} bytes, where simscan cuts a line in two`);
    }
    if (pattern === undefined) continue;
    if (pattern.startsWith('#')) {
      complaints.warn(file, line, `# is no comment sign here: "${pattern}" is a pattern like any other`);
    }
    if (lost.length > 0) {
      complaints.warn(
        file,
        line,
        `only "${pattern}" counts, and "${shown(lost)}" is lost: simscan takes one pattern a line`,
      );
    }
    const dead = deadPattern(pattern);
    if (dead !== null) complaints.warn(file, line, dead);
    patterns.push(lowerAscii(pattern));
  }
  if (last > LINES) {
    complaints.warn(
      file,
      LINES + 1,
      `simscan reads ${LINES} lines; here the other ${last - LINES} count too`,
    );
  }
  return attachList(patterns);
}

function shown(lost: readonly string[]): string {
  const text = lost.join(' ');
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

/** Why no file name ends with `pattern`; null for one that may match. */
export function deadPattern(pattern: string): string | null {
  if (/[*?]/.test(pattern)) {
    return `"${pattern}" is compared as it stands, so that it matches no file; for every .exe file write .exe`;
  }
  if (/[/\\]/.test(pattern)) return `"${pattern}" matches no file: a name has no folder in it`;
  return null;
}

/**
 * simcontrol's `attach=.exe:.com`. Capital letters stay, and then match nothing, as in simscan. Empty patterns, which
 * would match every file, are reported where the line is read, and left out.
 */
export function parseAttachValue(value: string): Parsed<AttachList> {
  return { value: attachList(value.split(':').filter(pattern => pattern !== '')) };
}

/** A list of these patterns, byte strings. */
export function attachList(bytes: readonly string[]): AttachList {
  const patterns = bytes.map(charactersOf);
  const all = new Set(patterns);
  const lengths = [...new Set(patterns.map(pattern => pattern.length))].toSorted((a, b) => b - a);
  return {
    patterns,
    size: patterns.length,
    find(name) {
      for (const length of lengths) {
        if (length > name.length) continue;
        const end = name.slice(name.length - length);
        if (all.has(end)) return end;
      }
      return null;
    },
  };
}
