import type { AnomalyName, FileName } from '../../model/mime.ts';
import { HARMLESS_EXTENSIONS, RUN_EXTENSIONS } from './extensions.ts';
import { percentDecoded } from './continuations.ts';
import { bidiCharacter, invisibleCharacter, judgedNames } from './judged-names.ts';

/** An anomaly without its place. */
export interface NameAnomaly {
  readonly rule: AnomalyName;
  /** A byte string, at most 200 bytes. */
  readonly detail: string;
}

const MAX_DETAIL = 200;
const MAX_NAME = 255;
const CLSID = /\.?\{[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\}$/;

/**
 * What is odd about the names of one file, each kind once. Names from a description or location never count as
 * another name; a folder in a name is ordinary in an archive.
 */
export function nameAnomalies(names: readonly FileName[]): readonly NameAnomaly[] {
  const found: NameAnomaly[] = [];
  const differing = differingNames(names);
  if (differing !== null) found.push(anomaly('MIME_NAME_DIFFERS', differing.map(it => it.text).join(' | ')));
  for (const name of names) {
    for (const [rule, test] of TESTS) {
      const detail = found.some(it => it.rule === rule) ? null : test(name);
      if (detail !== null) found.push(anomaly(rule, detail));
    }
  }
  return found;
}

type NameTest = (name: FileName) => string | null;

const TESTS: readonly (readonly [AnomalyName, NameTest])[] = [
  ['MIME_NAME_BIDI', ({ text }) => withCharacter(bidiCharacter(text), text)],
  ['MIME_NAME_INVISIBLE', ({ text }) => withCharacter(invisibleCharacter(text), text)],
  ['MIME_NAME_TRAILING', ({ text }) => (/[.\s]$/.test(text) ? text : null)],
  ['MIME_NAME_DOUBLE_EXTENSION', name => (hasDoubleExtension(name) ? name.text : null)],
  ['MIME_NAME_CLSID', name => (judgedNames([name]).some(form => CLSID.test(form)) ? name.text : null)],
  ['MIME_NAME_LONG', ({ text }) => (text.length > MAX_NAME ? `${text.length} characters` : null)],
  [
    'MIME_NAME_PATH',
    ({ text, source }) => (source !== 'archive' && /[/\\]|^[a-z]:/i.test(text) ? text : null),
  ],
];

function withCharacter(character: string | null, text: string): string | null {
  if (character === null) return null;
  const code = (character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');
  return `U+${code} in ${text}`;
}

/** `a.pdf.exe`, `a.pdf    .exe`, `a.pdf______.scr`, `a.pdf     x.exe`; not `archive.tar.gz`, not `v1.2.exe`. */
function hasDoubleExtension(name: FileName): boolean {
  return judgedNames([name]).some(form => {
    const pieces = form.split('.');
    if (pieces.length < 3 || !RUN_EXTENSIONS.has(pieces.at(-1)?.trim() ?? '')) return false;
    const before = (pieces.at(-2) ?? '').split(/[\s_]/, 1)[0] ?? '';
    if (HARMLESS_EXTENSIONS.has(before) && /^[a-z0-9]+(?:[\s_]*$|\s{3})/.test(pieces.at(-2) ?? ''))
      return true;
    return false;
  });
}

/** Two names for one file that readers would not show alike, or null. */
function differingNames(names: readonly FileName[]): readonly [FileName, FileName] | null {
  const strong = names.filter(it => it.source !== 'content-description' && it.source !== 'content-location');
  const first = strong[0];
  if (first === undefined) return null;
  const other = strong.find(it => differs(first, it));
  return other === undefined ? null : [first, other];
}

/**
 * Programs write the same name in several ways: percent-encoded, with backslashes dropped, with `_` for a blank, or as
 * an ASCII stand-in beside the real one. Those do not differ; neither do two readings of the same bytes with one
 * extension.
 */
function differs(a: FileName, b: FileName): boolean {
  const one = canonical(a.text);
  const two = canonical(b.text);
  if (one === two) return false;
  const sameExtension = extension(one) === extension(two);
  if (sameExtension && a.raw === b.raw && a.source === b.source) return false;
  return !(sameExtension && isAscii(one) !== isAscii(two));
}

function canonical(text: string): string {
  const decoded = /%[0-9a-f]{2}/i.test(text) && isAscii(text) ? percentText(text) : text;
  return decoded
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[\\"'_\s]/g, '');
}

function percentText(text: string): string {
  return Buffer.from(percentDecoded(text), 'latin1').toString('utf8');
}

function extension(text: string): string {
  return text.slice(text.lastIndexOf('.') + 1);
}

function isAscii(text: string): boolean {
  return /^[\0-\x7f]*$/.test(text);
}

/** Anomalies carry byte strings: Unicode goes in as UTF-8. */
function anomaly(rule: AnomalyName, detail: string): NameAnomaly {
  return { rule, detail: Buffer.from(detail.slice(0, MAX_DETAIL), 'utf8').toString('latin1', 0, MAX_DETAIL) };
}
