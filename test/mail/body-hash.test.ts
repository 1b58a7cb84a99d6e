import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { BodyHash } from '../../src/mail/body-hash.ts';
import type { BodyCanonicalization } from '../../src/mail/body-hash.ts';
import { pieceLengths, pieces } from '../smtp/splits.ts';

/** RFC 6376 3.4.3 and 3.4.4, word by word. */
function naive(body: string, canonicalization: BodyCanonicalization): string {
  let text = body;
  if (canonicalization === 'relaxed') {
    text = text
      .split('\r\n')
      .map(line => line.replace(/[ \t]+$/, '').replace(/[ \t]+/g, ' '))
      .join('\r\n');
  }
  text = text.replace(/(?:\r\n)+$/, '');
  if (text === '') return canonicalization === 'simple' ? '\r\n' : '';
  return `${text}\r\n`;
}

function digestOf(parts: readonly Buffer[], canonicalization: BodyCanonicalization, limit?: number) {
  const hash = new BodyHash(canonicalization, limit);
  for (const part of parts) hash.write(part);
  const { sha256, length } = hash.digest();
  return { sha256: sha256.toString('hex'), length };
}

const hex = (text: string) => createHash('sha256').update(text, 'latin1').digest('hex');

test('the examples of RFC 6376: 3.4.5, and the empty bodies of 3.4.3 and 3.4.4', () => {
  const body = Buffer.from(' C \r\nD \t E\r\n\r\n\r\n');
  assert.equal(digestOf([body], 'simple').sha256, hex(' C \r\nD \t E\r\n'));
  assert.equal(digestOf([body], 'relaxed').sha256, hex(' C\r\nD E\r\n'));
  assert.equal(
    Buffer.from(digestOf([], 'simple').sha256, 'hex').toString('base64'),
    'frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY=',
  );
  assert.equal(
    Buffer.from(digestOf([], 'relaxed').sha256, 'hex').toString('base64'),
    '47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=',
  );
});

test('any body in any pieces, with any limit, hashes as its canonical form', () => {
  const body = fc
    .array(
      fc.oneof(
        fc.constantFrom('\r\n', ' ', '\t', '\r', '\n', 'x', '  ', ' \r\n', '\r\n\r\n'),
        fc.string({ minLength: 1, maxLength: 200, unit: fc.constantFrom('a', 'b') }),
      ),
      { maxLength: 60 },
    )
    .map(parts => parts.join(''));
  const limits = fc.option(fc.integer({ min: 0, max: 500 }), { nil: undefined });
  const property = fc.property(
    body,
    fc.constantFrom('simple' as const, 'relaxed' as const),
    pieceLengths,
    limits,
    (text, canonicalization, lengths, limit) => {
      const canonical = naive(text, canonicalization);
      const expected = { sha256: hex(canonical.slice(0, limit)), length: canonical.length };
      const bytes = Buffer.from(text, 'latin1');
      assert.deepEqual(digestOf([bytes], canonicalization, limit), expected);
      assert.deepEqual(digestOf(pieces(bytes, lengths), canonicalization, limit), expected);
    },
  );
  fc.assert(property, { numRuns: 1000 });
});

test('long runs: empty lines, blanks, lines without an end, more than one buffer of each', () => {
  const long = 50_000;
  for (const unit of ['\r\n', ' ', ' \r\n', 'x', 'x y  z\t\r\n', '\r', '\n']) {
    const text = `a${unit.repeat(long)}b\r\n${unit.repeat(long)}`;
    for (const canonicalization of ['simple', 'relaxed'] as const) {
      const canonical = naive(text, canonicalization);
      const got = digestOf(pieces(Buffer.from(text), [60_000, 1, 7]), canonicalization);
      assert.deepEqual(got, { sha256: hex(canonical), length: canonical.length });
    }
  }
});
