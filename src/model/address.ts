/**
 * An envelope address as bytes. Every string in it is a byte string: one char is one byte (latin1), so an address
 * that a client sent in any encoding leaves exactly as it came.
 */
export interface Address {
  /** The address between the angle brackets, source route removed, quotes kept. */
  readonly text: string;
  /** The part before the last `@`, quotes kept; the whole text when there is no `@`. */
  readonly local: string;
  /** The part after the last `@`, ASCII lower-cased; `''` when there is none. */
  readonly domain: string;
}

/** Splits `text` (a byte string) at its last `@`, as qmail-smtpd's rcpthosts does. */
export function address(text: string): Address {
  const at = text.lastIndexOf('@');
  if (at < 0) return { text, local: text, domain: '' };
  return { text, local: text.slice(0, at), domain: lowerAscii(text.slice(at + 1)) };
}

/** Lower-cases A to Z and leaves every other byte alone; `toLowerCase` would change Latin-1 letters. */
export function lowerAscii(bytes: string): string {
  for (let i = 0; i < bytes.length; i++) {
    const c = bytes.charCodeAt(i);
    if (c >= 0x41 && c <= 0x5a) return bytes.replace(/[A-Z]+/g, s => s.toLowerCase());
  }
  return bytes;
}

/** The local part without SMTP quoting (`"a\ b"` is `a b`), as next hops and lists compare it. RFC 5321 4.1.2. */
export function unquotedLocal(local: string): string {
  if (!local.startsWith('"') || !local.endsWith('"') || local.length < 2) return local;
  return local.slice(1, -1).replace(/\\([\s\S])/g, '$1');
}
