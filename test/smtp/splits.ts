import fc from 'fast-check';

/** Bytes that mean something in the DATA phase come often, all others now and then. */
export const wireBytes = (maxLength = 60): fc.Arbitrary<Buffer> =>
  fc
    .array(
      fc.oneof(
        {
          weight: 12,
          arbitrary: fc.constantFrom('\r\n', '\r\n.', '\r\n..', '.', '\r', '\n', '\0', 'x', '\xe9'),
        },
        { weight: 1, arbitrary: fc.integer({ min: 0, max: 255 }).map(byte => String.fromCharCode(byte)) },
      ),
      { maxLength },
    )
    .map(parts => Buffer.from(parts.join(''), 'latin1'));

/** Where to cut a text: a list of piece lengths, used over and over. */
export const pieceLengths: fc.Arbitrary<readonly number[]> = fc.array(fc.integer({ min: 1, max: 7 }), {
  minLength: 1,
  maxLength: 8,
});

/** `bytes` in pieces of these lengths, each a copy, since readers may work in place. */
export function pieces(bytes: Buffer, lengths: readonly number[]): Buffer[] {
  const cut: Buffer[] = [];
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const length = lengths[i % lengths.length] ?? 1;
    cut.push(Buffer.from(bytes.subarray(at, at + length)));
    at += length;
  }
  return cut;
}
