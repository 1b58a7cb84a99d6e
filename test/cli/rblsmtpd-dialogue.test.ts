import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { refusalLine, RefusalDialogue } from '../../src/cli/rblsmtpd-dialogue.ts';

const OK = '250 rblsmtpd.local\r\n';
const BYE = '221 rblsmtpd.local\r\n';
const NO = '451 no\r\n';

function talk(...pieces: readonly string[]): string {
  const dialogue = new RefusalDialogue('451 no');
  return pieces.map(piece => dialogue.feed(Buffer.from(piece, 'latin1'))).join('');
}

const CASES: readonly (readonly [input: string, output: string])[] = [
  ['', ''],
  ['helo', ''],
  ['helo x\r\n', OK],
  ['EhLo x\n', OK],
  ['mail from:<>\nrset\nnoop\n', OK + OK + OK],
  ['rcpt to:<a@b>\r\ndata\r\n', NO + NO],
  ['\r\n\n', NO + NO],
  ['quit\r\nhelo x\r\n', BYE],
  ['quit now\n', BYE],
  ['quit\r\r\n', NO],
  [' quit\n', NO],
  ['quit\0x\n', BYE],
  ['quit\tx\n', NO],
  ['quitter\n', NO],
  ['heloheloh\n', NO],
  ['helo' + ' '.repeat(10_000) + '\n', OK],
  ['x'.repeat(10_000) + '\n', NO],
  ['\xff\xfe\n', NO],
];

for (const [input, output] of CASES) {
  test(`${JSON.stringify(input.slice(0, 40))} in one piece, and byte by byte`, () => {
    assert.equal(talk(input), output);
    assert.equal(talk(...input.split('')), output);
  });
}

test('however the input is cut, the answers are the same', () => {
  const bit = fc.constantFrom('helo', 'QUIT', 'mail', 'rcpt', ' ', '\r', '\n', '\r\n', '\0', 'x', '\xff');
  fc.assert(
    fc.property(fc.array(bit, { maxLength: 40 }), bits => {
      const input = bits.join('');
      assert.equal(talk(...bits), talk(input));
      assert.equal(talk(...input.split('')), talk(input));
    }),
  );
});

test('the refusal is cut at 200 bytes and shows every odd byte as a question mark', () => {
  assert.equal(refusalLine(553, 'Blocked'), '553 Blocked');
  assert.equal(refusalLine(553, ''), '553 ');
  assert.equal(refusalLine(451, 'a\tb\r\n250 ok\x7f\xc3\xa9~'), '451 a?b??250 ok???~');
  assert.equal(refusalLine(451, `${'y'.repeat(199)}\xe9zz`), `451 ${'y'.repeat(199)}?`);
});
