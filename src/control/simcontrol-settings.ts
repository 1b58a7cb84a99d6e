import { lowerAscii } from '../model/address.ts';

/** The settings of one simcontrol line, and what simscan would have lost or done without a word. */
export interface SimcontrolSettings {
  readonly settings: readonly (readonly [name: string, value: string])[];
  readonly errors: readonly string[];
}

/**
 * Reads `name=value,name=value` as simscan 1.4.1 does (simscan.md 4): the text is cut at every single space, `=`, TAB,
 * CR, LF, comma and quote, and the pieces are taken in pairs. Blanks and quotes therefore shift the pairs; from there on
 * nothing is what it seems, so the rest of the line is left out and reported.
 */
export function parseSettings(text: string): SimcontrolSettings {
  const settings: [string, string][] = [];
  const errors: string[] = [];
  const pieces = text.split(/[ =\t\r\n,"']/);
  for (let i = 0; i < pieces.length; i += 2) {
    const name = lowerAscii(pieces[i] ?? '');
    const value = pieces[i + 1];
    if (name === '' && pieces.slice(i).every(piece => piece === '')) break;
    if (value === undefined || !/^[a-z][a-z0-9_]*$/.test(name)) {
      const rest = pieces
        .slice(i)
        .filter(piece => piece !== '')
        .join(' … ');
      errors.push(`simscan would lose "${rest}"; wanted name=value,name=value without blanks and quotes`);
      break;
    }
    if (name === 'attach' && value.split(':').includes('')) {
      errors.push(
        'attach= has an empty pattern, which matches every file, so that simscan would refuse every message',
      );
      continue;
    }
    settings.push([name, value]);
  }
  return { settings, errors };
}
