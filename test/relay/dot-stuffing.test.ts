import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DotStuffer } from '../../src/relay/dot-stuffing.ts';
import { LineEnds } from '../../src/mail/line-ends.ts';

const piece = fc.oneof(
  fc.constantFrom('.', '\r\n', '\r', '\n', '..', '.\r\n', '\r\n.', 'a', '\0'),
  fc.integer({ min: 200, max: 600 }).map(n => 'x'.repeat(n)),
  fc.integer({ min: 0, max: 300 }).map(n => '.\r\n'.repeat(n)),
);
const text = fc.array(piece, { maxLength: 30 }).map(p => p.join(''));

function inPieces(input: string, cuts: readonly number[], each: (bytes: Buffer) => Buffer): string {
  const bytes = Buffer.from(input, 'latin1');
  const out: Buffer[] = [];
  let at = 0;
  for (const cut of [...cuts, bytes.length]) {
    out.push(each(bytes.subarray(at, at + cut)));
    at += cut;
  }
  return Buffer.concat(out).toString('latin1');
}

test('dots at line starts are doubled, wherever the message is cut', () => {
  fc.assert(
    fc.property(text, fc.array(fc.nat(700)), (input, cuts) => {
      const expected = input.replace(/(^|\r\n)\./g, '$1..');
      const stuffer = new DotStuffer();
      assert.equal(
        inPieces(input, cuts, bytes => stuffer.stuff(bytes)),
        expected,
      );
      const byteWise = new DotStuffer();
      assert.equal(
        inPieces(
          input,
          Array.from(input, () => 1),
          bytes => byteWise.stuff(bytes),
        ),
        expected,
      );
    }),
  );
});

test('CRLF becomes LF and nothing else changes, wherever the message is cut', () => {
  fc.assert(
    fc.property(text, fc.array(fc.nat(700)), (input, cuts) => {
      const expected = input.replaceAll('\r\n', '\n');
      const ends = new LineEnds();
      assert.equal(
        inPieces(input, cuts, bytes => ends.toLf(bytes)) + ends.end().toString('latin1'),
        expected,
      );
      const byteWise = new LineEnds();
      const one = inPieces(
        input,
        Array.from(input, () => 1),
        bytes => byteWise.toLf(bytes),
      );
      assert.equal(one + byteWise.end().toString('latin1'), expected);
    }),
  );
});
