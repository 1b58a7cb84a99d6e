/** Tags of one list; more is nobody's signature or key. */
const MAX_TAGS = 100;

const TAG_NAME = /^[A-Za-z][A-Za-z0-9_]*$/;
/** What is neither VALCHAR nor folding white space; 8-bit bytes are for RFC 8616. The end of a field is none of it. */
const ODD_BYTES = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|[\r\n](?![ \t\n]|$)/;

/**
 * A tag list (RFC 6376 3.2): `name=value` joined by `;`, with white space around names and values, and one `;` at the end
 * if it likes. `text` is a byte string, folded or not. Values keep their inner white space. Null when it is no such list: a
 * name twice, an empty entry, a byte that may not stand there, more than 100 tags.
 */
export function tagList(text: string): ReadonlyMap<string, string> | null {
  const tags = new Map<string, string>();
  const entries = text.split(';', MAX_TAGS + 2);
  if (entries.length > 1 && trimmed(entries.at(-1) ?? '') === '') entries.pop();
  if (entries.length > MAX_TAGS) return null;
  // Looked at once for the whole list, and for each value where that is not enough.
  const clean = !ODD_BYTES.test(text);
  for (const entry of entries) {
    const equals = entry.indexOf('=');
    if (equals < 0) return null;
    const name = trimmed(entry.slice(0, equals));
    const value = trimmed(entry.slice(equals + 1));
    if (!TAG_NAME.test(name) || tags.has(name)) return null;
    if (!clean && ODD_BYTES.test(value)) return null;
    tags.set(name, value);
  }
  return tags;
}

/** A value without any white space, as base64 and colon lists are read. Byte 0xA0, which `\s` takes for a blank, is a part of letters. */
export function withoutSpace(value: string): string {
  return /[ \t\r\n]/.test(value) ? value.replace(/[ \t\r\n]+/g, '') : value;
}

/** `text` without the white space around it. */
export function trimmed(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isSpace(text.charCodeAt(start))) start++;
  while (end > start && isSpace(text.charCodeAt(end - 1))) end--;
  return text.slice(start, end);
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x09 || code === 0x0d || code === 0x0a;
}

/** Bytes of a base64 text, white space ignored; null when it is none, or empty. */
export function base64Bytes(value: string): Buffer | null {
  const text = withoutSpace(value);
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(text)) return null;
  // Some senders leave out the padding; one character alone encodes nothing.
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
  if ((text.length - padding) % 4 === 1) return null;
  return Buffer.from(text, 'base64');
}
