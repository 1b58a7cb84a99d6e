import type { Complaints } from './complaints.ts';

export interface Word {
  readonly text: string;
  /** The line of the file on which the word begins, from 1. */
  readonly line: number;
}

/**
 * The words of a control file that is written like a command line, a list of them for each line: blanks part words,
 * quotes of either kind keep blanks in them, a line that begins with `#` is a comment, and one that ends in a backslash
 * goes on in the next, since such lines are pasted from run scripts. Nothing is expanded, and a backslash elsewhere
 * is a byte like any other.
 */
export function shellWords(text: string, file: string, complaints: Complaints): Word[][] {
  const commands: Word[][] = [];
  let words: Word[] = [];
  text.split('\n').forEach((raw, index) => {
    const trimmed = raw.trim();
    if (trimmed.startsWith('#')) return;
    const goesOn = trimmed.endsWith('\\');
    const line = index + 1;
    words.push(...lineWords(goesOn ? trimmed.slice(0, -1) : trimmed, line, file, complaints));
    if (goesOn) return;
    if (words.length > 0) commands.push(words);
    words = [];
  });
  if (words.length > 0) commands.push(words);
  return commands;
}

function lineWords(text: string, line: number, file: string, complaints: Complaints): Word[] {
  const words: Word[] = [];
  let word: string | null = null;
  let quote = '';
  for (const char of text) {
    if (quote !== '') {
      if (char === quote) quote = '';
      else word = (word ?? '') + char;
    } else if (char === '"' || char === "'") {
      quote = char;
      word ??= '';
    } else if (char !== ' ' && char !== '\t') word = (word ?? '') + char;
    else if (word !== null) {
      words.push({ text: word, line });
      word = null;
    }
  }
  if (quote !== '') complaints.error(file, line, `the quote ${quote} is not closed`);
  else if (word !== null) words.push({ text: word, line });
  return words;
}
