import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EICAR, startClamd } from '../support/clamd.ts';
import { deadAddress, fakeScanner } from '../support/fake-scanner.ts';
import { startGateway } from '../support/gateway.ts';
import { freePort, waitFor } from '../support/processes.ts';
import { sampleMail } from '../support/sample-mail.ts';
import { mail } from '../support/virus-mail.ts';
import { eventId, greeted } from './dialogue.ts';
import { at } from './scanner-rig.ts';

const CLEAN = sampleMail().toString('latin1');
const VIRUS = mail(EICAR).toString('latin1');
const QUIET = { reversename: 'no\n', 'quarantine-events.txt': '# nothing\n', scannertest: 'no\n' };
const begun = (heard: Buffer): boolean => heard.length > 0;

async function send(port: number, message = CLEAN): Promise<string> {
  await using client = await greeted(port);
  await client.envelope();
  return await client.message(message);
}

test('SIGHUP: another clamd is asked from now on; a scan that is under way ends where it is', async () => {
  await using slow = await fakeScanner({ when: begun, next: 'hang', deaf: true });
  await using clamd = await startClamd();
  await using gateway = await startGateway({ ...QUIET, clamd: at(slow), clamtime: '3\n' });
  const waiting = send(gateway.port);
  await waitFor('the question', () => slow.heard.length === 1);
  await gateway.write('clamd', `${at({ address: await deadAddress() })}${at(clamd)}`);
  assert.equal(await gateway.reload(), 'reloaded');
  assert.match(await send(gateway.port, VIRUS), /^554 5\.7\.1 .*virus/);
  const reply = await send(gateway.port);
  assert.match(reply, /^250 /);
  const finding = (await gateway.record(eventId(reply))).findings.find(f => f.plugin === 'clam');
  assert.match(
    finding?.detail ?? '',
    /^clean \(clamd \/.*clamd\.sock\)$/,
    'the second address, while the first is down',
  );
  assert.match(await waiting, /^451 4\.7\.1 /);
  assert.equal(slow.heard.length, 1);
  await gateway.remove('clamd');
  assert.equal(await gateway.reload(), 'reloaded');
  assert.match(await send(gateway.port, VIRUS), /^250 /, 'nobody looks');
});

test('a worker that dies in the middle of a scan: its client hears no yes, and the next one is served', async () => {
  await using slow = await fakeScanner({ when: begun, next: 'hang', deaf: true });
  const listen = `127.0.0.1:${await freePort()}\n`;
  await using gateway = await startGateway({ ...QUIET, listen, clamd: at(slow) }, { troubleExpected: true });
  const waiting = send(gateway.port);
  await waitFor('the question', () => slow.heard.length === 1);
  process.kill(Number(gateway.log('worker-ready')[0]?.['worker']), 'SIGKILL');
  assert.equal(await waiting, '');
  assert.equal((await gateway.maildir()).length, 0);
  await waitFor('its successor', () => gateway.log('worker-ready').length === 2);
  await waitFor('the connection to the scanner to end', () => (slow.hangUp(), slow.open() === 0));
  await using client = await greeted(gateway.port);
  assert.match(await client.envelope(), /^250 /);
});

test('SIGTERM in the middle of a scan: it is waited for', async () => {
  await using slow = await fakeScanner([
    { when: begun, next: 'hang', deaf: true },
    { when: begun, next: 'hang', deaf: true },
  ]);
  await using gateway = await startGateway({ ...QUIET, clamd: at(slow), clamtime: '2\n' });
  const waiting = send(gateway.port);
  await waitFor('the question', () => slow.heard.length === 1);
  const { code } = await gateway.stop();
  assert.equal(code, 0);
  assert.match(await waiting, /^451 4\.7\.1 /);
});

test('a client that breaks off takes its scan with it', async () => {
  await using slow = await fakeScanner({ when: begun, next: 'hang' });
  await using gateway = await startGateway({ ...QUIET, clamd: at(slow) });
  const client = await greeted(gateway.port);
  await client.envelope();
  await client.say('DATA');
  client.write(`${CLEAN}.\r\n`);
  await waitFor('the question', () => slow.heard.length === 1);
  // A mere end of what it sends may be that of one who still listens.
  client.socket.resetAndDestroy();
  await waitFor('the end of the question', () => slow.open() === 0);
});
