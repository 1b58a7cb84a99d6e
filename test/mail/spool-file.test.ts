import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { SpoolFile } from '../../src/mail/spool-file.ts';
import { temporaryFolder } from '../support/processes.ts';

test('what is appended comes back, again and again', async () => {
  await using folder = await temporaryFolder();
  const file = await SpoolFile.create(folder.path);
  const bytes = randomBytes(700_000);
  await file.append([bytes.subarray(0, 1), bytes.subarray(1, 1), bytes.subarray(1, 300_000)]);
  await file.append([]);
  await file.append([bytes.subarray(300_000)]);
  for (let time = 0; time < 2; time++) {
    const pieces: Buffer[] = [];
    for await (const piece of file.read()) pieces.push(Buffer.from(piece));
    assert.ok(Buffer.concat(pieces).equals(bytes));
  }
  assert.deepEqual(await readdir(folder.path), []);
  file.close();
});

test('a piece is valid until the next but one', async () => {
  await using folder = await temporaryFolder();
  const file = await SpoolFile.create(folder.path);
  await file.append([Buffer.alloc(256 * 1024, 'a'), Buffer.alloc(256 * 1024, 'b')]);
  const reader = file.read()[Symbol.asyncIterator]();
  const first = (await reader.next()).value as Buffer;
  await reader.next();
  assert.equal(first[0], 'a'.charCodeAt(0));
  file.close();
});

test('readers at different paces do not disturb each other', async () => {
  await using folder = await temporaryFolder();
  const file = await SpoolFile.create(folder.path);
  const bytes = randomBytes(1_500_000);
  await file.append([bytes]);
  const read = async (turns: number) => {
    const pieces: Buffer[] = [];
    for await (const piece of file.read()) {
      for (let turn = 0; turn < turns; turn++) await new Promise(setImmediate);
      pieces.push(Buffer.from(piece));
    }
    return Buffer.concat(pieces);
  };
  for (const whole of await Promise.all([read(0), read(5), read(50)])) assert.ok(whole.equals(bytes));
  file.close();
});

test('whoever holds on after close gets an error, never the next message', async () => {
  await using folder = await temporaryFolder();
  const first = await SpoolFile.create(folder.path);
  await first.append([Buffer.alloc(1_000_000, 'a')]);
  const reader = first.read()[Symbol.asyncIterator]();
  const piece = (await reader.next()).value as Buffer;
  first.close();
  const second = await SpoolFile.create(folder.path);
  await second.append([Buffer.alloc(1_000_000, 'b')]);
  for await (const other of second.read()) assert.equal(other[0], 'b'.charCodeAt(0));
  await assert.rejects(reader.next(), /closed/);
  await assert.rejects(first.append([Buffer.from('c')]), /closed/);
  assert.ok(piece.equals(Buffer.alloc(piece.length, 'a')), 'a piece that was given out stays as it is');
  second.close();
});

test('a file used again holds what is appended and nothing of before', async () => {
  await using folder = await temporaryFolder();
  for (const size of [3_000_000, 10, 1000, 5]) {
    const file = await SpoolFile.create(folder.path);
    const bytes = randomBytes(size);
    await file.append([bytes]);
    const pieces: Buffer[] = [];
    for await (const part of file.read()) pieces.push(Buffer.from(part));
    assert.ok(Buffer.concat(pieces).equals(bytes));
    file.close();
  }
});

test('an empty file has no pieces', async () => {
  await using folder = await temporaryFolder();
  const file = await SpoolFile.create(folder.path);
  for await (const piece of file.read()) assert.fail(`${piece.length} bytes`);
  file.close();
});

test('reading or writing after it is closed rejects, and closing twice is harmless', async () => {
  await using folder = await temporaryFolder();
  const file = await SpoolFile.create(folder.path);
  await file.append([Buffer.from('a')]);
  file.close();
  file.close();
  await assert.rejects(async () => {
    for await (const piece of file.read()) assert.fail(`${piece.length} bytes`);
  });
  await assert.rejects(file.append([Buffer.from('b')]));
});

test('a folder that is not there', async () => {
  await assert.rejects(SpoolFile.create('/nowhere/at/all'), /ENOENT/);
});
