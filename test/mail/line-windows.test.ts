import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { lineWindows } from '../../src/mail/line-windows.ts';

async function linesOf(chunks: readonly Buffer[], lineBytes: number): Promise<string[]> {
  const all: string[] = [];
  for await (const window of lineWindows(chunks, lineBytes)) {
    let before = 0;
    for (const { text, offset } of window.linesWith('')) {
      assert.equal(window.linesBefore(offset), before++);
      all.push(text);
    }
    assert.equal(window.linesBefore(Infinity), before);
  }
  return all;
}

test('lines without their ends, cut where they are too long', async () => {
  const table: readonly [text: string, lines: readonly string[]][] = [
    ['', []],
    ['a\r\nb\r\n', ['a', 'b']],
    ['a\nb', ['a', 'b']],
    ['\r\n\r\n', ['', '']],
    ['a\rb\r\n', ['a\rb']],
    ['12345\r\n', ['12345']],
    ['123456\r\n', ['12345']],
    ['1234\r\r\n', ['1234\r']],
    ['\xff\0\r\n', ['\xff\0']],
  ];
  for (const [text, lines] of table)
    assert.deepEqual(await linesOf([Buffer.from(text, 'latin1')], 5), lines, JSON.stringify(text));
});

test('a long message comes in windows, and a long line takes no room', async () => {
  const chunk = Buffer.from('x'.repeat(999) + '\n');
  let windows = 0;
  for await (const { text } of lineWindows(
    Array.from({ length: 1000 }, () => chunk),
    499,
  )) {
    windows++;
    assert.ok(text.length <= 65 * 1024);
  }
  assert.ok(windows >= 7, `${windows}`);
  const long = Array.from({ length: 100 }, () => Buffer.alloc(65_536, 'x'));
  assert.deepEqual(await linesOf(long, 499), ['x'.repeat(499)]);
});

test('lines that have a text in them, each once', async () => {
  const bytes = Buffer.from('ab ab\r\nx\r\n\r\nab\ncab\nlast');
  for await (const window of lineWindows([bytes], 499)) {
    assert.deepEqual(
      [...window.linesWith('ab')],
      [
        { text: 'ab ab', offset: 0 },
        { text: 'ab', offset: 12 },
        { text: 'cab', offset: 15 },
      ],
    );
    assert.deepEqual([...window.linesWith('abc')], []);
    break;
  }
});

test('property: the same lines however the message is cut', async () => {
  const text = fc.array(fc.constantFrom('a', 'bc', '\r\n', '\n', '\r', 'dddd'), { maxLength: 40 });
  await fc.assert(
    fc.asyncProperty(text, fc.nat(), async (pieces, seed) => {
      const bytes = Buffer.from(pieces.join(''), 'latin1');
      const size = (seed % 4) + 1;
      const cut = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
        bytes.subarray(i * size, (i + 1) * size),
      );
      assert.deepEqual(await linesOf(cut, 5), await linesOf([bytes], 5));
    }),
  );
});
