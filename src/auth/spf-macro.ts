/** A piece of a macro-string (RFC 7208 7.1). */
export type MacroToken =
  | { readonly kind: 'literal'; readonly text: string }
  /** `%%`, `%_`, `%-`: what it stands for. */
  | { readonly kind: 'escape'; readonly text: string }
  | {
      readonly kind: 'macro';
      /** Lower case. */
      readonly letter: string;
      /** The letter was a capital: the value is URL-encoded. */
      readonly encode: boolean;
      /** How many parts to keep from the right; 0: all. */
      readonly keep: number;
      readonly reverse: boolean;
      readonly delimiters: string;
    };

/** Where a macro-string stands: `c`, `r` and `t` belong into explanations and unknown modifiers, blanks into explanations. */
export type MacroPlace = 'domain' | 'modifier' | 'explanation';

/** The value of a macro letter, a byte string. */
export type MacroValue = (letter: string) => string;

const DOMAIN_LETTERS = 'slodiphv';
const ALL_LETTERS = `${DOMAIN_LETTERS}crt`;
const MACRO = /^%\{([a-z])([0-9]{0,9})(r?)([.\-+,/_=]*)\}/i;
const ESCAPES: Readonly<Record<string, string>> = { '%%': '%', '%_': ' ', '%-': '%20' };
/** toplabel of RFC 7208 7.1: letters, digits and inner hyphens, and not digits alone. */
const TOPLABEL = /^(?=.*[a-z-])[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/i;
/** Expansion stops here: a name has 253 bytes, a reply some lines, and a record can ask for megabytes. */
const MAX_EXPANDED = 16_384;

/** Takes a macro-string apart; null: it breaks the grammar of RFC 7208 7.1. */
export function parseMacros(text: string, place: MacroPlace): readonly MacroToken[] | null {
  const letters = place === 'domain' ? DOMAIN_LETTERS : ALL_LETTERS;
  const literal = place === 'explanation' ? /^[\x20-\x24\x26-\x7e]+/ : /^[\x21-\x24\x26-\x7e]+/;
  const tokens: MacroToken[] = [];
  for (let at = 0; at < text.length; ) {
    // No macro is longer than this, so that a long text is not copied for each.
    const rest = text.charAt(at) === '%' ? text.slice(at, at + 64) : text.slice(at);
    const plain = literal.exec(rest);
    if (plain !== null) {
      tokens.push({ kind: 'literal', text: plain[0] });
      at += plain[0].length;
      continue;
    }
    const escape = ESCAPES[rest.slice(0, 2)];
    if (escape !== undefined) {
      tokens.push({ kind: 'escape', text: escape });
      at += 2;
      continue;
    }
    const macro = MACRO.exec(rest);
    if (macro === null) return null;
    const [whole, name = '', digits = '', reverse = '', delimiters = ''] = macro;
    const letter = name.toLowerCase();
    if (!letters.includes(letter) || (digits !== '' && Number(digits) === 0)) return null;
    tokens.push({
      kind: 'macro',
      letter,
      encode: name !== letter,
      keep: Number(digits),
      reverse: reverse !== '',
      delimiters: delimiters || '.',
    });
    at += whole.length;
  }
  return tokens;
}

/** A domain-spec (RFC 7208 7.1): a macro-string that ends in a macro or in `.toplabel`, dot behind it or not. */
export function parseDomainSpec(text: string): readonly MacroToken[] | null {
  const tokens = parseMacros(text, 'domain');
  const last = tokens?.at(-1);
  if (tokens === null || last === undefined) return null;
  if (last.kind !== 'literal') return tokens;
  const tail = last.text.replace(/\.$/, '');
  const dot = tail.lastIndexOf('.');
  return dot >= 0 && TOPLABEL.test(tail.slice(dot + 1)) ? tokens : null;
}

/** The text that tokens stand for, cut at 16 KiB. */
export function expandMacros(tokens: readonly MacroToken[], value: MacroValue): string {
  let text = '';
  for (const token of tokens) {
    if (token.kind === 'macro') {
      const parts = transformed(value(token.letter), token);
      text += token.encode ? urlEncoded(parts) : parts;
    } else text += token.text;
    if (text.length > MAX_EXPANDED) return text.slice(0, MAX_EXPANDED);
  }
  return text;
}

/** True when `%{p}` is among them, whose value costs DNS look-ups. */
export function asksForName(tokens: readonly MacroToken[]): boolean {
  return tokens.some(token => token.kind === 'macro' && token.letter === 'p');
}

/** Splits at the delimiters, turns round, keeps parts from the right, joins with dots (RFC 7208 7.1, 7.3). */
export function transformed(
  value: string,
  {
    keep,
    reverse,
    delimiters,
  }: { readonly keep: number; readonly reverse: boolean; readonly delimiters: string },
): string {
  if (delimiters === '.' && !reverse && keep === 0) return value;
  const parts: string[] = [];
  let from = 0;
  for (let i = 0; i <= value.length; i++) {
    if (i < value.length && !delimiters.includes(value.charAt(i))) continue;
    parts.push(value.slice(from, i));
    from = i + 1;
  }
  if (reverse) parts.reverse();
  return (keep === 0 ? parts : parts.slice(-keep)).join('.');
}

/** Byte by byte; unreserved characters of RFC 3986 stay. */
function urlEncoded(bytes: string): string {
  return bytes.replace(
    /[^A-Za-z0-9\-._~]/g,
    c => `%${c.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  );
}
