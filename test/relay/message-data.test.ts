import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Message } from '../../src/model/message.ts';
import { HANG } from '../support/scripted-server.ts';
import { messageOf, until } from './messages.ts';
import { ADDED, ask, BODY, scriptedHop, shown } from './relay-to.ts';

const DAMAGED = 'failed 451 4.3.0 message could not be read back intact';
const TAKEN = 'accepted 250 2.0.0 taken';

async function* throwing(first: string): AsyncGenerator<Buffer> {
  yield Buffer.from(first);
  await Promise.resolve();
  throw new Error('EIO');
}

const LIES: readonly [string, Message][] = [
  ['CRC-32 differs, in memory', messageOf(BODY, { crc32: 1 })],
  ['CRC-32 differs, in pieces', messageOf(BODY, { crc32: 1 }, 5)],
  ['the file cannot be read', messageOf(BODY, { chunks: () => throwing('Subject: ') })],
  [
    'opening fails',
    messageOf(BODY, {
      chunks: () => {
        throw new Error('released');
      },
    }),
  ],
  ['too few bytes', messageOf(BODY, { size: BODY.length + 1 }, 5)],
  ['too many bytes', messageOf(BODY, { size: BODY.length - 1 }, 5)],
  ['no bytes', messageOf('', { size: 10 }, 5)],
];

for (const [name, message] of LIES) {
  test(`the final dot is never sent: ${name}`, async t => {
    const { server, open } = await scriptedHop(t);
    const delivery = open();
    await ask(delivery, 'a', 'b');
    assert.deepEqual((await delivery.send(ADDED, message)).map(shown), [DAMAGED, DAMAGED]);
    await until(() => server.open === 0);
    assert.deepEqual(server.messages, []);
  });
}

test('a message without a final line end gets one', async t => {
  const { server, open } = await scriptedHop(t);
  for (const piece of [undefined, 2]) {
    const delivery = open();
    await ask(delivery, 'a');
    assert.deepEqual((await delivery.send(ADDED, messageOf('x\r\ny', {}, piece))).map(shown), [TAKEN]);
  }
  assert.deepEqual(
    server.messages.map(String),
    Array.from({ length: 2 }, () => `${ADDED.toString()}x\r\ny\r\n`),
  );
});

/** Counts the pieces asked for. */
function counted(size: number): { message: Message; pieces: () => number } {
  const bytes = Buffer.alloc(
    size,
    'All work and no play makes Jack a dull boy, says the proverb of 1659.......\r\n',
  );
  bytes.write('\r\n', size - 2);
  const message = messageOf(bytes, {}, 64 * 1024);
  let count = 0;
  return {
    message: {
      ...message,
      chunks: async function* () {
        for await (const chunk of message.chunks()) {
          count++;
          yield chunk;
        }
      },
    },
    pieces: () => count,
  };
}

test('a large message waits for a slow hop and arrives whole', async t => {
  const { server, open } = await scriptedHop(t, {}, { pauseAtData: true });
  const size = 24 * 1024 * 1024;
  const { message, pieces } = counted(size);
  const delivery = open();
  await ask(delivery, 'a');
  const sent = delivery.send(ADDED, message);
  // What the two socket buffers take leaves us; then nothing more may be asked for.
  await until(() => pieces() > 1);
  let before = -1;
  await until(() => {
    const still = pieces() === before;
    before = pieces();
    return still;
  });
  assert.ok(pieces() * 64 * 1024 < size, `${pieces()} pieces were read ahead`);
  server.resume();
  assert.deepEqual((await sent).map(shown), [TAKEN]);
  assert.equal(server.messages[0]?.length, size + ADDED.length);
});

test('a hop that takes no more data', async t => {
  const { server, open } = await scriptedHop(t, {}, { pauseAtData: true }, { timeouts: { reply: 300 } });
  const delivery = open();
  await ask(delivery, 'a');
  assert.deepEqual((await delivery.send(ADDED, counted(24 * 1024 * 1024).message)).map(shown), [
    'failed 451 4.4.2 next hop did not answer in time',
  ]);
  assert.deepEqual(server.messages, []);
});

test('a hop that refuses in the middle of the data is listened to', async t => {
  const { server, open } = await scriptedHop(t, {}, { pauseAtData: true });
  const { message, pieces } = counted(24 * 1024 * 1024);
  for (const [text, expected] of [
    ['552 5.3.4 too big\r\n', 'refused 552 5.3.4 too big'],
    ['452 4.3.1 full\r\n', 'failed 452 4.3.1 full'],
    [
      '250 2.0.0 taken\r\n',
      'failed 451 4.5.0 next hop does not speak the protocol: reply 250 before the end of the data',
    ],
  ] as const) {
    const delivery = open();
    await ask(delivery, 'a');
    const before = pieces();
    const sent = delivery.send(ADDED, message);
    await until(() => pieces() > before);
    server.shout(text);
    assert.deepEqual((await sent).map(shown), [expected]);
    server.hangUp();
    await until(() => server.open === 0);
  }
  assert.deepEqual(server.messages, []);
});

test('abort in the middle of a large message', async t => {
  const { server, open } = await scriptedHop(t, {}, { pauseAtData: true });
  const { message, pieces } = counted(24 * 1024 * 1024);
  const delivery = open();
  await ask(delivery, 'a');
  const sent = delivery.send(ADDED, message);
  await until(() => pieces() > 1);
  delivery.abort();
  assert.deepEqual((await sent).map(shown), ['failed 451 4.3.0 delivery given up']);
  server.resume();
  await until(() => server.open === 0);
  assert.deepEqual(server.messages, []);
});

test('the hop has the whole message and never answers', async t => {
  const { server, open } = await scriptedHop(t, { '.': HANG }, {}, { timeouts: { final: 200 } });
  const delivery = open();
  await ask(delivery, 'a');
  assert.deepEqual((await delivery.send(ADDED, messageOf(BODY))).map(shown), [
    'failed 451 4.4.2 next hop did not answer in time',
  ]);
  assert.equal(server.messages.length, 1);
});
