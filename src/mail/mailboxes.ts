import { decodeWords } from './words.ts';

interface Token {
  readonly kind: 'word' | 'quoted' | 'special';
  /** As written; of a quoted string with its quotes. */
  readonly text: string;
  /** Blanks, a line break, control bytes or a comment stand before it. */
  readonly spaced: boolean;
}

/** More is no author's field; who must see all of them says so. */
const MAX_MAILBOXES = 100;

/**
 * An atom with its dots, 8-bit bytes and whatever else is no special; encoded words are part of it even with an `@` inside,
 * as careless senders write them in display names.
 */
const WORD =
  /(?:=\?[^\x00-\x20?<>@",;:()\\\x7f]{1,60}\?[bqBQ]\?[^\x00-\x20?<>",;:()\\\x7f]*\?=)*[^\x00-\x20<>@",;:()\x7f]*/y;
const ADDRESS_LITERAL = /\[[0-9A-Za-z:.-]*\]/y;
const BLANKS = /[\x00-\x20\x7f]+/y;

/**
 * The addresses (RFC 5322 3.4.1 addr-spec) in the value of a From or Sender field: a byte string, folded or not, of any
 * bytes. Out come byte strings, distinct, in their order, at most `limit`: the local part as written with its quotes, `@`,
 * and the domain as written without blanks and comments; either may be nonsense, and the local part empty.
 *
 * Comments, quoted display names, group names, encoded words and source routes are left out. Where readers of mail
 * disagree about which address is the author's, all that they see come out, so that whoever asks for one author finds
 * several: `a@bank.example <b@evil.example>`, `<a@x> <b@y>`, `a@x@y`, a quote or comment that never ends, a domain with a
 * gap in it (`a@bank.example .evil.example`), an address in encoded words or quotes where nothing else is one. Linear time;
 * never throws.
 */
export function mailboxes(value: string, limit: number = MAX_MAILBOXES): readonly string[] {
  const found = new Set<string>();
  const inner: string[] = [];
  for (const element of elements(tokens(value, true))) {
    const own = addresses(element);
    for (const address of own) if (found.size < limit) found.add(address);
    // Some readers decode before they parse, and cut the address at a decoded NUL ("Mailsploit", 2017).
    inner.push(...(own.length > 0 ? own.filter(address => address.includes('=?')) : [hidden(element)]));
  }
  for (const text of inner) {
    if (!text.includes('@') && !text.includes('=?')) continue;
    const decoded = Buffer.from(decodeWords(text)).toString('latin1');
    for (const element of elements(tokens(decoded, false)))
      for (const address of addresses(element)) if (found.size < limit) found.add(address);
  }
  return [...found];
}

/** `quoting`: quoted strings and comments are what they are; else their marks only separate. */
function tokens(text: string, quoting: boolean): readonly Token[] {
  const list: Token[] = [];
  // The first one that never ends says that no later one does, and each byte is looked at a fixed number of times.
  let quotes = quoting;
  let comments = quoting;
  let spaced = false;
  const add = (kind: Token['kind'], from: number, to: number): number => {
    list.push({ kind, text: text.slice(from, to), spaced });
    spaced = false;
    return to;
  };
  let at = 0;
  while (at < text.length) {
    const c = text[at];
    const blanksEnd = endOf(BLANKS, text, at);
    if (blanksEnd > at) {
      spaced = true;
      at = blanksEnd;
    } else if (c === '"') {
      const end = quotes ? quotedEnd(text, at) : -1;
      quotes = quotes && end > 0;
      at = end > 0 ? add('quoted', at, end) : at + 1;
    } else if (c === '(') {
      const end = comments ? commentEnd(text, at) : -1;
      comments = comments && end > 0;
      spaced = true;
      at = end > 0 ? end : at + 1;
    } else if (c === ')') {
      spaced = true;
      at++;
    } else {
      const wordEnd = Math.max(endOf(ADDRESS_LITERAL, text, at), endOf(WORD, text, at));
      at = wordEnd > at ? add('word', at, wordEnd) : add('special', at, at + 1);
    }
  }
  return list;
}

function endOf(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : at;
}

/** Offset past the closing quote, or -1. */
function quotedEnd(text: string, start: number): number {
  for (let i = start + 1; i < text.length; i++) {
    if (text[i] === '\\') i++;
    else if (text[i] === '"') return i + 1;
  }
  return -1;
}

/** Comments nest (RFC 5322 3.2.2). Offset past the closing bracket, or -1. */
function commentEnd(text: string, start: number): number {
  let depth = 0;
  for (let i = start; i < text.length; i++) {
    const c = text[i];
    if (c === '\\') i++;
    else if (c === '(') depth++;
    else if (c === ')' && --depth === 0) return i + 1;
  }
  return -1;
}

/** What stands between commas and semicolons; those of a source route separate nothing. */
function* elements(list: readonly Token[]): Generator<readonly Token[]> {
  let start = 0;
  let angle = false;
  for (const [i, { kind, text }] of list.entries()) {
    if (kind !== 'special') continue;
    if (text === '<') angle = true;
    else if (text === '>') angle = false;
    else if (!angle && (text === ',' || text === ';')) {
      yield list.slice(start, i);
      start = i + 1;
    }
  }
  yield list.slice(start);
}

/** Each `@` of an element with what adjoins it. */
function addresses(element: readonly Token[]): string[] {
  const found: string[] = [];
  const lastAngle = element.findLastIndex(token => isSpecial(token, '<'));
  let angle = false;
  for (const [i, token] of element.entries()) {
    if (isSpecial(token, '<')) angle = true;
    else if (isSpecial(token, '>')) angle = false;
    if (!isSpecial(token, '@')) continue;
    const first = element[i + 1];
    // `Jane @ Work <jane@example.com>`: nobody reads an address there.
    if ((token.spaced || first?.spaced === true) && !angle && i < lastAngle) continue;
    const local = localPart(element, i);
    const { head, whole, next } = domain(element, i);
    if (whole === '') continue;
    const route = angle && local === '' && (isSpecial(next, ',') || isSpecial(next, ':'));
    if (route) continue;
    if (head !== whole) found.push(`${local}@${head}`);
    found.push(`${local}@${whole}`);
  }
  return found;
}

function isSpecial(token: Token | undefined, text: string): boolean {
  return token?.kind === 'special' && token.text === text;
}

/** The words before the `@`; obsolete syntax has blanks around the dots (RFC 5322 4.4). */
function localPart(element: readonly Token[], at: number): string {
  const words: string[] = [];
  for (let i = at - 1; i >= 0; i--) {
    const word = element[i];
    const after = element[i + 1];
    if (word === undefined || word.kind === 'special') break;
    if (words.length > 0 && after?.spaced === true && !atDot(word.text, after.text)) break;
    words.push(word.text);
  }
  return words.toReversed().join('');
}

/** The words after the `@`: `head` up to the first gap, `whole` across gaps at dots; and what stands behind. */
function domain(element: readonly Token[], at: number) {
  let head: string | null = null;
  const words: string[] = [];
  let i = at + 1;
  for (; i < element.length; i++) {
    const word = element[i];
    const before = element[i - 1];
    if (word === undefined || before === undefined || word.kind === 'special') break;
    if (words.length > 0 && word.spaced) {
      if (!atDot(before.text, word.text)) break;
      head ??= words.join('');
    }
    words.push(word.kind === 'quoted' ? unquoted(word.text) : word.text);
  }
  const whole = words.join('');
  return { head: head ?? whole, whole, next: element[i] };
}

function atDot(left: string, right: string): boolean {
  return left.endsWith('.') || right.startsWith('.');
}

function unquoted(text: string): string {
  return text.slice(1, -1).replace(/\\([\s\S])/g, '$1');
}

/** The words of an element that holds no address, to be read by those who decode and unquote first. */
function hidden(element: readonly Token[]): string {
  const words = element.filter(token => token.kind !== 'special');
  return words.map(({ kind, text }) => (kind === 'quoted' ? unquoted(text) : text)).join(' ');
}
