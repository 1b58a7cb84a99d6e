import assert from 'node:assert/strict';
import { readdir, readlink, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { explain } from '../../src/cli/explain.ts';
import type { RunningGateway } from '../support/gateway.ts';
import { startGateway } from '../support/gateway.ts';
import { startSmtpSink } from '../support/peers.ts';
import { waitFor } from '../support/processes.ts';
import type { Dialogue } from './dialogue.ts';
import { eventId, greeted } from './dialogue.ts';

/** About 3 MB, three times what a file may have under `FEW_BYTES`. */
const LARGE = `From: a@example.net\r\nDate: Sat, 21 Nov 2026 10:00:00 +0000\r\n\r\n${`${'x'.repeat(74)}\r\n`.repeat(40_000)}`;
/** 1 MiB in dash and 2 MiB in bash: writing more fails, as it does on a full disk, and for every user. */
const FEW_BYTES = { before: 'ulimit -f 2048' };

/** Sends a large message, which must be deferred; the record of that. */
async function large(gateway: RunningGateway, client: Dialogue, recipient = 'me@example.com') {
  await client.envelope('a@example.net', recipient);
  const reply = await client.message(LARGE);
  assert.match(reply, /^45[12] 4\.3\.\d /);
  const record = await gateway.record(eventId(reply));
  assert.equal(record.event, 'message-refused');
  return record;
}

/** The open files of a process, one a line. */
async function openFiles(pid: number): Promise<string> {
  const folder = `/proc/${pid}/fd`;
  const links = (await readdir(folder)).map(fd => readlink(join(folder, fd)).catch(() => ''));
  return (await Promise.all(links)).join('\n');
}

test('a spool file that cannot be written: 451, nothing delivered, the next message passes', async () => {
  await using sink = await startSmtpSink();
  await using gateway = await startGateway({ smtproutes: `:[127.0.0.1]:${sink.port}\n` }, FEW_BYTES);
  await using client = await greeted(gateway.port);
  const record = await large(gateway, client);
  assert.equal(record.rule, 'SPOOL');
  const worker = Number(gateway.log('worker-ready')[0]?.['worker']);
  await waitFor(
    'the space of the failed file given back',
    async () => !(await openFiles(worker)).includes('.spool-'),
  );
  await client.envelope();
  assert.match(await client.message(), /^250 /);
  assert.equal((await sink.mails()).length, 1);
});

test('a Maildir that cannot be written: 4xx, no half of a message in it, the next message passes', async () => {
  await using gateway = await startGateway({ spoolbytes: '16000000\n' }, FEW_BYTES);
  await using client = await greeted(gateway.port);
  await large(gateway, client);
  assert.deepEqual(await gateway.maildir(), []);
  await client.envelope();
  assert.match(await client.message(), /^250 /);
  assert.equal((await gateway.maildir()).length, 1);
});

test('a quarantine that cannot be written: 451, and no other recipient gets the message either', async () => {
  await using sink = await startSmtpSink();
  await using gateway = await startGateway(
    {
      spoolbytes: '16000000\n',
      smtproutes: `:[127.0.0.1]:${sink.port}\n`,
      badhelo: '^client\\.example\\.net$\n',
      actions: 'BADHELO:quarantine\n',
      simcontrol: 'free@example.com:observe=BADHELO\n',
    },
    FEW_BYTES,
  );
  await using client = await greeted(gateway.port);
  await client.envelope('a@example.net', 'held@example.com', 'free@example.com');
  const reply = await client.message(LARGE);
  assert.match(reply, /^451 4\.3\.0 /);
  assert.deepEqual(await sink.mails(), []);
  assert.deepEqual(await gateway.quarantine(), []);
  await client.envelope('a@example.net', 'held@example.com', 'free@example.com');
  const held = await client.message();
  assert.match(held, /^250 /);
  assert.equal((await gateway.record(eventId(held))).event, 'message-held');
  assert.equal((await gateway.quarantine()).length, 1);
  assert.equal((await sink.mails()).length, 1);
});

test('a file in the place of a folder: 4xx for every message until it is gone', async () => {
  await using gateway = await startGateway();
  const place = join(gateway.state, 'Maildir');
  await writeFile(place, 'not a folder');
  await using client = await greeted(gateway.port);
  await client.envelope();
  assert.match(await client.message(), /^451 4\.3\.0 message could not be stored \(ENOTDIR\)/);
  await rm(place);
  await client.envelope();
  assert.match(await client.message(), /^250 /);
});

test('records that cannot be written stop no mail, are reported, and are written when they can be', async () => {
  await using gateway = await startGateway({
    store: '../control/records\n',
    records: 'no database, but long enough to be looked at as one '.repeat(100),
  });
  const said = await gateway.logged('journal');
  assert.match(String(said['text']), /not a database/);
  await using client = await greeted(gateway.port);
  await client.envelope();
  const reply = await client.message();
  assert.match(reply, /^250 /);
  await gateway.remove('records');
  const file = join(gateway.control, 'records');
  await waitFor('the record', async () => {
    const options = { store: file, json: false, limit: 1 };
    return (await explain(eventId(reply), options, () => undefined)) === 0;
  });
});
