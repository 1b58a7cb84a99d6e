import { octets } from './ip-list-lines.ts';

/** What a list says of an address: the A record, and the TXT record before `$` is replaced (`''`: none). */
export interface ListValue {
  readonly a: string;
  readonly template: string;
}

/** What holds for a whole rbldnsd data set. */
export interface DataSetTexts {
  /** `$0` to `$9`. */
  readonly variables: ReadonlyMap<string, string>;
  /** `$=`: the template around every text; null: none. */
  readonly base: string | null;
}

/** rbldns and rbldnsd alike. */
export const DEFAULT_A = '127.0.0.2';
/** rbldnsd 1.0 cuts a TXT record to one string. */
const MAX_TXT = 255;

/**
 * The value `:A:TXT`, `:A`, or bare text as rbldnsd reads it, `A` whole or its last octet. `fallback` is the default in
 * force: text alone keeps its A, `:A` its text, `:A:` has no text. Null when the A is no address.
 */
export function listValue(text: string, fallback: ListValue): ListValue | null {
  if (!text.startsWith(':')) return { a: fallback.a, template: text };
  const colon = text.indexOf(':', 1);
  const a = aRecord(text.slice(1, colon < 0 ? undefined : colon).trim());
  if (a === null) return null;
  return { a, template: colon < 0 ? fallback.template : text.slice(colon + 1).trim() };
}

function aRecord(text: string): string | null {
  const found = octets(text);
  if (found?.length === 1) return `127.0.0.${found[0]}`;
  return found?.length === 4 ? found.join('.') : null;
}

/**
 * The TXT record for `ip` as rbldnsd makes it: `$` is the address, `$$` a dollar, `$1` a variable (left as it is when there
 * is none). Inside the base template `$=` is the entry's own text, the address when it has none; an entry that begins
 * with `=` does without. Null when there is no text.
 */
export function rbldnsdText(template: string, ip: string, texts: DataSetTexts): string | null {
  if (template.startsWith('=')) return expanded(template.slice(1), ip, texts, null);
  if (texts.base !== null) return expanded(texts.base, ip, texts, template === '' ? ip : template);
  return template === '' ? null : expanded(template, ip, texts, null);
}

function expanded(template: string, ip: string, texts: DataSetTexts, own: string | null): string {
  const text = template.replace(/\$([$0-9=]?)/g, (whole: string, next: string) => {
    if (next === '$') return '$';
    if (next === '') return ip;
    if (next === '=') return own ?? `${ip}=`;
    return texts.variables.get(next) ?? whole;
  });
  return text.slice(0, MAX_TXT);
}

/** The TXT record for `ip` as djbdns rbldns makes it: only a final `$` is replaced. */
export function rbldnsText(template: string, ip: string): string {
  return template.endsWith('$') ? template.slice(0, -1) + ip : template;
}
