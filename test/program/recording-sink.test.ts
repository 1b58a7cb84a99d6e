import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { ClientConnection } from '../../bench/client.ts';
import { startRecordingSink } from '../support/recording-sink.ts';

/** Whole messages of the awkward kind: dots, line ends and halves of both, in every order. */
const plain = fc
  .array(fc.constantFrom('.', '\r', '\n', '\r\n', '\r\n.', 'x', '\xff', '\0'), { maxLength: 40 })
  .map(pieces => (pieces.length === 0 ? '' : `${pieces.join('')}\r\n`));

function stuffed(text: string): string {
  return text.replace(/(^|\r\n)(?=\.)/g, '$1.');
}

test('the recording sink keeps every byte, however the message is cut into pieces', async () => {
  await using sink = await startRecordingSink();
  const client = new ClientConnection({ host: '127.0.0.1', port: sink.port }, 20_000);
  const say = async (...lines: readonly string[]) => {
    client.send(...lines.map(line => `${line}\r\n`));
    const codes: number[] = [];
    for (let reply = 0; reply < lines.length; reply++) codes.push((await client.reply()).code);
    return codes;
  };
  assert.equal((await client.reply()).code, 220);
  assert.deepEqual(await say('EHLO client.example'), [250]);
  await fc.assert(
    fc.asyncProperty(plain, fc.array(fc.nat({ max: 60 }), { maxLength: 8 }), async (text, cuts) => {
      sink.clear();
      const wire = `${stuffed(text)}.\r\n`;
      assert.deepEqual(
        await say('MAIL FROM:<a@b.example>', 'RCPT TO:<c@d.example>', 'DATA'),
        [250, 250, 354],
      );
      let from = 0;
      for (const cut of cuts.toSorted((a, b) => a - b)) {
        client.send(wire.slice(from, cut));
        from = cut;
        // Lets the piece leave by itself.
        await new Promise(setImmediate);
      }
      client.send(wire.slice(from));
      assert.equal((await client.reply()).code, 250);
      const [message] = sink.messages;
      assert.equal(sink.messages.length, 1);
      assert.equal(message?.bytes?.toString('latin1'), text);
      assert.equal(message?.wire?.toString('latin1'), stuffed(text));
      assert.equal(message?.size, text.length);
      assert.equal(message?.head.toString('latin1'), text);
      assert.equal(message?.sha256, createHash('sha256').update(text, 'latin1').digest('hex'));
    }),
    { numRuns: 200 },
  );
  client.destroy();
});
