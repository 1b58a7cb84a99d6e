/** A bracket expression: which of the 256 bytes it matches, and where the text goes on after its `]`. */
export interface Bracket {
  readonly members: Uint8Array;
  readonly end: number;
}

/**
 * Reads the bracket expression whose `[` stands just before `start`, as glibc does for REG_ICASE in the C locale: a
 * first `]` and a last `-` are literal, so is every backslash; `[:alpha:]`, `[=a=]`, `[.a.]` and ranges are known. `text`
 * is the pattern folded to capitals, `raw` as it was written (class names are not folded). A string says what is wrong.
 */
export function parseBracket(text: string, raw: string, start: number): Bracket | string {
  const members = new Uint8Array(256);
  let at = start;
  const negated = text[at] === '^';
  if (negated) at++;
  for (let first = true; first || text[at] !== ']'; first = false) {
    const from = element(text, raw, at);
    if (typeof from === 'string') return from;
    if (text[at] === '-' && !first && text[at + 1] !== ']') return 'a - that belongs to no range in […]';
    at = from.end;
    if (from.set !== null) {
      for (const code of from.set) members[code] = 1;
      continue;
    }
    if (from.equivalents || text[at] !== '-' || text[at + 1] === ']') {
      members[from.code] = 1;
      continue;
    }
    const to = element(text, raw, at + 1);
    if (typeof to === 'string') return to;
    if (to.set !== null || to.equivalents) return 'a range in […] that ends in a class';
    if (to.code < from.code) {
      return `the range ${raw.slice(at - 1, to.end)} in […] runs backwards (letters count as capitals here)`;
    }
    for (let code = from.code; code <= to.code; code++) members[code] = 1;
    at = to.end;
  }
  if (negated) for (const [code, member] of members.entries()) members[code] = 1 - member;
  return members.includes(1) ? { members, end: at + 1 } : 'a […] that matches nothing';
}

const UNCLOSED = 'a [ without its ]';

interface Element {
  readonly code: number;
  /** Bytes of a `[:class:]`, else null. */
  readonly set: readonly number[] | null;
  /** It was `[=a=]`, which cannot begin or end a range. */
  readonly equivalents: boolean;
  readonly end: number;
}

function element(text: string, raw: string, at: number): Element | string {
  const char = text[at];
  if (char === undefined) return UNCLOSED;
  const kind = text[at + 1];
  if (char !== '[' || (kind !== ':' && kind !== '=' && kind !== '.')) {
    return { code: char.charCodeAt(0), set: null, equivalents: false, end: at + 1 };
  }
  const close = text.indexOf(`${kind}]`, at + 2);
  if (close < 0) return UNCLOSED;
  const end = close + 2;
  if (kind === ':') {
    const name = raw.slice(at + 2, close);
    const set = CLASSES.get(name);
    return set ? { code: 0, set, equivalents: false, end } : `[:${name}:] is no character class`;
  }
  const name = text.slice(at + 2, close);
  if (name.length !== 1) return `[${kind}${name}${kind}] is no single character`;
  return { code: name.charCodeAt(0), set: null, equivalents: kind === '=', end };
}

/** The classes of the C locale, case ignored: `upper` and `lower` are every letter. */
const CLASSES: ReadonlyMap<string, readonly number[]> = new Map([
  ['alnum', codes('09', 'AZ', 'az')],
  ['alpha', codes('AZ', 'az')],
  ['blank', codes('  ', '\t\t')],
  ['cntrl', codes('\x00\x1f', '\x7f\x7f')],
  ['digit', codes('09')],
  ['graph', codes('!~')],
  ['lower', codes('AZ', 'az')],
  ['print', codes(' ~')],
  ['punct', codes('!/', ':@', '[`', '{~')],
  ['space', codes('  ', '\t\r')],
  ['upper', codes('AZ', 'az')],
  ['xdigit', codes('09', 'AF', 'af')],
]);

/** The codes of ranges, each given as its first and its last character. */
function codes(...ranges: readonly string[]): number[] {
  return ranges.flatMap(range => {
    const first = range.charCodeAt(0);
    return Array.from({ length: range.charCodeAt(1) - first + 1 }, (_, i) => first + i);
  });
}
