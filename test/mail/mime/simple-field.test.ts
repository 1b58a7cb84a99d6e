import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseParameterised } from '../../../src/mail/mime/parameters.ts';
import { parseField } from '../../../src/mail/mime/simple-field.ts';

const token = fc.string({
  minLength: 1,
  maxLength: 12,
  unit: fc.constantFrom(...Array.from("aZ0.-_+= ?'/\t*%,")),
});
const word = fc.constantFrom(
  'text/plain',
  'Multipart/MIXED',
  'attachment',
  'a/b/c',
  '',
  'text',
  'x y',
  'a=b',
  '7bit',
);
const name = fc.constantFrom('name', 'Boundary', 'charset', 'filename', 'name*0', 'filename*', 'x');
const value = fc.oneof(
  token,
  token.map(text => `"${text}"`),
  fc.constantFrom('""', '"a(b)c"', '"a\\"b"', '(c)x', "utf-8''a"),
);
const field = fc
  .tuple(
    word,
    fc.array(fc.tuple(fc.constantFrom(';', '; ', ' ;', ';\t', '; ;'), name, value), { maxLength: 4 }),
  )
  .map(([first, rest]) => first + rest.map(([between, key, text]) => `${between}${key}=${text}`).join(''));

test('plain fields and all others are read as the full reader reads them', () => {
  fc.assert(
    fc.property(field, text => assert.deepEqual(parseField(text), parseParameterised(text))),
    { numRuns: 3000 },
  );
});
