import { macroValue } from './spf-evaluate.ts';
import type { SpfClient } from './spf-evaluate.ts';
import { transformed } from './spf-macro.ts';

/** What the macros of the patch's own stand for: `%{xS}` and `%{xE}`. */
export interface ClassicMacros {
  /** `SPF record at DOMAIN` or `local policy`. */
  readonly source: string;
  /** The term that was not understood, or `''`. */
  readonly error: string;
}

/** The text of `spfexp` when nobody has set it (spf.h of qmail-spf rc5). */
export const CLASSIC_EXPLANATION = 'See http://spf.pobox.com/why.html?sender=%{S}&ip=%{I}&receiver=%{xR}';

const MACRO = /%(?:([%_-])|\{(x?)([a-z])([0-9]{0,9})(r?)([.\-+,/_=]*)\})/gi;
const ESCAPES: Readonly<Record<string, string>> = { '%': '%', _: ' ', '-': '%20' };
const MAX_EXPANDED = 4096;

/**
 * Expands `spfexp` as the qmail patch does: macros of RFC 7208 and `%{xR}`, `%{xS}`, `%{xE}`; what is no macro stays as it
 * is. `%{p}` is `unknown`: nobody is asked for the sake of a text. Cut at 4096 characters.
 */
export function classicExplanation(
  text: string,
  client: SpfClient,
  domain: string,
  own: ClassicMacros,
): string {
  const expanded = text.replace(
    MACRO,
    (whole, escape: string | undefined, x = '', name = '', digits = '', reverse = '', delimiters = '') => {
      if (escape !== undefined) return ESCAPES[escape] ?? whole;
      const letter = String(name).toLowerCase();
      if (x !== '') return ownMacro(letter, client, own) ?? whole;
      if (!'slodiphvcrt'.includes(letter)) return whole;
      const value = letter === 'p' ? 'unknown' : macroValue(letter, client, domain);
      const parts = transformed(value.slice(0, MAX_EXPANDED), {
        keep: Number(digits),
        reverse: reverse !== '',
        delimiters: String(delimiters) || '.',
      });
      return name === letter ? parts : classicEncoded(parts);
    },
  );
  return expanded.slice(0, MAX_EXPANDED);
}

/** Printable ASCII on one line, for a client to read; other bytes become `?`. */
export function printableExplanation(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?');
}

function ownMacro(letter: string, { receiver }: SpfClient, { source, error }: ClassicMacros): string | null {
  if (letter === 'r') return receiver || 'unknown';
  if (letter === 's') return source;
  return letter === 'e' ? error : null;
}

/** The patch encodes with lower-case digits, `~` as well, and leaves `! ' ( ) * ,` alone. */
function classicEncoded(bytes: string): string {
  return bytes.replace(/[^A-Za-z0-9!'()*,\-._]/g, c => `%${c.charCodeAt(0).toString(16).padStart(2, '0')}`);
}
