import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { DomainKeysCanonicalization } from '../../src/auth/domainkeys-canonical.ts';
import { DomainKeysCanonicalizer } from '../../src/auth/domainkeys-canonical.ts';

/** Fields and body, put through whole or in pieces that end at `cuts` (offsets in the body). */
function canonical(
  mode: DomainKeysCanonicalization,
  fields: readonly string[],
  body: string,
  cuts: readonly number[] = [],
): string {
  const out: Buffer[] = [];
  const canonicalizer = new DomainKeysCanonicalizer(mode, bytes => out.push(Buffer.from(bytes)));
  for (const field of fields) canonicalizer.field(Buffer.from(field, 'latin1'));
  const bytes = Buffer.from(body, 'latin1');
  let from = 0;
  for (const cut of [...cuts, bytes.length]) {
    canonicalizer.body(bytes.subarray(from, cut));
    from = cut;
  }
  canonicalizer.end();
  return Buffer.concat(out).toString('latin1');
}

/** The same by RFC 4870 3.4.2, in regular expressions over the whole text. */
function plain(mode: DomainKeysCanonicalization, fields: readonly string[], body: string): string {
  const nofws = mode === 'nofws';
  const header = fields.map(field => {
    const content = field.replace(/\r\n$/, '');
    return `${nofws ? content.replace(/[ \t\r\n]/g, '') : content}\r\n`;
  });
  // What is left of a CR whose LF does not follow at once is no line end, even if only blanks stand between.
  const text = nofws ? body.replace(/\r(?!\n)/g, '').replace(/[ \t]/g, '') : body;
  let all = `${header.join('')}\r\n${text}`;
  while (all.endsWith('\r\n')) all = all.slice(0, -2);
  return `${all}\r\n`;
}

const CASES: readonly [
  what: string,
  fields: readonly string[],
  body: string,
  simple: string,
  nofws: string,
][] = [
  [
    'blanks and folds',
    ['A:  x \r\n\ty \r\n', 'b : z\r\n'],
    'a  b \t\r\n',
    'A:  x \r\n\ty \r\nb : z\r\n\r\na  b \t\r\n',
    'A:xy\r\nb:z\r\n\r\nab\r\n',
  ],
  [
    'empty lines inside and at the end',
    ['A:x\r\n'],
    'a\r\n\r\n\r\nb\r\n\r\n\r\n',
    'A:x\r\n\r\na\r\n\r\n\r\nb\r\n',
    'A:x\r\n\r\na\r\n\r\n\r\nb\r\n',
  ],
  ['empty lines first', ['A:x\r\n'], '\r\n\r\nb', 'A:x\r\n\r\n\r\n\r\nb\r\n', 'A:x\r\n\r\n\r\n\r\nb\r\n'],
  ['lines of blanks at the end', ['A:x\r\n'], 'a\r\n \t\r\n', 'A:x\r\n\r\na\r\n \t\r\n', 'A:x\r\n\r\na\r\n'],
  ['no body', ['A:x\r\n'], '', 'A:x\r\n', 'A:x\r\n'],
  ['a body of empty lines', ['A:x\r\n'], '\r\n\r\n\r\n', 'A:x\r\n', 'A:x\r\n'],
  ['no final line end', ['A:x'], 'b', 'A:x\r\n\r\nb\r\n', 'A:x\r\n\r\nb\r\n'],
  ['CR alone', ['A:x\ry\r\n'], 'a\rb\r\r\n\r', 'A:x\ry\r\n\r\na\rb\r\r\n\r\r\n', 'A:xy\r\n\r\nab\r\n'],
  ['CR before the end of a field', ['A:x\r\r\n'], 'b', 'A:x\r\r\n\r\nb\r\n', 'A:x\r\n\r\nb\r\n'],
  [
    '8-bit bytes and case',
    ['\xc4:\xe4B\r\n'],
    '\xff\0\r\n',
    '\xc4:\xe4B\r\n\r\n\xff\0\r\n',
    '\xc4:\xe4B\r\n\r\n\xff\0\r\n',
  ],
  ['no field at all', [], 'b\r\n', '\r\nb\r\n', '\r\nb\r\n'],
  ['nothing', [], '', '\r\n', '\r\n'],
];

describe('canonical form of DomainKeys', () => {
  for (const [what, fields, body, simple, nofws] of CASES)
    test(what, () => {
      assert.equal(canonical('simple', fields, body), simple);
      assert.equal(canonical('nofws', fields, body), nofws);
      assert.equal(plain('simple', fields, body), simple, 'the oracle agrees');
      assert.equal(plain('nofws', fields, body), nofws, 'the oracle agrees');
    });

  // Rows of few different bytes, so that line ends and blanks meet in every way; an LF comes behind a CR only.
  const text = fc
    .array(fc.constantFrom('\r\n', '\r\n', '\r', ' ', '\t', 'a', 'b', '\xff'))
    .map(list => list.join(''));
  const field = text.map(value => `X:${value.replace(/\r\n(?![ \t])/g, '\r\n ')}\r\n`);
  const mode = fc.constantFrom<DomainKeysCanonicalization>('simple', 'nofws');

  test('whole is as in pieces, is as byte by byte, is as by regular expressions', () => {
    fc.assert(
      fc.property(
        mode,
        fc.array(field, { maxLength: 4 }),
        text,
        fc.array(fc.nat(40)),
        (kind, fields, body, at) => {
          const whole = canonical(kind, fields, body);
          const cuts = at.map(cut => Math.min(cut, body.length)).toSorted((a, b) => a - b);
          assert.equal(canonical(kind, fields, body, cuts), whole);
          const bytes = Array.from(body, (_, index) => index);
          assert.equal(canonical(kind, fields, body, bytes), whole);
          assert.equal(plain(kind, fields, body), whole);
        },
      ),
    );
  });

  test('more than fits into its buffer', () => {
    const body = `${'x'.repeat(20_000)}${'\r\n'.repeat(30_000)}y \t${'z'.repeat(40_000)}\r\n\r\n`;
    for (const kind of ['simple', 'nofws'] as const)
      assert.equal(canonical(kind, ['A:x\r\n'], body), plain(kind, ['A:x\r\n'], body));
  });

  test('an LF without CR in the body is noticed, across pieces too', () => {
    const stray = (kind: DomainKeysCanonicalization, pieces: readonly string[]) => {
      const canonicalizer = new DomainKeysCanonicalizer(kind, () => {});
      for (const piece of pieces) canonicalizer.body(Buffer.from(piece));
      canonicalizer.end();
      return canonicalizer.strayLineFeed;
    };
    for (const kind of ['simple', 'nofws'] as const) {
      assert.equal(stray(kind, ['a\r', '\nb\r\r\n', '\r\n']), false);
      assert.equal(stray(kind, ['a\nb']), true);
      assert.equal(stray(kind, ['\n']), true);
      assert.equal(stray(kind, ['a\r ', '\nb']), true);
    }
  });
});
