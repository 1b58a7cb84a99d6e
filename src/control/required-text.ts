/** Where a character class or group that begins at `start` is over; -1 when it never is. */
type Skip = (source: string, start: number) => number;

/** Escapes of one letter that stand for one character of a class, or for a place. */
const ONE_LETTER = /[dDwWsSbBAztnrfva]/;

/**
 * Texts that every match of an expression contains, the longest first; none when that is not known. In: the syntax of
 * RE2. Alternatives at the top, flags and rare escapes are not gone into: they only cost speed.
 */
export function requiredTexts(source: string): readonly string[] {
  if (/\(\?(?!:|P?<)|\\[QEC]/.test(source)) return [];
  const texts: string[] = [];
  let run = '';
  const end = (text: string) => {
    if (text !== '') texts.push(text);
    run = '';
  };
  for (let at = 0; at < source.length; ) {
    const character = source[at] as string;
    switch (character) {
      case '|':
        return [];
      case '[':
      case '(': {
        end(run);
        at = (character === '[' ? classEnd : groupEnd)(source, at);
        if (at < 0) return [];
        continue;
      }
      case '?':
      case '*':
      case '{':
        // What stands before it may be missing.
        end(run.slice(0, -1));
        if (character === '{') at = source.indexOf('}', at);
        if (at < 0) return [];
        break;
      case '+':
      case '.':
      case '^':
      case '$':
        end(run);
        break;
      case '\\': {
        at++;
        const escaped = source[at] ?? '';
        if (/[^A-Za-z0-9]/.test(escaped)) run += escaped;
        else if (ONE_LETTER.test(escaped)) end(run);
        else return [];
        break;
      }
      default:
        run += character;
    }
    at++;
  }
  end(run);
  return [...new Set(texts)].toSorted((a, b) => b.length - a.length);
}

const classEnd: Skip = (source, start) => {
  let at = start + 1;
  if (source[at] === '^') at++;
  // A bracket that comes first is one of the characters.
  if (source[at] === ']') at++;
  for (; at < source.length; at++) {
    if (source[at] === '\\') at++;
    else if (source[at] === '[' && source[at + 1] === ':') {
      const named = source.indexOf(':]', at + 2);
      if (named >= 0) at = named + 1;
    } else if (source[at] === ']') return at + 1;
  }
  return -1;
};

const groupEnd: Skip = (source, start) => {
  let depth = 0;
  for (let at = start; at < source.length; at++) {
    const character = source[at];
    if (character === '\\') at++;
    else if (character === '[') {
      at = classEnd(source, at) - 1;
      if (at < 0) return -1;
    } else if (character === '(') depth++;
    else if (character === ')' && --depth === 0) return at + 1;
  }
  return -1;
};
