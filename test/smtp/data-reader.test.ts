import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DataReader } from '../../src/smtp/data-reader.ts';
import { pieceLengths, pieces, wireBytes } from './splits.ts';

/** All that a reader has to say of what it was given. `rest` is null when the message did not end. */
interface Seen {
  readonly body: string;
  readonly rest: string | null;
  readonly lines: number;
  readonly flags: string;
}

function read(chunks: readonly Buffer[]): Seen {
  const reader = new DataReader();
  const bodies: Buffer[] = [];
  let rest: string | null = null;
  for (const chunk of chunks) {
    if (rest !== null) {
      rest += chunk.toString('latin1');
      continue;
    }
    const piece = reader.push(chunk);
    bodies.push(Buffer.from(piece.body));
    if (piece.rest !== null) rest = piece.rest.toString('latin1');
  }
  const { lines, bareCr, bareLf, nul, dotLines, eightBit } = reader;
  return {
    body: Buffer.concat(bodies).toString('latin1'),
    rest,
    lines,
    flags: flagText({ bareCr, bareLf, nul, dotLines, eightBit }),
  };
}

function flagText(flags: Readonly<Record<string, boolean>>): string {
  return Object.entries(flags)
    .flatMap(([name, set]) => (set ? [name] : []))
    .join(' ');
}

/** The same in the words of RFC 5321 4.5.2, slowly: cut at CRLF, look for the line of one dot, take one dot off. */
function reference(input: string): Seen {
  const whole = `\r\n${input}`;
  const end = whole.indexOf('\r\n.\r\n');
  const text = end < 0 ? input : input.slice(0, end);
  const rest = end < 0 ? null : whole.slice(end + 5);
  const body = `\r\n${text}`.replaceAll('\r\n.', '\r\n').slice(2);
  const strays = body.replaceAll('\r\n', '');
  return {
    body,
    rest,
    lines: body.split('\r\n').length - 1,
    flags: flagText({
      bareCr: strays.includes('\r'),
      bareLf: strays.includes('\n'),
      nul: strays.includes('\0'),
      dotLines: `\r\n${body}`.includes('\r\n.'),
      eightBit: /[\x80-\xff]/.test(body),
    }),
  };
}

const latin1 = (text: string) => Buffer.from(text, 'latin1');
const byteAtATime = (text: string) => pieces(latin1(text), [1]);

const CASES: readonly [name: string, wire: string, seen: Partial<Seen>][] = [
  ['an ordinary message', 'a\r\nb\r\n.\r\n', { body: 'a\r\nb\r\n', rest: '', lines: 2, flags: '' }],
  ['an empty message', '.\r\n', { body: '', rest: '', lines: 0, flags: '' }],
  ['a message of one empty line', '\r\n.\r\n', { body: '\r\n', rest: '', lines: 1 }],
  ['what follows is not ours', 'a\r\n.\r\nQUIT\r\n', { body: 'a\r\n', rest: 'QUIT\r\n' }],
  ['a second message behind it', '.\r\n.\r\n', { body: '', rest: '.\r\n' }],
  ['a stuffed dot', '..\r\n.\r\n', { body: '.\r\n', flags: 'dotLines' }],
  ['a dot before text, stuffed by nobody', '.a\r\n.\r\n', { body: 'a\r\n', flags: '' }],
  ['two stuffed dots', '...\r\n..x\r\n.\r\n', { body: '..\r\n.x\r\n', lines: 2, flags: 'dotLines' }],
  ['a dot inside a line', 'a.\r\n.\r\n', { body: 'a.\r\n', flags: '' }],
  ['8-bit text', 'caf\xe9\r\n.\r\n', { body: 'caf\xe9\r\n', flags: 'eightBit' }],
  ['8-bit text after the end does not count', '.\r\n\xe9', { rest: '\xe9', flags: '' }],
  ['LF . LF is no end', 'a\n.\nb\r\n.\r\n', { body: 'a\n.\nb\r\n', rest: '', flags: 'bareLf' }],
  ['LF . CRLF is no end', 'a\n.\r\nb\r\n.\r\n', { body: 'a\n.\r\nb\r\n', rest: '', flags: 'bareLf' }],
  ['CRLF . LF is no end', 'a\r\n.\nb\r\n.\r\n', { body: 'a\r\n\nb\r\n', rest: '', flags: 'bareLf' }],
  ['CRLF . CR is no end', 'a\r\n.\rb\r\n.\r\n', { body: 'a\r\n\rb\r\n', rest: '', flags: 'bareCr' }],
  ['CR . CR is no end', 'a\r.\rb\r\n.\r\n', { body: 'a\r.\rb\r\n', flags: 'bareCr' }],
  ['CR . CRLF is no end', 'a\r.\r\nb\r\n.\r\n', { body: 'a\r.\r\nb\r\n', flags: 'bareCr' }],
  ['CRLF . CR CR LF is no end', 'a\r\n.\r\r\nb\r\n.\r\n', { body: 'a\r\n\r\r\nb\r\n', flags: 'bareCr' }],
  [
    'CR CRLF . CRLF is an end after a bare CR',
    'a\r\r\n.\r\nb',
    { body: 'a\r\r\n', rest: 'b', flags: 'bareCr' },
  ],
  ['CRLF NUL . CRLF is no end', 'a\r\n\0.\r\n.\r\n', { body: 'a\r\n\0.\r\n', flags: 'nul' }],
  ['CRLF . NUL CRLF is no end', 'a\r\n.\0\r\n.\r\n', { body: 'a\r\n\0\r\n', flags: 'nul' }],
  [
    'other control characters are text',
    '\x01\t\x0b\x0c\x1a\r\n.\r\n',
    { body: '\x01\t\x0b\x0c\x1a\r\n', flags: '' },
  ],
  ['no end', 'a\r\n.', { body: 'a\r\n', rest: null, lines: 1 }],
];

for (const [name, wire, seen] of CASES) {
  test(name, () => {
    const whole = read([latin1(wire)]);
    assert.deepEqual({ ...whole, ...seen }, whole);
    // Without an end the reference cannot know what the last bytes are going to be.
    if (whole.rest !== null) assert.deepEqual(whole, reference(wire));
    assert.deepEqual(read(byteAtATime(wire)), whole);
  });
}

test('agrees with the slow reader, however the bytes are cut', () => {
  fc.assert(
    fc.property(wireBytes(), pieceLengths, (bytes, lengths) => {
      // An end is added, so that no byte is still undecided.
      const wire = Buffer.concat([bytes, latin1('\r\n.\r\nrest')]);
      const expected = reference(wire.toString('latin1'));
      assert.deepEqual(read([Buffer.from(wire)]), expected);
      assert.deepEqual(read(pieces(wire, lengths)), expected);
      assert.deepEqual(read(pieces(wire, [1])), expected);
    }),
    { numRuns: 2000 },
  );
});

test('what a client stuffs comes out as it was', () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom('', '.', '..', 'a', '.a', ' .', '\xff')),
      pieceLengths,
      (lines, lengths) => {
        const message = lines.map(line => `${line}\r\n`).join('');
        const stuffed = lines.map(line => `${line.startsWith('.') ? '.' : ''}${line}\r\n`).join('');
        const seen = read(pieces(latin1(`${stuffed}.\r\n`), lengths));
        assert.equal(seen.body, message);
        assert.equal(seen.lines, lines.length);
        assert.equal(seen.flags.includes('bare'), false);
      },
    ),
  );
});
