import { RE2JS, RE2JSException } from 're2js';
import { requiredTexts } from './required-text.ts';

/** An expression in Perl's syntax, as qmail-scanner and simscan (PCRE) have them. */
export interface PerlPattern {
  /**
   * Takes time in proportion to the subject, whatever the expression: RE2 does not backtrack. The caller bounds the
   * subject. Case-sensitive unless the expression says `(?i)`.
   */
  matches(subject: string): boolean;
  /** Texts that every match contains, the longest first; none when that is not known. */
  readonly required: readonly string[];
}

const LONGEST_PATTERN = 4096;

/** Letters, digits, `.`, `.*`, escaped punctuation: most of what people write, and nothing in it can be wrong. */
const SIMPLE = /^(?:\.\*|[^\\^$.[\]()?*+{}|]|\.|\\[^A-Za-z0-9\x80-\uffff])*$/;

/**
 * Prepares an expression; a string says why it cannot be used. `whole`: it has to match the subject from beginning to
 * end, as if `^(?:` and `)$` stood around it. A dot matches every character. What RE2 has not, since it cannot be
 * matched in linear time, is named: look-around, backreferences, possessive and atomic groups.
 */
export function perlPattern(source: string, whole: boolean): PerlPattern | string {
  if (source.length > LONGEST_PATTERN) return `longer than ${LONGEST_PATTERN} bytes`;
  const text = whole ? `^(?:${source})$` : source;
  let compiled: RE2JS | null = null;
  if (!SIMPLE.test(source)) {
    try {
      compiled = RE2JS.compile(source, RE2JS.DOTALL);
      if (whole) compiled = RE2JS.compile(text, RE2JS.DOTALL);
    } catch (error) {
      if (!(error instanceof RE2JSException)) throw error;
      return unavailable(source) ?? error.message.replace(/^error parsing regexp: /, '');
    }
  }
  const required = requiredTexts(source);
  return {
    required,
    matches(subject) {
      for (const one of required) if (!subject.includes(one)) return false;
      compiled ??= RE2JS.compile(text, RE2JS.DOTALL);
      return compiled.test(subject);
    },
  };
}

/** What Perl has and RE2 has not, by how it is written. */
const UNAVAILABLE: readonly (readonly [RegExp, string])[] = [
  [/\(\?<?[=!]/, 'look-around, (?=…) (?!…) (?<=…) (?<!…), is not available'],
  [/\\(?:[1-9]|g\{?-?\d|k[<{'])/, 'a backreference, \\1 or \\k<name>, is not available'],
  [/\(\?>/, 'an atomic group, (?>…), is not available'],
  [/[*+?}]\+/, 'a possessive quantifier, *+ ++ ?+, is not available'],
  [/\(\?(?:R|\d|&|P>)/, 'recursion, (?R), is not available'],
  [/\(\?\(/, 'a condition, (?(…)…), is not available'],
  [/\(\?\{/, 'code, (?{…}), is not available'],
  [/\(\?#/, 'a comment, (?#…), is not available'],
  [/\(\?[a-z]*x/, 'the flag x is not available'],
  [/\\Z/, '\\Z is not available; write $'],
  [/\\[GKRXNhHe]|\\c./, 'one of \\G \\K \\R \\X \\N \\h \\H \\e \\c is not available'],
];

function unavailable(source: string): string | null {
  return UNAVAILABLE.find(([form]) => form.test(source))?.[1] ?? null;
}
