import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { ClientConnection } from '../../bench/client.ts';
import { parseActions } from '../../src/control/actions.ts';
import { Complaints } from '../../src/control/complaints.ts';
import type { VerdictRecord } from '../../src/model/record.ts';
import { PLUGINS } from '../../src/plugins/list.ts';
import { openSqliteJournalReadOnly } from '../../src/store/sqlite/journal.ts';
import { startGateway } from '../support/gateway.ts';
import type { ControlFiles, RunningGateway } from '../support/gateway.ts';
import { startSmtpSink } from '../support/peers.ts';
import { ROOT } from '../support/processes.ts';
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

/**
 * Files that are not shipped, since every site has its own: simscan's usual list of attachments, and an expression that
 * begins with a class, so that every line is looked at.
 */
const LISTS: ControlFiles = {
  ssattach: '.vbs\n.lnk\n.scr\n.wsh\n.hta\n.pif\n.exe\n.bat\n.com\n.cmd\n.cpl\n',
  regex: '[xX]-[cC]anary: *[0-9]+\n',
};

/** Proves that the rules are on: what the corpus does not have, to be refused by each of the lists. */
const CANARY: Sample = {
  name: 'canary',
  origin: null,
  bytes: Buffer.from(
    'From: a@example.net\r\nDate: Sat, 21 Nov 2026 10:00:00 +0000\r\nX-Canary: 1\r\nMIME-Version: 1.0\r\n' +
      'Content-Type: application/octet-stream; name="song.mp3.exe"\r\n\r\nMZ\r\n',
  ),
};

/** Rules that do more than observe on honest mail of the corpus, `RULE action file`, each with the reason: none. */
const FALSE_POSITIVES: readonly string[] = [];

test('all checks read the corpus: nothing breaks, no error lacks a reason, honest mail passes', async t => {
  await using sink = await startRecordingSink({ protocol: 'lmtp', forgetBytes: true });
  await using gateway = await startGateway({
    ...OPEN_HANDED,
    ...LISTS,
    // Bare line ends are refused before any check, and a few made-up messages have them.
    linebreaks: 'normalise\n',
    smtproutes: `:[127.0.0.1]:${sink.port} lmtp\n`,
  });
  const sent = [...samples, CANARY];
  await sendAll(gateway.port, sent);
  const records = await recordsAfterEnd(gateway, sent.length);
  assert.deepEqual([...records.keys()].toSorted(), sent.map(one => one.name).toSorted());
  assert.equal(gateway.log('worker-ready').length, 2, 'no worker was replaced');
  assert.deepEqual(gateway.log('worker-died'), []);

  // The others ask somebody, and are off here.
  const reading = PLUGINS.filter(plugin => plugin.message !== undefined && plugin.tier === 'local');
  const checks = reading.map(plugin => plugin.name);
  for (const [name, { findings }] of records) {
    const ran = findings.filter(
      one => one.stage === 'message' && one.state !== 'skipped' && checks.includes(one.plugin),
    );
    assert.deepEqual([...new Set(ran.map(one => one.plugin))].toSorted(), checks.toSorted(), name);
    for (const one of findings.filter(finding => finding.state === 'error')) {
      assert.notEqual(one.detail ?? '', '', `${name}: ${one.rule} could not find out, and does not say why`);
      t.diagnostic(`error: ${name}: ${one.rule}: ${one.detail}`);
    }
  }
  const caught = hitsOf(records.get(CANARY.name));
  for (const rule of ['ATTACH', 'QS_ATTACHMENT', 'QS_POLICY', 'REGEX', 'MIME_NAME_DOUBLE_EXTENSION'])
    assert.ok(caught.includes(rule), `the canary by ${rule}, not only ${caught.join(' ')}`);

  const complaints = new Complaints();
  const { rules } = parseActions(await readFile(join(ROOT, 'rules/actions'), 'utf8'), 'actions', complaints);
  const seen = samples.flatMap(({ name, origin }) =>
    hitsOf(records.get(name)).map(rule => {
      const action = rules.get(rule)?.action.kind ?? 'observe';
      return { archive: origin?.archive ?? 'made up', file: origin?.file ?? name, rule, action };
    }),
  );
  for (const [what, some] of Map.groupBy(seen, one => `${one.archive}: ${one.rule}, ${one.action}`))
    t.diagnostic(`${what}: ${some.length}`);
  const falsely = seen.filter(one => one.archive.includes('ham') && one.action !== 'observe');
  assert.deepEqual(
    falsely.map(({ rule, action, file }) => `${rule} ${action} ${file}`),
    FALSE_POSITIVES,
  );
});

/** Ends the gateway, whereupon every record is in the store; each of `count` by its message's name. */
async function recordsAfterEnd(
  gateway: RunningGateway,
  count: number,
): Promise<ReadonlyMap<string, VerdictRecord>> {
  await gateway.stop();
  const store = openSqliteJournalReadOnly(join(gateway.state, 'postern.db'));
  try {
    const records = await store.recent(2 * count);
    assert.equal(records.length, count);
    return new Map(records.map(record => [record.sender?.replace(/@.*$/, '') ?? '', record]));
  } finally {
    await store.close();
  }
}

function hitsOf(record: VerdictRecord | undefined): string[] {
  const hits = record?.findings.filter(finding => finding.state === 'hit') ?? [];
  return [...new Set(hits.map(hit => hit.rule))];
}

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
