import { isUtf8 } from 'node:buffer';
import type { FileName, NameSource } from '../../model/mime.ts';
import { decodeCharset, decodeUndeclared, hasReplacement } from '../charset.ts';
import { decodeWords } from '../words.ts';
import { percentDecoded } from './continuations.ts';
import { EXECUTABLE_EXTENSIONS, HARMLESS_EXTENSIONS } from './extensions.ts';
import type { Parameter, Parameterised } from './parameterised.ts';

/** Longest text of a name, as src/model/mime.ts promises. */
const MAX_TEXT = 4096;

/** Names of one part; an honest one has two at most. */
const MAX_NAMES = 32;

/** What most mail programs show when a part has several. */
const ORDER: readonly NameSource[] = [
  'filename*',
  'filename',
  'name*',
  'name',
  'content-description',
  'content-location',
];

/**
 * Every name that some reader could show for a part, decoded; the most plausible first, equal texts once. In: all its
 * Content-Disposition and Content-Type fields, and Content-Description and Content-Location as unfolded byte strings
 * (these two count only when they look like a file name). Out: at most 32. Never throws.
 */
export function fileNames(
  dispositions: readonly Parameterised[],
  types: readonly Parameterised[],
  description: string | null,
  location: string | null,
): readonly FileName[] {
  const fields = [...dispositions, ...types];
  const charset = declaredCharset(types);
  const found: FileName[] = [];
  for (const { parameters } of fields) {
    for (const parameter of parameters) {
      if (parameter.name !== 'filename' && parameter.name !== 'name') continue;
      const source = sourceOf(parameter);
      for (const text of readings(parameter, charset)) found.push({ text, raw: parameter.raw, source });
    }
  }
  if (description !== null) {
    const text = decodeWords(description.slice(0, MAX_TEXT)).trim();
    if (looksLikeFile(text)) found.push({ text, raw: description, source: 'content-description' });
  }
  if (location !== null) {
    const text = lastSegment(location.slice(0, MAX_TEXT));
    if (looksLikeFile(text)) found.push({ text, raw: location, source: 'content-location' });
  }
  return ordered(found);
}

/** A file name from bytes whose charset nobody has declared, as in archives and uuencoded text. */
export function undeclaredName(raw: string, source: NameSource): FileName {
  const text = decodeUndeclared(Buffer.from(raw, 'latin1'));
  return { text: text.slice(0, MAX_TEXT), raw: raw.slice(0, MAX_TEXT), source };
}

function declaredCharset(types: readonly Parameterised[]): string | null {
  for (const { parameters } of types) {
    const parameter = parameters.find(it => it.name === 'charset' && !it.inComment);
    if (parameter !== undefined) return parameter.value;
  }
  return null;
}

function sourceOf(parameter: Parameter): NameSource {
  if (parameter.name === 'filename') return parameter.extended ? 'filename*' : 'filename';
  return parameter.extended ? 'name*' : 'name';
}

/** Texts for one value, the most plausible first. */
function readings(parameter: Parameter, charset: string | null): readonly string[] {
  const { value } = parameter;
  const texts: string[] = [];
  const eightBit = /[\x80-\xff]/.test(value);
  const bytes = Buffer.from(value, 'latin1');
  const declared = parameter.charset ?? (eightBit ? charset : null);
  const own = declared === null ? null : decodeCharset(bytes, declared);
  const undeclared = decodeWords(value);
  if (parameter.charset !== null && own !== null) {
    texts.push(own);
    // A wrong label: what a reader that guesses would show.
    if (hasReplacement(own)) texts.push(undeclared);
  } else {
    // Mail programs of East Asia read raw 8-bit bytes in the charset of the part.
    if (own !== null && !isUtf8(bytes) && !hasReplacement(own)) texts.push(own);
    texts.push(undeclared);
    if (own !== null) texts.push(own);
  }
  const shown = texts[0] ?? '';
  if (shown.includes('=?')) {
    // Encoded twice, or a word that has lost its end.
    const again = decodeWords(latin1Only(shown));
    texts.push(again);
    if (again.includes('=?')) texts.push(decodeWords(`${again}?=`));
  }
  if (!parameter.extended && /%[0-9a-f]{2}/i.test(value)) {
    const bare = value.replace(/^[\w.-]*'[\w-]*'/, '');
    texts.push(decodeUndeclared(Buffer.from(percentDecoded(bare), 'latin1')));
  }
  return texts.map(it => it.slice(0, MAX_TEXT));
}

/** A decoded text can be read as a byte string again only while it has no wider characters. */
function latin1Only(text: string): string {
  return /[^\0-\xff]/.test(text) ? '' : text;
}

/** Prose ends with a word and a dot more often than with the name of a file: only known extensions count. */
function looksLikeFile(text: string): boolean {
  if (text.length > 255 || text.length < 3) return false;
  const extension = /[^.\s]\.([a-z0-9-]{1,20})[. ]*$/i.exec(text)?.[1]?.toLowerCase() ?? '';
  if (extension === 'com' && /[\s@]|www\./i.test(text)) return false;
  return EXECUTABLE_EXTENSIONS.has(extension) || HARMLESS_EXTENSIONS.has(extension);
}

/** The last piece of the path of a URL, percent-decoded; `''` for one without a path. */
function lastSegment(location: string): string {
  const compact = location.replace(/[\s"<>]/g, '').replace(/[?#].*/s, '');
  const path = compact.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/]*/i, '').replace(/^cid:.*/is, '');
  const bare = path.slice(Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\')) + 1);
  return decodeUndeclared(Buffer.from(percentDecoded(bare), 'latin1'));
}

function ordered(found: readonly FileName[]): readonly FileName[] {
  const texts = new Set<string>();
  const names: FileName[] = [];
  for (const source of ORDER) {
    for (const name of found) {
      if (name.source !== source || name.text === '' || texts.has(name.text)) continue;
      texts.add(name.text);
      names.push(name);
      if (names.length >= MAX_NAMES) return names;
    }
  }
  return names;
}
