import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import NodeClam from 'clamscan';
import type { VirusOutcome } from '../../src/model/scan.ts';
import type { ScannerAddress } from '../../src/model/scanner-address.ts';
import { createClamd } from '../../src/scanners/clamd.ts';
import { startClamd } from '../support/clamd.ts';
import type { Act } from '../support/fake-scanner.ts';
import { fakeScanner } from '../support/fake-scanner.ts';
import { waitFor } from '../support/processes.ts';
import { plainMail, VIRUS_MAILS } from '../support/virus-mail.ts';

/** Milliseconds: for the deadlines that a test waits for. */
const SOON = 150;

const MESSAGE = plainMail('hello\r\n');
const whole = (bytes: Buffer): boolean => bytes.toString('latin1').endsWith('\0\0\0\0');

/** The npm package clamscan 2.4.0 at the same clamd. It pings in `init`, which a fake does not answer. */
async function oracle(address: ScannerAddress, timeout: number) {
  const clamscan = new NodeClam();
  const where =
    address.kind === 'unix'
      ? { socket: address.path }
      : { socket: false as const, host: address.host, port: address.port };
  await clamscan
    .init({
      preference: 'clamdscan',
      clamscan: { active: false },
      clamdscan: { ...where, timeout, localFallback: false },
    })
    .catch(() => undefined);
  return (message: Buffer) => clamscan.scanStream(Readable.from(message.length > 0 ? [message] : []));
}

function told(outcome: VirusOutcome): string {
  if (outcome.kind === 'error') return outcome.fault;
  return outcome.kind === 'infected' ? outcome.name : outcome.kind;
}

test('clamscan and we agree on what the real clamd says about mails', async () => {
  await using clamd = await startClamd();
  const theirs = await oracle(clamd.address, 60_000);
  const ours = createClamd({ addresses: [clamd.address] });
  for (const { name, message, infected } of VIRUS_MAILS.filter(mail => mail.message.length > 0)) {
    const said = await theirs(message);
    assert.equal(said.isInfected, infected, name);
    assert.equal(said.viruses[0] ?? 'clean', told(await ours.scanBytes(message)), name);
  }
});

/** What clamd does, what we say to it, and what clamscan makes of it: `null` and `false` are both "not infected" to who asks `if (isInfected)`. */
const WRONG: readonly [string, Act, string, boolean | null][] = [
  ['closes without an answer', { when: whole, next: 'end' }, 'cut', null],
  ['is another service', { when: whole, say: '220 mail ESMTP\r\n', next: 'end' }, 'garbage', null],
  ['gave up waiting for us', { when: whole, say: 'COMMAND READ TIMED OUT\n', next: 'end' }, 'timeout', null],
  ['stops before the end of its answer', { when: whole, say: 'stream: OK', next: 'end' }, 'cut', false],
  ['says OK to something else', { when: whole, say: 'reload: OK\0', next: 'end' }, 'garbage', false],
  ['has a failure and then says OK', { when: whole, say: 'ERROR\nx: OK\0', next: 'end' }, 'garbage', false],
];

for (const [name, act, ours, theirs] of WRONG) {
  test(`where clamscan is wrong: a clamd that ${name}`, async () => {
    // The first connection is the PING of clamscan's init.
    const pong: Act = { when: bytes => bytes.length > 0, say: 'PONG\0', next: 'end' };
    await using scanner = await fakeScanner([pong, act]);
    const ask = await oracle(scanner.address, 60_000);
    assert.equal(scanner.heard.length, 1);
    assert.equal((await ask(MESSAGE)).isInfected, theirs);
    const clamd = createClamd({ addresses: [scanner.address] });
    assert.equal(told(await clamd.scanBytes(MESSAGE)), ours);
  });
}

test('where clamscan is wrong: when clamd hangs, it never settles, whatever its timeout', async () => {
  const pong: Act = { when: bytes => bytes.length > 0, say: 'PONG\0', next: 'end' };
  await using scanner = await fakeScanner([pong, { deaf: true, next: 'hang' }]);
  const ask = await oracle(scanner.address, SOON);
  let settled = false;
  const settle = () => {
    settled = true;
  };
  void ask(MESSAGE).then(settle, settle);
  await waitFor('its connection', () => scanner.heard.length === 2);
  // Ours, begun later and with twice the time, is long over.
  const clamd = createClamd({ addresses: [scanner.address], timeoutMs: 2 * SOON });
  assert.equal(told(await clamd.scanBytes(MESSAGE)), 'timeout');
  assert.equal(settled, false);
});

test('where clamscan is wrong: an empty message is sent without a command', async () => {
  await using clamd = await startClamd();
  const theirs = await oracle(clamd.address, 60_000);
  assert.equal((await theirs(Buffer.alloc(0))).isInfected, null);
  const ours = createClamd({ addresses: [clamd.address] });
  assert.equal(told(await ours.scanBytes(Buffer.alloc(0))), 'clean');
});
