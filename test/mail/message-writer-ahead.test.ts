import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, test } from 'node:test';
import { crc32 } from 'node:zlib';
import { MessageWriter } from '../../src/mail/message-writer.ts';
import { temporaryFolder } from '../support/processes.ts';

const FOLDER = await temporaryFolder();
after(() => FOLDER[Symbol.asyncDispose]());

test('what comes while the spool file is still being made stays behind what came before', async () => {
  const writer = new MessageWriter({ memoryBytes: 100_000, folder: FOLDER.path, headerBytes: 65_536 });
  // Memory, then the file, then a piece that memory would still have had room for.
  const bytes = randomBytes(390_000);
  assert.equal(writer.write(bytes.subarray(0, 60_000)), null);
  assert.equal(writer.write(bytes.subarray(60_000, 360_000)), null);
  assert.equal(writer.write(bytes.subarray(360_000)), null);
  const message = await writer.finish({ lines: 0, eightBit: true, dotLines: false });
  const pieces: Buffer[] = [];
  for await (const piece of message.chunks()) pieces.push(Buffer.from(piece));
  assert.ok(Buffer.concat(pieces).equals(bytes));
  assert.equal(message.crc32, crc32(bytes));
  message.release();
});

test('memory lent with a chunk goes back once the chunk is in the file, but not that of the header', async () => {
  const writer = new MessageWriter({ memoryBytes: 0, folder: FOLDER.path, headerBytes: 200_000 });
  const bytes = Buffer.concat([
    Buffer.from('A: 1\r\n'.repeat(20_000)),
    Buffer.from('\r\n'),
    randomBytes(900_000),
  ]);
  const chunks: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += 65_536) chunks.push(ownCopy(bytes.subarray(at, at + 65_536)));
  for (const chunk of chunks) await writer.write(chunk, chunk.buffer as ArrayBuffer);
  const message = await writer.finish({ lines: 0, eightBit: true, dotLines: false });
  // 120,002 bytes of header lie in the first two.
  assert.deepEqual(
    chunks.map(chunk => chunk.length > 0),
    chunks.map((_, n) => n < 2),
  );
  assert.equal(message.header.toString('latin1'), 'A: 1\r\n'.repeat(20_000));
  const pieces: Buffer[] = [];
  for await (const piece of message.chunks()) pieces.push(Buffer.from(piece));
  assert.ok(Buffer.concat(pieces).equals(bytes));
  assert.equal(message.crc32, crc32(bytes));
  message.release();
});

/** In memory of its own, as what a socket reads. */
function ownCopy(bytes: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  bytes.copy(copy);
  return copy;
}
