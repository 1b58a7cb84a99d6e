import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdir, readlink } from 'node:fs/promises';
import { after, test } from 'node:test';
import { crc32 } from 'node:zlib';
import { MessageWriter } from '../../src/mail/message-writer.ts';
import { temporaryFolder, waitFor } from '../support/processes.ts';
import { pieces } from '../smtp/splits.ts';
import { bytesOf, storedMessage } from './stored.ts';

const FOLDER = await temporaryFolder();
after(() => FOLDER[Symbol.asyncDispose]());

const IN_MEMORY = { memoryBytes: 1_000_000, folder: FOLDER.path, headerBytes: 65_536 };
const SPOOLED = { ...IN_MEMORY, memoryBytes: 0 };

/** Spool files that are open, although they have no name any more. Some wait for the next message. */
async function openSpools(): Promise<number> {
  const links = await Promise.all(
    (await readdir('/proc/self/fd')).map(fd => readlink(`/proc/self/fd/${fd}`).catch(() => '')),
  );
  return links.filter(link => link.startsWith(FOLDER.path)).length;
}

test('the header is found at every split, in two pieces and byte by byte', async () => {
  for (const [text, header] of [
    ['A: 1\r\nB: 2\r\n\r\nbody\r\n\r\nmore', 'A: 1\r\nB: 2\r\n'],
    ['\r\nbody\r\n\r\n', ''],
    ['A: 1\r\n', 'A: 1\r\n'],
    ['A: 1', 'A: 1'],
    ['A: \r\r\n\r\n\n', 'A: \r\r\n'],
    ['', ''],
  ] as const) {
    const bytes = Buffer.from(text, 'latin1');
    for (let at = 0; at <= bytes.length; at++) {
      const two = [bytes.subarray(0, at), bytes.subarray(at)].filter(piece => piece.length > 0);
      const message = await storedMessage(two, IN_MEMORY);
      assert.equal(message.header.toString(), header, `${JSON.stringify(text)} at ${at}`);
      assert.equal(message.headerCut, false);
    }
    for (const limits of [IN_MEMORY, SPOOLED]) {
      const message = await storedMessage(pieces(bytes, [1]), limits);
      assert.equal(message.header.toString(), header, `${JSON.stringify(text)} byte by byte`);
      message.release();
    }
  }
});

test('small pieces before large ones keep their place', async () => {
  const bytes = randomBytes(300_000);
  for (const limits of [IN_MEMORY, SPOOLED, { ...IN_MEMORY, memoryBytes: 100_000 }]) {
    const message = await storedMessage(pieces(bytes, [1, 2000, 3, 1, 1, 70_000, 5]), limits);
    assert.ok((await bytesOf(message)).equals(bytes));
    assert.equal(message.crc32, crc32(bytes));
    assert.equal(message.size, bytes.length);
    message.release();
  }
});

test('a message of single bytes becomes pieces of a decent size', async () => {
  const bytes = Buffer.from('x'.repeat(5000));
  const message = await storedMessage(pieces(bytes, [1]), IN_MEMORY);
  assert.ok([...(message.chunks() as Iterable<Buffer>)].length < 30);
  assert.ok((await bytesOf(message)).equals(bytes));
});

test('a message can be opened twice at a time', async () => {
  const bytes = randomBytes(400_000);
  const message = await storedMessage(pieces(bytes, [50_000]), SPOOLED);
  const [first, second] = await Promise.all([bytesOf(message), bytesOf(message)]);
  assert.ok(first.equals(bytes) && second.equals(bytes));
  message.release();
});

test('a header is cut just beyond the limit, wherever the chunks end', async () => {
  const limit = 100;
  for (const [length, cut] of [
    [limit - 1, false],
    [limit, false],
    [limit + 1, true],
    [limit + 50, true],
  ] as const) {
    const header = `X: ${'y'.repeat(length - 5)}\r\n`;
    for (const rest of ['\r\nbody\r\n', '']) {
      for (const size of [1, 2, 3, 64, 99, 100, 101, 102, 103, 10_000]) {
        const limits = { ...IN_MEMORY, headerBytes: limit };
        const message = await storedMessage(pieces(Buffer.from(header + rest), [size]), limits);
        const shown = `${length} ${size} ${JSON.stringify(rest)}`;
        assert.equal(message.headerCut, cut, shown);
        assert.equal(message.header.toString(), header.slice(0, limit), shown);
      }
    }
  }
});

test('what goes beyond `memoryBytes` goes to a file', async () => {
  const limits = { ...IN_MEMORY, memoryBytes: 10 };
  assert.ok(Array.isArray((await storedMessage([Buffer.alloc(10)], limits)).chunks()));
  const spooled = await storedMessage([Buffer.alloc(11)], limits);
  assert.ok(!Array.isArray(spooled.chunks()));
  assert.ok((await openSpools()) > 0);
  assert.deepEqual(await readdir(FOLDER.path), [], 'a spool file has no name');
  spooled.release();
});

test('no spool folder: a write does not reject, the end does', async () => {
  const writer = new MessageWriter({ ...SPOOLED, folder: `${FOLDER.path}/missing` });
  for (let i = 0; i < 10; i++) await writer.write(Buffer.alloc(100_000));
  assert.match(writer.failure?.message ?? '', /ENOENT/);
  assert.equal(writer.write(Buffer.alloc(5000)), null, 'the rest is thrown away');
  await assert.rejects(writer.finish({ lines: 0, eightBit: false, dotLines: false }), /ENOENT/);
});

test('messages thrown away at any moment keep no file open', async () => {
  const before = await openSpools();
  for (let round = 0; round < 30; round++) {
    const writer = new MessageWriter(SPOOLED);
    const writing: (Promise<void> | null)[] = [];
    for (let chunk = 0; chunk < 4; chunk++) writing.push(writer.write(Buffer.alloc(300_000)));
    for (let turn = 0; turn < round % 6; turn++) await new Promise(setImmediate);
    writer.discard();
    await Promise.all(writing.map(write => write ?? Promise.resolve()));
  }
  // Eight may wait for the next message, and the one before this test.
  await waitFor('closed spool files', async () => (await openSpools()) <= Math.max(before, 8));
});
