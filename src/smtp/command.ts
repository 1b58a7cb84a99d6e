/** The SMTP verbs that we know, and whether they may carry text after them. */
export const VERBS = {
  HELO: 'text',
  EHLO: 'text',
  MAIL: 'text',
  RCPT: 'text',
  DATA: 'none',
  RSET: 'none',
  NOOP: 'any',
  QUIT: 'none',
  VRFY: 'any',
  EXPN: 'any',
  HELP: 'any',
  STARTTLS: 'none',
} as const;

export type Verb = keyof typeof VERBS;

/** A command line taken apart. */
export interface Command {
  /** null: not a verb we know. */
  readonly verb: Verb | null;
  /** What follows the verb and its blanks, a byte string; trailing blanks removed. */
  readonly argument: string;
}

/**
 * Takes a command line (a byte string without its line end) apart. Verbs are case-insensitive and end at the first
 * blank; blanks after the argument are tolerated (RFC 5321 4.1.1).
 */
export function parseCommand(line: string): Command {
  const text = line.replace(/[ \t]+$/, '');
  const blank = text.search(/[ \t]/);
  const word = (blank < 0 ? text : text.slice(0, blank)).toUpperCase();
  const argument = blank < 0 ? '' : text.slice(blank).replace(/^[ \t]+/, '');
  return { verb: Object.hasOwn(VERBS, word) ? (word as Verb) : null, argument };
}
