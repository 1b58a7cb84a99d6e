import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LineBreakNormaliser } from '../../src/smtp/line-break-normaliser.ts';
import { pieceLengths, pieces, wireBytes } from './splits.ts';

function normalised(chunks: readonly Buffer[]) {
  const normaliser = new LineBreakNormaliser();
  const out = chunks.map(chunk => Buffer.from(normaliser.push(chunk)));
  const text = Buffer.concat([...out, normaliser.end()]).toString('latin1');
  return { text, lines: normaliser.lines, dotLines: normaliser.dotLines };
}

const CASES: readonly [wire: string, text: string][] = [
  ['a\r\nb\r\n', 'a\r\nb\r\n'],
  ['a\nb\n', 'a\r\nb\r\n'],
  ['a\rb\r', 'a\r\nb\r\n'],
  ['a\r\r\nb', 'a\r\n\r\nb'],
  ['a\n\rb', 'a\r\n\r\nb'],
  ['\0a\0\r\0\nb', 'a\r\n\r\nb'],
  ['\n.\n', '\r\n.\r\n'],
  ['\r', '\r\n'],
  ['', ''],
];

for (const [wire, text] of CASES) {
  test(`${JSON.stringify(wire)} becomes ${JSON.stringify(text)}`, () => {
    const whole = normalised([Buffer.from(wire, 'latin1')]);
    assert.equal(whole.text, text);
    assert.deepEqual(normalised(pieces(Buffer.from(wire, 'latin1'), [1])), whole);
  });
}

test('any bytes, however cut: CRLF and nothing else ends a line, counts are right', () => {
  fc.assert(
    fc.property(wireBytes(), pieceLengths, (bytes, lengths) => {
      const expected = bytes
        .toString('latin1')
        .replace(/\r\n|\r|\n/g, '\r\n')
        .replaceAll('\0', '');
      const seen = normalised(pieces(bytes, lengths));
      assert.deepEqual(seen, normalised([bytes]));
      assert.equal(seen.text, expected);
      assert.equal(seen.lines, expected.split('\r\n').length - 1);
      assert.equal(seen.dotLines, /(?:^|\r\n)\./.test(expected));
    }),
    { numRuns: 2000 },
  );
});
