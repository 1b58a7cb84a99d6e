import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { BodyDigests, BodyOf } from '../../src/auth/body-digests.ts';
import type { Message } from '../../src/model/message.ts';
import { messageOf } from './dkim-mail.ts';

const TEXT = 'From: x\r\nSubject: y\r\n\r\nHello,  world \r\n\r\n';

const sha256 = (text: string) => createHash('sha256').update(text, 'latin1').digest('hex');

/** A message that counts how often its bytes are read, and gives them in pieces. */
async function counted(text: string, pieceLength = 7): Promise<{ message: Message; passes: () => number }> {
  const message = await messageOf(text);
  const bytes = Buffer.from(text, 'latin1');
  let passes = 0;
  const chunks = async function* () {
    passes++;
    for (let at = 0; at < bytes.length; at += pieceLength) {
      await Promise.resolve();
      yield bytes.subarray(at, at + pieceLength);
    }
  };
  return { message: { ...message, header: message.header, chunks }, passes: () => passes };
}

test('all hashes asked for come of one pass', async () => {
  const { message, passes } = await counted(TEXT);
  const digests = new BodyDigests(message);
  assert.ok(digests.want('simple', Infinity));
  assert.ok(digests.want('relaxed', Infinity));
  assert.ok(digests.want('relaxed', 5));
  assert.equal(digests.get('simple', Infinity), null);
  await digests.read();
  const found = (form: 'simple' | 'relaxed', length: number) =>
    digests.get(form, length)?.sha256.toString('hex');
  assert.equal(found('simple', Infinity), sha256('Hello,  world \r\n'));
  assert.equal(found('relaxed', Infinity), sha256('Hello, world\r\n'));
  assert.equal(found('relaxed', 5), sha256('Hello'));
  assert.equal(digests.get('relaxed', 5)?.length, 14);
  assert.equal(digests.get('simple', 5), null);
  assert.equal(passes(), 1);
});

test('what was asked for before is not read again, and what comes later is', async () => {
  const { message, passes } = await counted(TEXT);
  const digests = new BodyDigests(message);
  await digests.read();
  assert.equal(passes(), 0);
  digests.want('simple', Infinity);
  const first = digests.read();
  assert.ok(digests.want('simple', Infinity));
  digests.want('relaxed', Infinity);
  const second = digests.read();
  await digests.read();
  assert.ok(digests.get('simple', Infinity));
  assert.ok(digests.get('relaxed', Infinity));
  await Promise.all([first, second]);
  assert.equal(passes(), 2);
});

test('two parts of a body are hashed at most, and the whole of it always', async () => {
  const digests = new BodyDigests(await messageOf(TEXT));
  assert.ok(digests.want('simple', 1));
  assert.ok(digests.want('relaxed', 1));
  assert.ok(!digests.want('relaxed', 2));
  assert.ok(digests.want('relaxed', 1));
  assert.ok(!digests.want('simple', 1e76));
  assert.ok(digests.want('simple', Infinity));
  assert.ok(digests.want('relaxed', Infinity));
  await digests.read();
  assert.ok(digests.get('relaxed', Infinity));
  assert.equal(digests.get('relaxed', 2), null);
});

test('a spool file that cannot be read is told to each who waits, and to nobody else', async () => {
  const message = await messageOf(TEXT);
  const failing = (): AsyncIterable<Buffer> => ({
    [Symbol.asyncIterator]: () => ({
      next: async () => {
        await new Promise(setImmediate);
        throw new Error('EIO');
      },
    }),
  });
  const digests = new BodyDigests({ ...message, chunks: failing });
  digests.want('simple', Infinity);
  const first = digests.read();
  digests.want('relaxed', Infinity);
  const second = digests.read();
  await assert.rejects(first, /EIO/);
  await assert.rejects(second, /EIO/);
  await assert.rejects(digests.read(), /EIO/);
  assert.equal(digests.get('simple', Infinity), null);
  // A rejection that nobody hears of would end the test run here.
  await new Promise(setImmediate);
});

const BODIES: readonly (readonly [text: string, body: string])[] = [
  ['A: b\r\n\r\nbody', 'body'],
  ['A: b\r\n\r\n', ''],
  ['A: b\r\n', ''],
  ['A: b', ''],
  ['', ''],
  ['\r\nbody\r\n', 'body\r\n'],
  ['\r\n', ''],
  ['A: b\r\n\r\n\r\n', '\r\n'],
];

for (const [text, body] of BODIES) {
  test(`the body of ${JSON.stringify(text)}`, async () => {
    const message = await messageOf(text);
    for (const length of [1, 2, 3, 100]) {
      const of = new BodyOf(message);
      let found = '';
      for (let at = 0; at < text.length; at += length)
        found += of.part(Buffer.from(text.slice(at, at + length), 'latin1')).toString('latin1');
      assert.equal(found, body);
    }
  });
}
