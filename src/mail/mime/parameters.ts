import { joinContinuations, splitExtended } from './continuations.ts';
import type { Segment } from './continuations.ts';
import type { Parameterised } from './parameterised.ts';

/** Readings of one value, the most plausible first, and where the next parameter begins. */
interface Values {
  readonly readings: readonly string[];
  readonly end: number;
  readonly valid: boolean;
}

const MAX_FIELD = 65_536;
const MAX_PARAMETERS = 256;
const MAX_RAW = 4096;
const BLANKS = ' \t\r\n';

/** Stands for a byte of a comment; no byte string has it. */
const MASK = '\uffff';

/** What stands between parameters. RFC 2045 wants a semicolon; commas are seen too. */
const SEPARATORS = `${BLANKS};,`;

/** A further parameter without a semicolon before it: `name=a.txt charset=b`. */
const NEXT_PARAMETER = /[\s,(][\s,(]*[a-z][\w.-]*(?:\*\d{0,9})?\*?[ \t]*=(?!\?)/i;

/**
 * Takes a field such as Content-Type or Content-Disposition apart (RFC 2045 5.1, RFC 2183, RFC 2231), as its readers
 * do: with missing semicolons, stray quotes, blanks round `=`, unquoted values with blanks, comments, gaps and doubles
 * in continuations. Where readers differ there is a Parameter for each reading. In: the unfolded field as a byte string,
 * of which 64 KiB are read; out: at most some 256 parameters. Linear time; never throws.
 */
export function parseParameterised(value: string): Parameterised {
  const text = value.length > MAX_FIELD ? value.slice(0, MAX_FIELD) : value;
  const head = firstWord(text);
  const scan = new FieldScan(text, false);
  scan.run(head.end);
  return {
    value: head.word,
    parameters: joinContinuations(scan.segments),
    valid: head.valid && scan.valid && text.length === value.length,
  };
}

function firstWord(text: string): { word: string; end: number; valid: boolean } {
  let at = skipBlanks(text, 0);
  const start = at;
  if (text[at] === '(') at = skipBlanks(text, Math.max(commentEnd(text, at), at));
  // A token, blanks round the slash as RFC 822 allowed.
  const match = /^"?([^\s;,"()=]*(?:[ \t]*\/[ \t]*[^\s;,"()=]*)?)"?/.exec(text.slice(at, at + 1000));
  const word = (match?.[1] ?? '').replace(/[ \t]/g, '').toLowerCase();
  const end = at + (match?.[0].length ?? 0);
  // `Content-Disposition: filename=a.exe`: the first word is a parameter already.
  if (text[skipBlanks(text, end)] === '=') return { word: '', end: start, valid: false };
  const wellFormed = /^[!#-'*+.0-9^-~-]+(?:\/[!#-'*+.0-9^-~-]+)?$/.test(word) && text[at] !== '"';
  return { word, end, valid: wellFormed };
}

/** One walk over the parameters of a field, or over the inside of a comment. */
class FieldScan {
  readonly segments: Segment[] = [];
  valid = true;
  readonly #text: string;
  readonly #inComment: boolean;
  /** A comment that is never closed was seen: what follows holds no comments (and is not searched again). */
  #noComments = false;

  constructor(text: string, inComment: boolean) {
    this.#text = text;
    this.#inComment = inComment;
  }

  run(start: number): void {
    const text = this.#text;
    let at = start;
    let separated = false;
    for (;;) {
      const from = at;
      at = skip(text, at, SEPARATORS);
      separated ||= text.slice(from, at).includes(';');
      if (at >= text.length) return;
      if (this.segments.length >= MAX_PARAMETERS) {
        this.valid = false;
        return;
      }
      if (text[at] === '(' && !this.#inComment) {
        at = this.#comment(at);
        continue;
      }
      const equals = this.#nameEnd(at);
      if (equals < 0) {
        // A word that is no parameter.
        this.valid = false;
        at = skipWord(text, at);
        continue;
      }
      if (!separated) this.valid = false;
      at = this.#parameter(at, equals);
      separated = false;
    }
  }

  /** Offset of the `=` after the name at `at`, or -1. */
  #nameEnd(at: number): number {
    const text = this.#text;
    let end = at;
    while (end < text.length && end - at < 200 && !`${SEPARATORS}="(`.includes(text[end] ?? '')) end++;
    if (end === at) return -1;
    const star = skipBlanks(text, end);
    let equals = text[star] === '*' ? skipBlanks(text, skip(text, star, '*0123456789')) : star;
    if (text[equals] === '(' && !this.#inComment && !this.#noComments) {
      const close = commentEnd(text, equals);
      if (close < 0) this.#noComments = true;
      else equals = skipBlanks(text, close);
    }
    return text[equals] === '=' ? equals : -1;
  }

  #parameter(at: number, equals: number): number {
    const text = this.#text;
    const name = text
      .slice(at, equals)
      .replace(/\(.*|\s/gs, '')
      .toLowerCase();
    let start = skipBlanks(text, equals + 1);
    if (text[start] === '(' && !this.#inComment && !this.#noComments) {
      const end = commentEnd(text, start);
      if (end > 0) {
        const behind = skipBlanks(text, end);
        if (behind < text.length && text[behind] !== ';') {
          this.#comment(start);
          start = behind;
        }
      }
    }
    const values = text[start] === '"' ? quoted(text, start) : this.#unquoted(start);
    if (!values.valid) this.valid = false;
    const raw = text.slice(start, Math.min(values.end, start + MAX_RAW));
    this.segments.push({
      ...splitExtended(name),
      readings: values.readings,
      raw,
      inComment: this.#inComment,
    });
    return values.end;
  }

  #unquoted(start: number): Values {
    const text = this.#text;
    const { semicolon, masked } = this.#region(start);
    const next = NEXT_PARAMETER.exec(masked);
    const length = next === null ? masked.length : next.index;
    const whole = text.slice(start, start + length).trim();
    const readings: string[] = [whole];
    if (masked.slice(0, length).includes(MASK)) {
      const bare = masked.slice(0, length);
      readings.push(bare.slice(0, bare.indexOf(MASK)).trim(), bare.replaceAll(MASK, '').trim());
    }
    const blank = whole.search(/[\s,]/);
    if (blank >= 0) readings.push(whole.slice(0, blank));
    const quote = whole.indexOf('"');
    if (quote >= 0) readings.push(whole.replaceAll('"', ''), whole.slice(0, quote).trim());
    if (/^'.*'$/s.test(whole)) readings.push(whole.slice(1, -1));
    // Everything up to the semicolon: what looks like a parameter may be a piece of the name.
    if (next !== null) readings.push(text.slice(start, semicolon).trim());
    const valid = !/[\s,"()<>@\\:[\]?=/\x80-\xff]/.test(whole) && whole !== '';
    return { readings: distinct(readings), end: start + length, valid };
  }

  /**
   * From `start` to the first semicolon that is not in a comment; `masked` is that text with its comments, which are
   * read for parameters on the way, replaced by as many `MASK`s.
   */
  #region(start: number): { semicolon: number; masked: string } {
    const text = this.#text;
    let masked = '';
    let at = start;
    for (;;) {
      const semicolon = indexOrEnd(text, ';', at);
      const open = this.#inComment || this.#noComments ? -1 : text.slice(at, semicolon).indexOf('(');
      if (open < 0) return { semicolon, masked: masked + text.slice(at, semicolon) };
      const close = this.#comment(at + open);
      masked += text.slice(at, at + open) + (this.#noComments ? '(' : MASK.repeat(close - at - open));
      at = close;
    }
  }

  /** Reads what stands in the comment at `at` as parameters that it hides; gives the offset behind the comment. */
  #comment(at: number): number {
    const text = this.#text;
    const close = this.#noComments ? -1 : commentEnd(text, at);
    if (close < 0) {
      this.valid = false;
      this.#noComments = true;
      return at + 1;
    }
    const inside = text.slice(at + 1, close - 1);
    if (inside.includes('=')) {
      const scan = new FieldScan(inside.replace(/[()]/g, ';'), true);
      scan.run(0);
      this.segments.push(...scan.segments.slice(0, MAX_PARAMETERS - this.segments.length));
    }
    return close;
  }
}

/**
 * A quoted string and what follows it up to the next separator. Readers differ on what a backslash is (Windows paths
 * come unescaped), on what stands behind the closing quote, and on what to do when there is none.
 */
function quoted(text: string, start: number): Values {
  let inside = '';
  let at = start + 1;
  let piece = at;
  let firstQuote = -1;
  while (at < text.length && text[at] !== '"') {
    if (text[at] === '\\') {
      inside += text.slice(piece, at);
      piece = at + 1;
      if (text[at + 1] === '"' && firstQuote < 0) firstQuote = at + 1;
      at++;
    }
    at++;
  }
  const close = Math.min(at, text.length);
  inside += text.slice(piece, close);
  const literal = text.slice(start + 1, close);
  if (at >= text.length) {
    const end = indexOrEnd(text, ';', start);
    const cut = text.slice(start + 1, end).trim();
    return { readings: distinct([cut, inside, literal]), end, valid: false };
  }
  const readings = [inside, literal];
  if (firstQuote >= 0) readings.push(text.slice(start + 1, firstQuote));
  const behind = afterQuote(text, close + 1);
  if (behind.text !== '') {
    const joined = inside + behind.text.replaceAll('"', '');
    readings.push(joined, joined.split(/\s/, 1)[0] ?? '');
  }
  return { readings: distinct(readings), end: behind.end, valid: behind.text === '' };
}

/** What stands between a closing quote and the next separator: nothing, in a well formed field. */
function afterQuote(text: string, start: number): { text: string; end: number } {
  const next = skipBlanks(text, start);
  if (next >= text.length || text[next] === ';' || text[next] === '(') return { text: '', end: next };
  const semicolon = indexOrEnd(text, ';', start);
  const rest = text.slice(start, semicolon);
  const parameter = NEXT_PARAMETER.exec(rest);
  const end = parameter === null ? semicolon : start + parameter.index;
  return { text: text.slice(start, end).trimEnd(), end };
}

/** Offset behind the comment that begins at `start` (nested, with quoted pairs: RFC 5322 3.2.2); -1: never closed. */
function commentEnd(text: string, start: number): number {
  let depth = 0;
  for (let at = start; at < text.length; at++) {
    const c = text[at];
    if (c === '\\') at++;
    else if (c === '(') depth++;
    else if (c === ')' && --depth === 0) return at + 1;
  }
  return -1;
}

function skipBlanks(text: string, start: number): number {
  return skip(text, start, BLANKS);
}

function skip(text: string, start: number, what: string): number {
  let at = start;
  while (at < text.length && what.includes(text[at] ?? '')) at++;
  return at;
}

/** Past a word that is no parameter, and at least one character. */
function skipWord(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && !`${SEPARATORS}(`.includes(text[at] ?? '')) at++;
  return at;
}

function indexOrEnd(text: string, what: string, from: number): number {
  const at = text.indexOf(what, from);
  return at < 0 ? text.length : at;
}

function distinct(readings: readonly string[]): readonly string[] {
  return [...new Set(readings)];
}
