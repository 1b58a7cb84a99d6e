import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import type { Message } from '../../src/model/message.ts';
import type { ReceptionRefusal } from '../../src/smtp/message-reception.ts';
import { MessageReception } from '../../src/smtp/message-reception.ts';
import { temporaryFolder } from '../support/processes.ts';
import { pieceLengths, pieces, wireBytes } from './splits.ts';

const FOLDER = await temporaryFolder();
after(() => FOLDER[Symbol.asyncDispose]());

interface Options {
  readonly databytes?: number;
  readonly normalise?: boolean;
  readonly memoryBytes?: number;
  readonly folder?: string;
}

/** Receives `wire`, which holds one message and its final dot, and says what came of it. */
async function receive(
  chunks: readonly Buffer[],
  options: Options = {},
): Promise<
  (ReceptionRefusal & { readonly code: number }) | { readonly message: Message; readonly text: string }
> {
  const { databytes = 0, normalise = false, memoryBytes = 1_000_000, folder = FOLDER.path } = options;
  const reception = new MessageReception({ memoryBytes, folder, headerBytes: 65_536 }, databytes, normalise);
  let rest: Buffer | null = null;
  for (const chunk of chunks) {
    assert.equal(rest, null, 'pushed after the end');
    const pushed = reception.push(chunk);
    if (pushed.wait !== null) await pushed.wait;
    rest = pushed.rest;
  }
  assert.notEqual(rest, null, 'no end');
  const result = await reception.finish();
  if ('rule' in result) return { ...result, code: result.reply.code };
  const read: Buffer[] = [];
  for await (const chunk of result.chunks()) read.push(Buffer.from(chunk));
  result.release();
  return { message: result, text: Buffer.concat(read).toString('latin1') };
}

const wire = (text: string) => [Buffer.from(text, 'latin1')];

test('databytes counts line ends as one byte: N is taken, N + 1 is not, however the chunks are cut', async () => {
  const message = 'Subject: a\r\n\r\nbody\r\n';
  const size = message.replaceAll('\r', '').length;
  for (const cut of [[1], [2], [3], [7], [1000]]) {
    for (const memoryBytes of [4, 1_000_000]) {
      const chunks = () => pieces(Buffer.from(`${message}.\r\n`), cut);
      const fits = await receive(chunks(), { databytes: size, memoryBytes });
      assert.ok('message' in fits, `${cut.join()} ${memoryBytes}`);
      const tooBig = await receive(chunks(), { databytes: size - 1, memoryBytes });
      assert.ok('rule' in tooBig);
      assert.equal(tooBig.rule, 'DATABYTES');
      assert.equal(tooBig.code, 552);
    }
  }
});

test('stuffed dots do not count for databytes', async () => {
  assert.ok('message' in (await receive(wire('..\r\n.\r\n'), { databytes: 2 })));
});

test('what linebreaks=normalise makes counts for databytes', async () => {
  assert.ok('message' in (await receive(wire('a\nb\r\n.\r\n'), { databytes: 4, normalise: true })));
  assert.ok('rule' in (await receive(wire('a\nb\rc\r\n.\r\n'), { databytes: 5, normalise: true })));
});

for (const [seen, text] of [
  ['bare LF', 'a\nb\r\n.\r\n'],
  ['bare CR', 'a\rb\r\n.\r\n'],
  ['NUL', 'a\0b\r\n.\r\n'],
  ['bare CR, bare LF, NUL', '\0\n\r\0\r\n.\r\n'],
] as const) {
  test(`${seen}: refused for good, or made good`, async () => {
    const refused = await receive(wire(text));
    assert.ok('rule' in refused);
    assert.deepEqual([refused.rule, refused.detail, refused.code], ['LINE_BREAKS', seen, 550]);
    const taken = await receive(wire(text), { normalise: true });
    assert.ok('message' in taken);
    assert.doesNotMatch(taken.text, /\0|\r(?!\n)|(?<!\r)\n/);
  });
}

test('a stray in a message that is too big as well: the stray is told, since less text cures only one', async () => {
  const refused = await receive(wire(`${'x'.repeat(50)}\n\r\n.\r\n`), { databytes: 5 });
  assert.ok('rule' in refused);
  assert.equal(refused.rule, 'LINE_BREAKS');
});

test('a spool folder that is not there: deferred, in the middle of the message or at its end', async () => {
  const folder = `${FOLDER.path}/missing`;
  for (const text of [`${'x'.repeat(100)}\r\n.\r\n`, 'x\r\n.\r\n']) {
    const refused = await receive(pieces(Buffer.from(text), [10]), { memoryBytes: 2, folder });
    assert.ok('rule' in refused);
    assert.deepEqual([refused.rule, refused.code], ['SPOOL', 451]);
    assert.match(refused.detail, /ENOENT/);
  }
});

test('any message, in memory or spooled, any cut: the bytes, their sums and their facts', async () => {
  await fc.assert(
    fc.asyncProperty(
      wireBytes(),
      pieceLengths,
      fc.constantFrom(0, 5, 1_000_000),
      async (bytes, lengths, memoryBytes) => {
        const sent = Buffer.concat([bytes, Buffer.from('\r\n.\r\n')]);
        const end = Buffer.from(`\r\n${sent.toString('latin1')}`, 'latin1').indexOf('\r\n.\r\n');
        fc.pre(end === sent.length - 3);
        const taken = await receive(pieces(sent, lengths), { memoryBytes, normalise: true });
        assert.ok('message' in taken);
        const { message, text } = taken;
        const whole = Buffer.from(text, 'latin1');
        assert.equal(message.size, whole.length);
        assert.equal(message.crc32, crc32(whole));
        assert.equal(message.lines, text.split('\r\n').length - 1);
        assert.equal(message.eightBit, /[\x80-\xff]/.test(text));
        assert.equal(message.dotLines, /(?:^|\r\n)\./.test(text));
        const header = `\r\n${text}`.indexOf('\r\n\r\n');
        assert.equal(message.header.toString('latin1'), header < 0 ? text : text.slice(0, header));
      },
    ),
    { numRuns: 300 },
  );
});
