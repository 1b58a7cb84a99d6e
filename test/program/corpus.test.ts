import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { before, test } from 'node:test';
import { ClientConnection } from '../../bench/client.ts';
import { startGateway } from '../support/gateway.ts';
import type { ControlFiles } from '../support/gateway.ts';
import { startSmtpSink } from '../support/peers.ts';
import { startRecordingSink } from '../support/recording-sink.ts';
import { awkwardMessages, corpusMessages } from './corpus.ts';
import type { Sample } from './corpus.ts';

/** Messages made up for the occasion; with the corpus beside them there are 3000 more. */
const AWKWARD = 300;
const CORPUS = 3000;
const CLIENTS = 4;
const PATIENCE = 60_000;

/** One busy client must not run into limits that are there for strangers. */
const OPEN_HANDED: ControlFiles = {
  rcpthosts: 'example.com\n',
  maxmessages: '0\n',
  harderrors: '0\n',
  workers: '2\n',
};

let samples: readonly Sample[] = [];

before(async () => {
  const corpus = await corpusMessages();
  if (corpus !== null) assert.equal(corpus.length, CORPUS);
  samples = [...(corpus ?? []), ...awkwardMessages(AWKWARD)];
});

for (const protocol of ['lmtp', 'smtp'] as const) {
  test(`every message that may pass reaches the ${protocol} hop byte for byte, once; the others are refused`, async t => {
    await using sink = await startRecordingSink({ protocol });
    await using gateway = await startGateway({
      ...OPEN_HANDED,
      smtproutes: `:[127.0.0.1]:${sink.port} ${protocol === 'lmtp' ? 'lmtp' : ''}\n`,
    });
    const replies = await sendAll(gateway.port, samples);
    const refused = samples.filter(one => refusal(one) !== null);
    t.diagnostic(`${samples.length} messages, ${refused.length} of them to be refused`);
    assert.ok(refused.length > 10, 'the made-up messages hold what has to be refused');
    for (const one of samples)
      assert.match(replies.get(one.name) ?? '', refusal(one) ?? /^250 2\.0\.0 ok \[/, one.name);

    const arrived = Map.groupBy(sink.messages, message => message.sender);
    for (const one of samples) {
      const copies = arrived.get(`${one.name}@sender.example`) ?? [];
      assert.equal(copies.length, refusal(one) === null ? 1 : 0, `copies of ${one.name}`);
      for (const { bytes, recipients } of copies) {
        assert.deepEqual(recipients, ['me@example.com']);
        assert.ok(bytes);
        assert.match(
          addedTo(bytes, one.bytes),
          /^Received: from client\.example [^\r\n]*(\r\n [^\r\n]+)+\r\n$/,
          one.name,
        );
        assert.equal(sha256(bytes.subarray(bytes.length - one.bytes.length)), sha256(one.bytes), one.name);
      }
    }
    assert.equal(sink.messages.length, samples.length - refused.length);
  });
}

test('with odd line ends normalised and From fields only observed, every message reaches a real Postfix sink, once', async () => {
  await using sink = await startSmtpSink();
  await using gateway = await startGateway({
    ...OPEN_HANDED,
    linebreaks: 'normalise\n',
    actions: 'HEADER_FROM_MANY:observe\n',
    smtproutes: `:[127.0.0.1]:${sink.port}\n`,
  });
  const replies = await sendAll(gateway.port, samples);
  for (const one of samples) assert.match(replies.get(one.name) ?? '', /^250 /, one.name);

  const arrived = Map.groupBy(await sink.mails(), mail => /^<(.*?)@/.exec(mail.sender)?.[1]);
  for (const one of samples) {
    const copies = arrived.get(one.name) ?? [];
    assert.equal(copies.length, 1, `copies of ${one.name}`);
    const { message = Buffer.alloc(0) } = copies[0] ?? {};
    // smtp-sink loses every CR, so line ends are LF on both sides of the comparison.
    const sent = Buffer.from(
      one.bytes
        .toString('latin1')
        .replace(/\r\n|\r/g, '\n')
        .replaceAll('\0', ''),
      'latin1',
    );
    assert.match(addedTo(message, sent), /^Received: from client\.example [^\n]*(\n [^\n]+)+\n$/, one.name);
    assert.equal(sha256(message.subarray(message.length - sent.length)), sha256(sent), one.name);
  }
  assert.equal(arrived.size, samples.length);
});

/** What the default rules say to a message, read from its bytes anew; null: it passes. */
function refusal({ bytes }: Sample): RegExp | null {
  const text = bytes.toString('latin1');
  if (/\r(?!\n)|(?<!\r)\n|\0/.test(text))
    return /^550 5\.6\.0 the message contains bare CR, bare LF or NUL \(#5\.6\.0\) \[/;
  const header = text.startsWith('\r\n') ? '' : (text.split('\r\n\r\n', 1)[0] ?? '');
  const from = header.match(/^from[ \t]*:/gim) ?? [];
  return from.length > 1
    ? /^550 5\.6\.0 sorry, the message has more than one From field \(#5\.6\.0\) \[/
    : null;
}

/** What stands in front of the message at the hop. */
function addedTo(arrived: Buffer, sent: Buffer): string {
  return arrived.toString('latin1', 0, arrived.length - sent.length);
}

/** Sends all, over a few connections that are kept; the reply to each final dot by name. */
async function sendAll(port: number, all: readonly Sample[]): Promise<ReadonlyMap<string, string>> {
  const replies = new Map<string, string>();
  const waiting = all.values();
  await Promise.all(
    Array.from({ length: CLIENTS }, async () => {
      const client = new ClientConnection({ host: '127.0.0.1', port }, PATIENCE);
      assert.equal((await client.reply()).code, 220);
      client.send('EHLO client.example\r\n');
      assert.equal((await client.reply()).code, 250);
      for (const { name, bytes } of waiting) {
        client.send(`MAIL FROM:<${name}@sender.example>\r\nRCPT TO:<me@example.com>\r\nDATA\r\n`);
        for (const code of [250, 250, 354]) assert.equal((await client.reply()).code, code, name);
        client.send(stuffed(bytes), '.\r\n');
        replies.set(name, (await client.reply()).text);
      }
      client.destroy();
    }),
  );
  return replies;
}

function stuffed(bytes: Buffer): Buffer {
  const text = bytes.toString('latin1');
  return Buffer.from(text.replace(/(^|\r\n)(?=\.)/g, '$1.'), 'latin1');
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
