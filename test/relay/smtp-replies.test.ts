import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Reply } from '../../src/model/reply.ts';
import { LINE_LIMIT, LINES_LIMIT, ReplyReader, TEXT_KEPT } from '../../src/relay/smtp-replies.ts';

interface Seen {
  readonly replies: readonly Reply[];
  readonly error: string | null;
}

function read(pieces: readonly Buffer[]): Seen {
  const reader = new ReplyReader();
  const replies: Reply[] = [];
  for (const piece of pieces) {
    reader.push(piece);
    for (let said = reader.take(); said !== undefined; said = reader.take()) replies.push(said);
  }
  return { replies, error: reader.error };
}

const whole = (text: string): Seen => read([Buffer.from(text, 'latin1')]);
const byteWise = (text: string): Seen => read(Array.from(text, c => Buffer.from(c, 'latin1')));

const GOOD: readonly [string, string, readonly Reply[]][] = [
  ['one line', '250 ok\r\n', [{ code: 250, enhanced: '', lines: ['ok'] }]],
  ['code alone', '354\r\n', [{ code: 354, enhanced: '', lines: [''] }]],
  ['code and blank', '354 \r\n', [{ code: 354, enhanced: '', lines: [''] }]],
  [
    'enhanced status',
    '550 5.1.1 no such user\r\n',
    [{ code: 550, enhanced: '5.1.1', lines: ['no such user'] }],
  ],
  ['status alone', '250 2.1.0\r\n', [{ code: 250, enhanced: '2.1.0', lines: [''] }]],
  ['status of another class is text', '550 4.1.1 x\r\n', [{ code: 550, enhanced: '', lines: ['4.1.1 x'] }]],
  [
    'a version number is text',
    '220 2.1.1b ready\r\n',
    [{ code: 220, enhanced: '', lines: ['2.1.1b ready'] }],
  ],
  [
    'status has three digits at most',
    '250 2.1234.0 x\r\n',
    [{ code: 250, enhanced: '', lines: ['2.1234.0 x'] }],
  ],
  [
    'several lines, the status taken off each',
    '550-5.7.1 first\r\n550-second\r\n550 5.7.1 third\r\n',
    [{ code: 550, enhanced: '5.7.1', lines: ['first', 'second', 'third'] }],
  ],
  ['bare LF', '250-a\n250 b\n', [{ code: 250, enhanced: '', lines: ['a', 'b'] }]],
  [
    'two replies at once',
    '250 2.1.0 a\r\n452 4.2.2 b\r\n',
    [
      { code: 250, enhanced: '2.1.0', lines: ['a'] },
      { code: 452, enhanced: '4.2.2', lines: ['b'] },
    ],
  ],
  ['8-bit text', '250 caf\xc3\xa9\r\n', [{ code: 250, enhanced: '', lines: ['caf\xc3\xa9'] }]],
  ['unfinished', '250 ok\r\n250-mo', [{ code: 250, enhanced: '', lines: ['ok'] }]],
  [
    'a long text is cut',
    `250 ${'x'.repeat(TEXT_KEPT + 50)}\r\n`,
    [{ code: 250, enhanced: '', lines: ['x'.repeat(TEXT_KEPT)] }],
  ],
  [
    'exactly as long',
    `250 ${'x'.repeat(TEXT_KEPT)}\r\n`,
    [{ code: 250, enhanced: '', lines: ['x'.repeat(TEXT_KEPT)] }],
  ],
  [
    'the longest line',
    `250 ${'x'.repeat(LINE_LIMIT - 5)}\r\n`,
    [{ code: 250, enhanced: '', lines: ['x'.repeat(TEXT_KEPT)] }],
  ],
  [
    'as many lines as may be',
    `${'250-x\r\n'.repeat(LINES_LIMIT - 1)}250 x\r\n`,
    [{ code: 250, enhanced: '', lines: Array.from({ length: LINES_LIMIT }, () => 'x') }],
  ],
];

for (const [name, text, replies] of GOOD) {
  test(`reply: ${name}`, () => {
    assert.deepEqual(whole(text), { replies, error: null });
    assert.deepEqual(byteWise(text), { replies, error: null });
  });
}

const BAD: readonly [string, string, RegExp][] = [
  ['empty line', '\r\n', /not an SMTP reply/],
  ['two digits', '25\r\n', /not an SMTP reply/],
  ['four digits', '2500 ok\r\n', /not an SMTP reply/],
  ['a letter', '25O ok\r\n', /not an SMTP reply/],
  ['1xx', '150 ok\r\n', /not an SMTP reply/],
  ['6xx', '650 ok\r\n', /not an SMTP reply/],
  ['another protocol', 'SSH-2.0-OpenSSH_9.2\r\n', /not an SMTP reply/],
  ['NUL', '\0\0\0\r\n', /not an SMTP reply/],
  ['code changes', '250-a\r\n550 b\r\n', /from 250 to 550/],
  ['line without end', `250 ${'x'.repeat(LINE_LIMIT)}`, /longer than/],
  ['line too long', `250 ${'x'.repeat(LINE_LIMIT)}\r\n`, /longer than/],
  ['too many lines', `${'250-x\r\n'.repeat(LINES_LIMIT)}250 x\r\n`, /more than/],
];

for (const [name, text, error] of BAD) {
  test(`no reply: ${name}`, () => {
    const seen = whole(`220 hi\r\n${text}`);
    assert.deepEqual(seen.replies, [{ code: 220, enhanced: '', lines: ['hi'] }]);
    assert.match(seen.error ?? '', error);
    assert.deepEqual(byteWise(`220 hi\r\n${text}`), seen);
  });
}

test('any bytes, cut anywhere, are read as in one piece', () => {
  const line = fc.oneof(
    fc
      .tuple(fc.constantFrom('250', '550', '421', '25', '2x0'), fc.constantFrom(' ', '-', ''), fc.string())
      .map(p => p.join('')),
    fc.string({ unit: 'binary-ascii' }),
    fc
      .constantFrom('250 ', '250-')
      .chain(s => fc.integer({ min: 505, max: 520 }).map(n => s + '\r'.repeat(3) + 'y'.repeat(n) + '\r')),
  );
  const input = fc.array(fc.tuple(line, fc.constantFrom('\r\n', '\n', '\r', '')), { maxLength: 12 });
  fc.assert(
    fc.property(input, fc.array(fc.nat(200), { maxLength: 10 }), (lines, cuts) => {
      const text = lines.map(l => l.join('')).join('');
      const expected = whole(text);
      assert.deepEqual(byteWise(text), expected);
      const bytes = Buffer.from(text, 'latin1');
      const pieces: Buffer[] = [];
      let at = 0;
      for (const cut of cuts) {
        pieces.push(bytes.subarray(at, at + cut));
        at += cut;
      }
      pieces.push(bytes.subarray(at));
      assert.deepEqual(read(pieces), expected);
    }),
    { numRuns: 300 },
  );
});
