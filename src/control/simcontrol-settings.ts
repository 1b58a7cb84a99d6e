import { lowerAscii } from '../model/address.ts';
import { deadPattern } from './attach-list.ts';

/** The settings of one simcontrol line, and what simscan would have lost or done without a word. */
export interface SimcontrolSettings {
  readonly settings: readonly (readonly [name: string, value: string])[];
  readonly errors: readonly string[];
  readonly warnings: readonly string[];
}

/**
 * Reads `name=value,name=value` as simscan 1.4.1 does (simscan.md 4): the text is cut at every single space, `=`, TAB,
 * CR, LF, comma and quote, and the pieces are taken in pairs. Blanks and quotes therefore shift the pairs; from there on
 * nothing is what it seems, so the rest of the line is left out and reported.
 */
export function parseSettings(text: string): SimcontrolSettings {
  const settings: [string, string][] = [];
  const errors: string[] = [];
  const warnings: string[] = [];
  const pieces = text.split(/[ =\t\r\n,"']/);
  for (let i = 0; i < pieces.length; i += 2) {
    const name = lowerAscii(pieces[i] ?? '');
    const value = pieces[i + 1];
    if (name === '' && pieces.slice(i).every(piece => piece === '')) break;
    if (value === undefined || !/^[a-z][a-z0-9_]*$/.test(name)) {
      errors.push(
        `simscan would lose "${rest(pieces, i)}"; wanted name=value,name=value without blanks and quotes`,
      );
      break;
    }
    if ((name === 'attach' || name === 'regex') && value.split(':').includes('')) {
      errors.push(EMPTY_PATTERN[name]);
      continue;
    }
    if (name !== 'regex' && settings.some(([before]) => before === name)) {
      warnings.push(`${name} stands twice in this line; the last one counts`);
    }
    if (name === 'attach') warnings.push(...value.split(':').flatMap(pattern => deadPattern(pattern) ?? []));
    settings.push([name, value]);
  }
  return { settings, errors, warnings };
}

function rest(pieces: readonly string[], from: number): string {
  return pieces
    .slice(from)
    .filter(piece => piece !== '')
    .join(' … ');
}

const EMPTY_PATTERN = {
  attach:
    'attach= has an empty pattern, which matches every file, so that simscan would refuse every message',
  regex: 'regex= has an empty pattern, which matches every line, so that simscan would refuse every message',
} as const;

/** What simscanmk does to a value besides keeping it: all but the default record is turned into lower case. */
export function lostCapitals(value: string): string | null {
  const list = /(?:^|,)regex=([^,]*[A-Z][^,]*)/i.exec(value)?.[1];
  if (list === undefined || list === lowerAscii(list)) return null;
  return `simscanmk turns the capital letters of regex=${list} into small ones; only the default line keeps them`;
}

/** Why a key is found for no address, or for hardly any (simscan.md 5); null for an ordinary key. */
export function unreachable(key: string): string | null {
  if (key !== lowerAscii(key)) return 'is never looked up: addresses are compared in lower case';
  if (key.includes('*'))
    return 'is never looked up: there are no wildcards; a domain stands for its own addresses';
  if (key.startsWith('.'))
    return `is never looked up: a domain stands for itself alone; wanted ${key.slice(1)}`;
  if (key.startsWith('@')) return `is never looked up: for the domain write ${key.slice(1)}`;
  if (key.endsWith('@')) return 'is looked up only for recipients without a domain';
  if (key.indexOf('@') !== key.lastIndexOf('@')) {
    return 'is looked up only for addresses with as many @: for simscan, the domain begins at the first';
  }
  return null;
}
