import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import fc from 'fast-check';
import { LineEnds } from '../../src/mail/line-ends.ts';
import type { Message } from '../../src/model/message.ts';
import { QueueMessage } from '../../src/qmail/queue-message.ts';
import { bytesOf } from '../mail/stored.ts';

async function taken(bytes: Buffer, piece: number): Promise<Message> {
  const message = new QueueMessage({ memoryBytes: 50, headerBytes: 1000, folder: tmpdir() });
  for (let at = 0; at < bytes.length; at += piece) await message.write(bytes.subarray(at, at + piece));
  return message.finish();
}

test('LF becomes CRLF, and what is known of the message is true', async () => {
  const table: readonly (readonly [text: string, inside: string, facts: string])[] = [
    ['a: b\n\nx\n', 'a: b\r\n\r\nx\r\n', '3 7bit plain'],
    ['\n.\n', '\r\n.\r\n', '2 7bit dots'],
    ['.x', '.x', '0 7bit dots'],
    ['x.\n', 'x.\r\n', '1 7bit plain'],
    ['caf\xe9\n', 'caf\xe9\r\n', '1 8bit plain'],
    ['a\r\nb\rc', 'a\r\r\nb\rc', '1 7bit plain'],
    ['', '', '0 7bit plain'],
  ];
  for (const [text, inside, facts] of table) {
    for (const piece of [1, 2, 1000]) {
      const message = await taken(Buffer.from(text, 'latin1'), piece);
      assert.equal((await bytesOf(message)).toString('latin1'), inside);
      const { lines, eightBit, dotLines, size } = message;
      assert.equal(`${lines} ${eightBit ? '8bit' : '7bit'} ${dotLines ? 'dots' : 'plain'}`, facts);
      assert.equal(size, inside.length);
      message.release();
    }
  }
});

test('property: the way back gives every byte as it was', async () => {
  const text = fc.array(fc.constantFrom('a', '\n', '\r', '\r\n', '.', '\0', '\xff', 'long '.repeat(20)), {
    maxLength: 30,
  });
  await fc.assert(
    fc.asyncProperty(text, fc.integer({ min: 1, max: 40 }), async (parts, piece) => {
      const bytes = Buffer.from(parts.join(''), 'latin1');
      const message = await taken(bytes, piece);
      const back = new LineEnds();
      const out: Buffer[] = [];
      for await (const chunk of message.chunks()) out.push(back.toLf(chunk));
      assert.deepEqual(Buffer.concat([...out, back.end()]), bytes);
      message.release();
    }),
    { numRuns: 200 },
  );
});
