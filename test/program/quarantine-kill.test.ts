import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { HeldFiles } from '../../src/quarantine/files.ts';
import { openSqliteQuarantineReadOnly } from '../../src/store/sqlite/quarantine.ts';
import type { HeldEntry } from '../../src/store/quarantine-index.ts';
import { bytesOf } from '../mail/stored.ts';
import type { RunningGateway } from '../support/gateway.ts';
import { postern, startGateway } from '../support/gateway.ts';
import { ROOT, start, waitFor } from '../support/processes.ts';
import { startRecordingSink } from '../support/recording-sink.ts';
import type { Dialogue } from './dialogue.ts';
import { eventId, greeted } from './dialogue.ts';

const CLIENTS = 6;
/** A worker is killed when about so many messages were answered, and in the end the supervisor. */
const KILLS = [40, 90, 150];
const LAST = 220;

test('kill -9 under load: every message answered with 250 is found, and rebuild makes the same index', async t => {
  await using sink = await startRecordingSink();
  const control = {
    workers: '2\n',
    badhelo: '^client\\.example\\.net$\n',
    actions: 'BADHELO:quarantine\n',
    smtproutes: `:[127.0.0.1]:${sink.port}\n`,
    maxmessages: '0\n',
  };
  await using gateway = await startGateway(control, { troubleExpected: true });
  /** Ids of the messages that were answered with 250, and the texts of all that were sent. */
  const promised = new Map<string, string>();
  const loads = Array.from({ length: CLIENTS }, (_, n) => load(gateway, n, promised));
  for (const count of KILLS) {
    await waitFor(`${count} answers`, () => promised.size >= count, 60_000);
    // The port was chosen by the system: it is lost when nobody listens.
    const [victim = 0] = await waitFor(
      'two workers',
      () => listening(gateway).length === 2 && listening(gateway),
    );
    // The one that has lived longer, in the middle of whatever it is doing.
    process.kill(victim, 'SIGKILL');
    await gateway.logged('worker-died', line => line['worker'] === victim);
  }
  await waitFor(`${LAST} answers`, () => promised.size >= LAST, 60_000);
  gateway.program.signal('SIGKILL');
  await Promise.all(loads);
  const workers = gateway.log('worker-ready').map(line => Number(line['worker']));
  await waitFor('the end of the last worker', () => workers.every(pid => !isAlive(pid)), 60_000);

  const files = new HeldFiles(join(gateway.state, 'quarantine'));
  const all = await files.all();
  for (const [id, text] of promised) {
    assert.ok(all.has(id), `${id} was answered with 250 and is not in the quarantine`);
    const { file } = await files.open(id, 'r');
    await using open = file;
    const { message } = await open.message();
    assert.equal((await bytesOf(message)).toString('latin1'), text);
  }
  for (const id of all.keys()) {
    const { file } = await files.open(id, 'r');
    await using open = file;
    assert.ok(open.hasContent, 'nothing half is under its name');
  }
  t.diagnostic(`${promised.size} promised, ${all.size} held`);

  // The next start finds what nobody could tell the index of.
  const places = ['--control', gateway.control, '--state', gateway.state];
  await using again = await start(join(ROOT, 'bin/postern'), ['serve', ...places]);
  const store = join(gateway.state, 'postern.db');
  const found = await again.until('an index of all', async () => {
    const entries = await indexed(store, all.keys());
    return entries.length === all.size && entries;
  });
  await again.output(/worker-ready/);
  await again.stop(20_000);
  const rebuilt = await postern(['quarantine', 'rebuild', ...places]);
  assert.match(rebuilt.stdout.toString(), new RegExp(`^${all.size} copies in the index; 0 forgotten`));
  assert.deepEqual(await indexed(store, all.keys()), found);
});

/** Workers that are ready and have not died, the oldest first. */
function listening(gateway: RunningGateway): number[] {
  const died = new Set(gateway.log('worker-died').map(line => Number(line['worker'])));
  return gateway
    .log('worker-ready')
    .map(line => Number(line['worker']))
    .filter(pid => !died.has(pid));
}

/** Sends messages until the gateway is gone for good. */
async function load(gateway: RunningGateway, client: number, promised: Map<string, string>): Promise<void> {
  let connection: Dialogue | null = null;
  for (let n = 0; gateway.program.exit === null; n++) {
    const size = n % 10 === 0 ? 4000 : 3;
    const text = `From: c${client}@example.net\r\nDate: Sat, 21 Nov 2026 10:00:00 +0000\r\nX-Number: ${n}\r\n\r\n${`${'x'.repeat(98)}\r\n`.repeat(size)}`;
    try {
      connection ??= await greeted(gateway.port);
      await connection.envelope('a@example.net', 'me@example.com');
      const reply = await connection.message(text);
      if (reply.startsWith('250')) promised.set(eventId(reply), text);
      else throw new Error(reply);
    } catch {
      connection?.hangUp();
      connection = null;
    }
  }
  connection?.hangUp();
}

/** What the index has of these. */
async function indexed(store: string, ids: Iterable<string>): Promise<readonly HeldEntry[]> {
  const index = openSqliteQuarantineReadOnly(store);
  try {
    const entries: HeldEntry[] = [];
    for (const id of ids) {
      const entry = await index.byId(id);
      if (entry !== null) entries.push(entry);
    }
    return entries;
  } finally {
    await index.close();
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
