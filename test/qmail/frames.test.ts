import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Frame } from '../../src/qmail/frames.ts';
import { FrameReader, frames, MAX_PAYLOAD } from '../../src/qmail/frames.ts';

function read(bytes: Buffer, piece = Math.max(1, bytes.length)): Frame[] {
  const reader = new FrameReader();
  const found: Frame[] = [];
  for (let at = 0; at < bytes.length; at += piece) {
    for (const { type, payload } of reader.push(Buffer.from(bytes.subarray(at, at + piece))))
      found.push({ type, payload: Buffer.from(payload) });
  }
  return found;
}

test('a letter, a length, and the bytes', () => {
  assert.deepEqual(Buffer.concat(frames('M', Buffer.from('ab'))), Buffer.from('M\0\0\0\x02ab', 'latin1'));
  assert.deepEqual(Buffer.concat(frames('m')), Buffer.from('m\0\0\0\0', 'latin1'));
});

test('what is longer than a frame becomes several', () => {
  const found = read(Buffer.concat(frames('M', Buffer.alloc(MAX_PAYLOAD * 2 + 1))));
  assert.deepEqual(
    found.map(one => one.payload.length),
    [MAX_PAYLOAD, MAX_PAYLOAD, 1],
  );
});

test('a frame that is too long is no frame', () => {
  const head = Buffer.alloc(5);
  head.write('M');
  head.writeUInt32BE(MAX_PAYLOAD + 1, 1);
  assert.throws(() => read(head), RangeError);
});

test('a frame that breaks off is not given', () => {
  const whole = Buffer.concat(frames('M', Buffer.from('abc')));
  for (let end = 0; end < whole.length; end++) assert.deepEqual(read(whole.subarray(0, end)), []);
});

test('property: the same frames however they arrive', () => {
  const frame = fc.record(
    {
      type: fc.constantFrom('V', 'M', 'm', 'R', 'r'),
      payload: fc.uint8Array({ maxLength: 40 }).map(bytes => Buffer.from(bytes)),
    },
    { noNullPrototype: true },
  );
  fc.assert(
    fc.property(fc.array(frame, { maxLength: 8 }), fc.integer({ min: 1, max: 9 }), (list, piece) => {
      const bytes = Buffer.concat(list.flatMap(one => frames(one.type, one.payload)));
      assert.deepEqual(read(bytes, piece), list);
      assert.deepEqual(read(bytes), list);
    }),
  );
});
