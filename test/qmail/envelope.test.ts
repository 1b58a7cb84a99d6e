import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { QueueEnvelope } from '../../src/qmail/envelope.ts';
import { envelopeBytes, EnvelopeReader } from '../../src/qmail/envelope.ts';

function read(text: string, piece = Math.max(1, text.length), limit = 10_000): QueueEnvelope | null {
  const reader = new EnvelopeReader(limit, 1000);
  const bytes = Buffer.from(text, 'latin1');
  for (let at = 0; at < bytes.length; at += piece) reader.push(bytes.subarray(at, at + piece));
  return reader.finish();
}

const WHOLE: readonly (readonly [text: string, sender: string, recipients: readonly string[]])[] = [
  [
    'Fjoe@example.org\0Tann@example.net\0Tbob@example.net\0\0',
    'joe@example.org',
    ['ann@example.net', 'bob@example.net'],
  ],
  ['F\0Tann@example.net\0\0', '', ['ann@example.net']],
  ['F#@[]\0Tann@example.net\0\0', '#@[]', ['ann@example.net']],
  ['Fa\0\0', 'a', []],
  ['F\0\0', '', []],
  ['Fa\0T\0\0', 'a', ['']],
  ['Fa b"@x\0Tcaf\xe9 "q"@y\0\0', 'a b"@x', ['caf\xe9 "q"@y']],
  ['FTT\0TFF\0\0', 'TT', ['FF']],
];

for (const [text, sender, recipients] of WHOLE) {
  test(`an envelope: ${JSON.stringify(text)}`, () => {
    for (const piece of [undefined, 1]) assert.deepEqual(read(text, piece), { sender, recipients });
    assert.equal(envelopeBytes({ sender, recipients }).toString('latin1'), text);
    // Without its last NUL it is none, wherever it was cut.
    for (let end = 0; end < text.length; end++) assert.equal(read(text.slice(0, end)), null);
  });
}

for (const text of ['T', 'x', '\0', 'Fa\0Fb\0', 'Fa\0x', 'Fa\0Tb\0\0x', 'F\0\0\0']) {
  test(`no envelope: ${JSON.stringify(text)}`, () => {
    for (const piece of [undefined, 1]) assert.throws(() => read(text, piece), RangeError);
  });
}

test('an envelope has a largest size', () => {
  const text = `Fa\0${'Tb@example.com\0'.repeat(100)}\0`;
  assert.equal(read(text, 7, text.length)?.recipients.length, 100);
  assert.throws(() => read(text, 7, text.length - 1), RangeError);
});

test('an envelope has a largest number of recipients; the others are passed over, and that is said', () => {
  const reader = new EnvelopeReader(10_000, 3);
  reader.push(Buffer.from('Fa\0Tb\0Tc\0Td\0'));
  assert.equal(reader.tooMany, false);
  reader.push(Buffer.from('Te\0Tf\0\0'));
  assert.equal(reader.tooMany, true);
  assert.deepEqual(reader.finish()?.recipients, ['b', 'c', 'd']);
});

test('property: addresses are bytes', () => {
  const bytes = fc
    .array(fc.integer({ min: 1, max: 255 }), { maxLength: 20 })
    .map(list => String.fromCharCode(...list));
  fc.assert(
    fc.property(
      bytes,
      fc.array(bytes, { maxLength: 6 }),
      fc.integer({ min: 1, max: 5 }),
      (sender, recipients, piece) => {
        const text = envelopeBytes({ sender, recipients }).toString('latin1');
        assert.deepEqual(read(text, piece), { sender, recipients });
      },
    ),
  );
});
