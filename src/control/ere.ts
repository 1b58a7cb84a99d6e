import { parseBracket } from './ere-bracket.ts';
import type { EreAnchor, EreNode } from './ere-nodes.ts';
import { EreError, isWord } from './ere-nodes.ts';
import { re2Byte, re2Source } from './ere-re2.ts';

/** A POSIX extended regular expression, ready for RE2. Subjects must be folded with `foldCase` first. */
export interface Ere {
  /** The same expression in RE2's syntax. */
  readonly source: string;
  /** Set for nothing but ordinary and escaped characters, perhaps between `^` and `$`: this text, at those ends. */
  readonly literal: { readonly text: string; readonly start: boolean; readonly end: boolean } | null;
  /** Text that stands in every subject that matches; `''` when nothing is known. */
  readonly required: string;
  /** It has `{n,m}`, so RE2 may still find it too large. */
  readonly counted: boolean;
}

/** ASCII case folding, to capitals, as glibc does for REG_ICASE in the C locale; bytes above 127 are left alone. */
export function foldCase(bytes: string): string {
  if (!/[\x80-\xff]/.test(bytes)) return bytes.toUpperCase();
  return bytes.replace(/[a-z]+/g, letters => letters.toUpperCase());
}

/**
 * Translates an expression as regcomp(3) of glibc 2.36 reads it with REG_EXTENDED | REG_ICASE in the C locale, which is
 * what the qregex patch calls: one char is one byte, `.` and `[^…]` match any byte. Throws EreError for what glibc
 * refuses, and for what RE2 cannot do: back-references, `\<` and `\>` away from word characters, counts above 1000.
 */
export function translateEre(pattern: string): Ere {
  const plain = plainText(pattern);
  if (plain !== null) return plain;
  const parser = new Parser(pattern);
  const nodes = parser.parse();
  return { source: re2Source(nodes), literal: null, required: longestText(nodes), counted: parser.counted };
}

