import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { consumersFor } from '../../../src/mail/mime/consumers.ts';
import { mergeReadings, numbered } from '../../../src/mail/mime/part-node.ts';
import { Reading } from '../../../src/mail/mime/reading.ts';
import { Walker } from '../../../src/mail/mime/walker.ts';
import type { MimeFacts } from '../../../src/model/mime.ts';
import { pieceLengths, pieces } from '../../smtp/splits.ts';
import { EVASIONS } from './evasions/evasions.ts';
import { fixtures } from './fixtures.ts';
import { LIMITS, allNames, factsOf } from './reading.ts';

/** What a walker sees that looks at `block` bytes at a time, whatever the pieces. */
async function walked(parts: readonly Buffer[], block: number): Promise<MimeFacts> {
  const reading = new Reading(LIMITS, consumersFor(LIMITS), false);
  reading.block = block;
  const walker = new Walker(reading, {
    entity: { parent: null, place: '1', inDigest: false },
    checksLines: true,
  });
  for (const part of parts) walker.write(part);
  walker.end();
  await Promise.all(reading.unfinished);
  const roots = reading.forked ? mergeReadings(reading.roots) : reading.roots;
  // Which of several readings side by side is the first to note something depends on the block.
  const anomalies = reading.anomalies.map(({ rule, place }) => ({ rule, place, detail: '' }));
  anomalies.sort((a, b) => (`${a.rule} ${a.place}` < `${b.rule} ${b.place}` ? -1 : 1));
  return { ...numbered(roots), anomalies };
}

const messages = EVASIONS.map(({ name, message }) => ({ name, bytes: Buffer.from(message, 'latin1') }));

for (const { name, bytes } of messages) {
  test(`the same in any pieces, by any block: ${name}`, async () => {
    const whole = await factsOf([bytes]);
    assert.deepEqual(await factsOf(pieces(bytes, [1])), whole);
    const large = await walked([bytes], 16 * 1024);
    assert.deepEqual(await walked([bytes], 1), large);
    assert.deepEqual(await walked([bytes], 7), large);
    assert.deepEqual(await walked(pieces(bytes, [3, 11, 1, 80]), 64), large);
  });
}

const boundary = fc.constantFrom('B', 'BB', 'B-', ' B', 'x');
const typeLine = fc.oneof(
  boundary.map(text => `Content-Type: multipart/mixed; boundary="${text}"`),
  fc.constantFrom(
    'Content-Type: text/plain',
    'Content-Type: message/rfc822',
    'Content-Type: multipart/digest; boundary=B; boundary=x',
    'Content-Type: multipart/mixed',
    'Content-Disposition: attachment; filename="e.exe"',
    'Content-Transfer-Encoding: base64',
    'Content-Transfer-Encoding: quoted-printable',
    'Content-Transfer-Encoding: 7bit',
    'Subject: x',
    'no field',
    ' ',
    '\tx',
  ),
);
const anyLine = fc.oneof(
  { weight: 3, arbitrary: typeLine },
  {
    weight: 4,
    arbitrary: fc.tuple(boundary, fc.constantFrom('', '--', ' ', 'x', '--x')).map(([a, b]) => `--${a}${b}`),
  },
  { weight: 3, arbitrary: fc.constant('') },
  {
    weight: 1,
    arbitrary: fc.constantFrom('aGVsbG8=', '=3D=', 'begin 644 e.exe', '#3&5A', 'end', '-', '--', '\r', '\0'),
  },
);
const anyMail = fc
  .array(fc.tuple(anyLine, fc.constantFrom('\r\n', '\r\n', '\r\n', '\n', '\r', '')), { maxLength: 40 })
  .map(all => Buffer.from(all.map(([line, end]) => line + end).join(''), 'latin1'));

test('mail of any lines: the same in any pieces, by any block', async () => {
  await fc.assert(
    fc.asyncProperty(
      anyMail,
      pieceLengths,
      fc.integer({ min: 1, max: 100 }),
      async (bytes, lengths, block) => {
        const whole = await walked([bytes], 16 * 1024);
        assert.deepEqual(await walked(pieces(bytes, lengths), block), whole);
      },
    ),
    { numRuns: 1000 },
  );
});

