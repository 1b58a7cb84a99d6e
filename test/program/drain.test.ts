import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { openSqliteJournalReadOnly } from '../../src/store/sqlite/journal.ts';
import { controlFolder, startGateway } from '../support/gateway.ts';
import { answers, ROOT, start, waitFor } from '../support/processes.ts';
import { eventId, greeted } from './dialogue.ts';

test('SIGTERM: quiet sessions are sent away, a message in DATA may finish, nobody new comes in, exit 0', async () => {
  await using gateway = await startGateway({ workers: '2\n' });
  const { port, program } = gateway;
  const ids: string[] = [];
  for (let i = 0; i < 20; i++) {
    await using client = await greeted(port);
    await client.envelope();
    ids.push(eventId(await client.message()));
  }
  await using quiet = await greeted(port);
  await quiet.say('EHLO client.example');
  await using busy = await greeted(port);
  await busy.envelope();
  assert.match(await busy.say('DATA'), /^354 /);
  busy.write('From: a@example.net\r\n\r\nfirst half, ');
  await using between = await greeted(port);
  await between.envelope();

  program.signal('SIGTERM');
  assert.match(await quiet.reply(), /^421 4\.3\.2 shutting down, come again/);
  await quiet.end();
  await waitFor('closed doors', async () => !(await answers(port)));
  // Between RCPT and DATA counts as a message under way, too.
  ids.push(eventId(await between.message()));
  ids.push(eventId(await busy.say('second half\r\n.')));
  for (const client of [busy, between]) {
    assert.match(await client.reply(), /^421 4\.3\.2 shutting down/);
    await client.end();
  }
  assert.deepEqual(await program.ended, { code: 0, signal: null });
  assert.equal((await gateway.maildir()).length, 22);

  const store = openSqliteJournalReadOnly(`${gateway.state}/postern.db`);
  try {
    for (const id of ids) assert.equal((await store.byId(id))?.event, 'message-accepted', id);
  } finally {
    await store.close();
  }
});

test('SIGTERM: draintime is the end of all patience', async () => {
  await using gateway = await startGateway({ draintime: '1\n' });
  await using slow = await greeted(gateway.port);
  await slow.envelope();
  await slow.say('DATA');
  gateway.program.signal('SIGTERM');
  await slow.end();
  assert.deepEqual(await gateway.program.ended, { code: 0, signal: null });
  assert.deepEqual(await gateway.maildir(), []);
});

test('SIGINT drains as SIGTERM does; a second one changes nothing', async () => {
  await using gateway = await startGateway();
  gateway.program.signal('SIGINT');
  gateway.program.signal('SIGTERM');
  assert.deepEqual(await gateway.program.ended, { code: 0, signal: null });
});

test('SIGTERM to a worker alone changes nothing', async () => {
  await using gateway = await startGateway();
  for (const line of gateway.log('worker-ready')) process.kill(Number(line['worker']), 'SIGTERM');
  await using client = await greeted(gateway.port);
  assert.match(await client.envelope(), /^250 /, 'a worker heeds its supervisor alone');
});

test('a supervisor that is killed leaves no worker behind', async () => {
  await using gateway = await startGateway({ workers: '2\n' }, { troubleExpected: true });
  const pids = gateway.log('worker-ready').map(line => Number(line['worker']));
  gateway.program.signal('SIGKILL');
  const alive = (pid: number) => {
    try {
      return process.kill(pid, 0);
    } catch {
      return false;
    }
  };
  await waitFor('the end of the workers', () => !pids.some(alive));
});

test('SIGTERM while the workers are still starting: the end comes as soon as they could listen, not at the time limit', async () => {
  await using folder = await controlFolder({ draintime: '600\n' });
  const args = ['serve', '--control', folder.control, '--state', folder.state];
  await using program = await start(join(ROOT, 'bin/postern'), args);
  // The supervisor takes signals once it has forked; a worker needs longer than that until it listens.
  const children = `/proc/${program.pid}/task/${program.pid}/children`;
  await program.until('a worker', async () => (await readFile(children, 'latin1')) !== '');
  program.signal('SIGTERM');
  const { code, signal } = await program.ended;
  assert.ok(code === 0 || signal === 'SIGTERM', `${code} ${signal}`);
});