/** Nothing but ordinary and escaped characters, perhaps between `^` and `$`: most lines of long lists are like that. */
const PLAIN = /^(\^?)((?:[^\\^$.*+?()[{|]|\\[^A-Za-z0-9<>`'])*)(\$?)$/s;

function plainText(pattern: string): Ere | null {
  const found = PLAIN.exec(pattern);
  if (found === null) return null;
  const [, start = '', body = '', end = ''] = found;
  const text = foldCase(body.replace(/\\(.)/gs, '$1'));
  const source = start + text.replace(/[^A-Z0-9]/g, re2Byte) + end;
  return { source, literal: { text, start: start !== '', end: end !== '' }, required: text, counted: false };
}

const DEEPEST = 100;
const MOST_REPEATS = 20;
/** RE2's own limit. */
const LARGEST_COUNT = 1000;
const ANCHOR_ESCAPES: Readonly<Record<string, EreAnchor>> = {
  '<': '\\<',
  '>': '\\>',
  b: '\\b',
  B: '\\B',
  '`': '^',
  "'": '$',
};

class Parser {
  readonly #raw: string;
  readonly #text: string;
  #at = 0;
  #depth = 0;
  counted = false;

  constructor(pattern: string) {
    this.#raw = pattern;
    this.#text = foldCase(pattern);
  }

  /** At the top level a `)` that closes nothing is an ordinary character, so this reads everything. */
  parse(): EreNode[] {
    return this.#branches();
  }

  #branches(): EreNode[] {
    const branches: EreNode[][] = [this.#branch()];
    while (this.#text[this.#at] === '|') {
      this.#at++;
      branches.push(this.#branch());
    }
    const [only] = branches;
    return branches.length === 1 && only ? only : [{ kind: 'choice', branches }];
  }

  #branch(): EreNode[] {
    const nodes: EreNode[] = [];
    while (this.#at < this.#text.length) {
      const next = this.#text[this.#at];
      if (next === '|' || (next === ')' && this.#depth > 0)) break;
      nodes.push(...this.#piece());
    }
    return nodes;
  }

  #piece(): readonly EreNode[] {
    const atom = this.#atom();
    // A bare anchor cannot be repeated (one in parentheses can): glibc finds the operator at the start of an expression.
    if (atom.length === 1 && atom[0]?.kind === 'anchor' && this.#text[this.#at - 1] !== ')') return atom;
    let nodes = atom;
    for (let repeats = 1; ; repeats++) {
      const repeat = this.#repeat();
      if (repeat === null) return nodes;
      if (repeats > MOST_REPEATS)
        throw new EreError(`more than ${MOST_REPEATS} repetitions of the same item`);
      nodes = [{ kind: 'repeat', nodes, ...repeat }];
    }
  }

  #atom(): readonly EreNode[] {
    const char = this.#text[this.#at++] as string;
    switch (char) {
      case '(':
        return this.#group();
      case '[': {
        const bracket = parseBracket(this.#text, this.#raw, this.#at);
        if (typeof bracket === 'string') throw new EreError(bracket);
        this.#at = bracket.end;
        return [{ kind: 'set', members: bracket.members }];
      }
      case '.':
        return [{ kind: 'any' }];
      case '^':
      case '$':
        return [{ kind: 'anchor', anchor: char }];
      case '\\':
        return [this.#escape()];
      case '*':
      case '+':
      case '?':
      case '{':
        throw new EreError(`nothing in front of ${char} that it could repeat`);
      default:
        return [{ kind: 'char', char }];
    }
  }

  #group(): readonly EreNode[] {
    if (++this.#depth > DEEPEST) throw new EreError(`parentheses nested more than ${DEEPEST} deep`);
    const nodes = this.#branches();
    if (this.#text[this.#at] !== ')') throw new EreError('a ( without its )');
    this.#at++;
    this.#depth--;
    return nodes;
  }

  #escape(): EreNode {
    const char = this.#raw[this.#at++];
    if (char === undefined) throw new EreError('a \\ at the end');
    const anchor = ANCHOR_ESCAPES[char];
    if (anchor !== undefined) return { kind: 'anchor', anchor };
    if (/[1-9]/.test(char)) throw new EreError(`back-references (\\${char}) are not available`);
    if (char === 'w' || char === 'W') return { kind: 'set', members: membersOf(isWord, char === 'w') };
    if (char === 's' || char === 'S') return { kind: 'set', members: membersOf(isSpace, char === 's') };
    if (/[A-Za-z0]/.test(char)) {
      const hint = char === 'd' ? '; wanted [0-9]' : '';
      throw new EreError(`\\${char} means nothing in a POSIX expression${hint}`);
    }
    return { kind: 'char', char };
  }

  #repeat(): { min: number; suffix: string } | null {
    const char = this.#text[this.#at];
    if (char === '*' || char === '+' || char === '?') {
      this.#at++;
      return { min: char === '+' ? 1 : 0, suffix: char };
    }
    if (char !== '{') return null;
    const interval = /\{([0-9]*)(,?)([0-9]*)\}/y;
    interval.lastIndex = this.#at;
    const found = interval.exec(this.#text);
    const [all = '', low = '', comma = '', high = ''] = found ?? [];
    if (found === null || (low === '' && comma === '')) {
      throw new EreError(
        'a { that begins no count; wanted {n}, {n,}, {,m} or {n,m}, or \\{ for the character',
      );
    }
    const min = Number(low);
    const max = comma === '' ? min : high === '' ? null : Number(high);
    if (max !== null && max < min) throw new EreError(`${all}: the second count is smaller than the first`);
    if ((max ?? min) > LARGEST_COUNT)
      throw new EreError(`${all}: counts above ${LARGEST_COUNT} are not available`);
    this.#at += all.length;
    this.counted = true;
    return { min, suffix: max === null ? `{${min},}` : `{${min},${max}}` };
  }
}

function longestText(nodes: readonly EreNode[]): string {
  let longest = '';
  let run = '';
  for (const node of nodes) {
    if (node.kind === 'anchor') continue;
    run = node.kind === 'char' ? run + node.char : '';
    if (run.length > longest.length) longest = run;
  }
  return longest;
}

function membersOf(test: (code: number) => boolean, wanted: boolean): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, code) => (test(code) === wanted ? 1 : 0));
}

function isSpace(code: number): boolean {
  return code === 0x20 || (code >= 0x09 && code <= 0x0d);
}