test('a bare line end between a part’s header and the message in it is the part’s, by any block', async () => {
  const bytes = Buffer.from('Content-Type: message/rfc822\r\n\nSubject: x\r\n\r\n');
  for (const block of [1, 7, 16 * 1024])
    assert.deepEqual(
      (await walked([bytes], block)).anomalies.map(({ rule, place }) => `${rule} ${place}`),
      ['MIME_BARE_LF 1'],
    );
});

/** A well formed part, and the names in it. */
interface Made {
  readonly text: string;
  readonly names: readonly string[];
}
const leaf: fc.Arbitrary<Made> = fc
  .record({ number: fc.nat(99), encoded: fc.boolean(), body: fc.string({ maxLength: 200 }) })
  .map(({ number, encoded, body }) => {
    const text = encoded ? Buffer.from(body).toString('base64') : body.replaceAll(/^begin |^--/gm, '');
    const fields = [
      'Content-Type: application/octet-stream',
      `Content-Transfer-Encoding: ${encoded ? 'base64' : '8bit'}`,
      `Content-Disposition: attachment; filename="file${number}.bin"`,
    ];
    return { text: `${fields.join('\r\n')}\r\n\r\n${text}\r\n`, names: [`file${number}.bin`] };
  });
const tree = fc.letrec<{ part: Made; multipart: Made }>(tie => ({
  part: fc.oneof({ maxDepth: 4, depthIdentifier: 'mime' }, leaf, tie('multipart')),
  multipart: fc
    .tuple(
      fc.array(tie('part'), { minLength: 1, maxLength: 3, depthIdentifier: 'mime' }),
      fc.nat(1e9),
      fc.boolean(),
    )
    .map(([children, number, asMessage]) => {
      const mark = `=_${number}_${children.map(child => child.text.length).join('_')}`;
      const body = children.map(child => `--${mark}\r\n${child.text}\r\n`).join('');
      const text = `Content-Type: multipart/mixed; boundary="${mark}"\r\n\r\n${body}--${mark}--\r\n`;
      return {
        text: asMessage ? `Content-Type: message/rfc822\r\n\r\nSubject: x\r\n${text}` : text,
        names: children.flatMap(child => child.names),
      };
    }),
}));

test('well formed mail of any shape: every name is seen, in its order', async () => {
  await fc.assert(
    fc.asyncProperty(tree.multipart, pieceLengths, async ({ text, names }, lengths) => {
      const facts = await factsOf(pieces(Buffer.from(text), lengths));
      assert.deepEqual(allNames(facts), names);
    }),
    { numRuns: 300 },
  );
});

test('damaged mail: never an exception, the same in any pieces', async () => {
  const seeds = [...messages, ...fixtures()].map(one => one.bytes).filter(bytes => bytes.length < 8192);
  const change = fc.record({
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    remove: fc.nat(40),
    insert: fc.oneof(
      fc.constantFrom(
        '',
        '\r\n',
        '\n',
        '\r',
        '\0',
        '=',
        '--',
        '--B',
        '--B--\r\n',
        ';',
        '"',
        '(',
        '\r\n\r\n',
        'Content-Type: ',
        '\xff',
      ),
      fc.integer({ min: 0, max: 255 }).map(byte => String.fromCharCode(byte)),
    ),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...seeds),
      fc.array(change, { minLength: 1, maxLength: 6 }),
      pieceLengths,
      async (seed, changes, lengths) => {
        let bytes = seed;
        for (const { at, remove, insert } of changes) {
          const start = Math.floor(at * bytes.length);
          bytes = Buffer.concat([
            bytes.subarray(0, start),
            Buffer.from(insert, 'latin1'),
            bytes.subarray(start + remove),
          ]);
        }
        const whole = await walked([bytes], 16 * 1024);
        assert.deepEqual(await walked(pieces(bytes, lengths), 97), whole);
      },
    ),
    { numRuns: 1000 },
  );
});
