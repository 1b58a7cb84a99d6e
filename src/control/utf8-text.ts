const strict = new TextDecoder('utf-8', { fatal: true });

/** The characters that a byte string means when it is UTF-8; the same string when it is not (or is ASCII). */
export function charactersOf(bytes: string): string {
  if (!/[\x80-\xff]/.test(bytes)) return bytes;
  try {
    return strict.decode(Buffer.from(bytes, 'latin1'));
  } catch {
    return bytes;
  }
}
