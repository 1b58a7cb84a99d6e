import assert from 'node:assert/strict';
import { test } from 'node:test';
import { at } from '../program/scanner-rig.ts';
import { greeted } from '../program/dialogue.ts';
import { startClamd } from '../support/clamd.ts';
import { deadAddress, fakeScanner } from '../support/fake-scanner.ts';
import { postern, startGateway } from '../support/gateway.ts';
import type { RunningGateway } from '../support/gateway.ts';
import { temporaryFolder, waitFor } from '../support/processes.ts';
import { startSpamd } from '../support/spamd.ts';

interface Said {
  readonly code: number | null;
  readonly text: string;
}

async function status(state: string, ...args: readonly string[]): Promise<Said> {
  const done = await postern(['status', '--state', state, ...args]);
  assert.equal(done.stderr.toString(), '');
  return { code: done.code, text: done.stdout.toString() };
}

/** What it says as soon as `test` accepts it. */
async function told(gateway: RunningGateway, wanted: RegExp, ...args: readonly string[]): Promise<Said> {
  let last = '';
  return await waitFor(
    () => `${wanted} in ${last}`,
    async () => {
      const said = await status(gateway.state, ...args);
      last = said.text;
      return wanted.test(said.text) && said;
    },
  );
}

async function send(gateway: RunningGateway): Promise<string> {
  await using client = await greeted(gateway.port);
  await client.envelope();
  return await client.message();
}

const QUIET = { reversename: 'no\n' };

test('it does not run: 2', async () => {
  await using folder = await temporaryFolder();
  assert.deepEqual(await status(folder.path), { code: 2, text: 'Postern does not run here.\n' });
  assert.deepEqual(await status(folder.path, '--json'), { code: 2, text: 'null\n' });
});

test('no scanner: 0; and 2 as soon as it has ended', async () => {
  await using gateway = await startGateway();
  const said = await told(gateway, /No scanner/);
  assert.equal(said.code, 0);
  const lines = [
    /^Postern runs \(pid \d+\) since \d{4}-\d\d-\d\dT[\d:]{8}Z, configuration [0-9a-f]{8}, 1 workers?\.$/,
    /^No scanner is set\.$/,
    /^$/,
  ];
  const found = said.text.split('\n');
  assert.equal(found.length, lines.length);
  for (const [i, line] of lines.entries()) assert.match(found[i] ?? '', line);
  await gateway.stop();
  assert.deepEqual(await status(gateway.state), { code: 2, text: 'Postern does not run here.\n' });
});

test('all is well: 0, and each scanner has passed its test', async () => {
  await using clamd = await startClamd();
  await using spamd = await startSpamd();
  await using gateway = await startGateway({ ...QUIET, clamd: at(clamd), spamd: at(spamd) });
  const { code, text } = await told(gateway, /self-test of spamd/);
  assert.equal(code, 0);
  assert.match(text, /^clamd at \/\S+clamd\.sock: in use$/m);
  assert.match(text, /^spamd at 127\.0\.0\.1:\d+: in use$/m);
  assert.match(text, /^self-test of clamd, \S+Z: passed: finds EICAR$/m);
  assert.match(text, /^self-test of spamd, \S+Z: passed: GTUBE has \S+ of 5$/m);
  assert.equal(gateway.log('scanner-test').length, 2);
  const { code: same, text: json } = await status(gateway.state, '--json');
  assert.equal(same, 0);
  const { pid, workers, test } = JSON.parse(json) as Record<string, unknown>;
  assert.equal(pid, gateway.program.pid);
  const known = gateway.log('worker-ready').map(line => line['worker']);
  const shown = workers as { pid: number; scanners: { scanner: string; breaker: string }[] }[];
  assert.deepEqual(
    shown.map(one => one.pid),
    known,
  );
  assert.deepEqual(
    shown[0]?.scanners.map(({ scanner, breaker }) => `${scanner} ${breaker}`),
    ['clamd closed', 'spamd closed'],
  );
  assert.equal((test as { results: unknown[] }).results.length, 2);
});

test('a clamd that does not know EICAR fails its test: 1, until it is not asked any more', async () => {
  await using empty = await startClamd({ signatures: { 'eicar.ndb': 'Nothing:0:*:deadbeefdeadbeef\n' } });
  await using good = await startClamd();
  await using gateway = await startGateway({ ...QUIET, clamd: at(empty) });
  const failed = await gateway.logged('scanner-test-failed');
  assert.deepEqual([failed['scanner'], failed['text'], failed.level], ['clamd', 'does not find EICAR', 40]);
  const { code, text } = await told(gateway, /self-test/);
  assert.equal(code, 1);
  assert.match(text, /^clamd at \/\S+: in use$/m);
  assert.match(text, /^self-test of clamd, \S+Z: FAILED: does not find EICAR$/m);
  await gateway.write('clamd', at(good));
  assert.equal(await gateway.reload(), 'reloaded');
  assert.equal((await told(gateway, /: passed: finds EICAR/)).code, 0);
  await gateway.write('clamd', at(empty));
  assert.equal(await gateway.reload(), 'reloaded');
  assert.equal((await told(gateway, /FAILED/)).code, 1);
  await gateway.remove('clamd');
  assert.equal(await gateway.reload(), 'reloaded');
  const gone = await told(gateway, /No scanner/);
  assert.equal((await told(gateway, /No scanner is set\.\n$/)).code, 0, gone.text);
});

test('two workers share one status; who has died is not in it', async () => {
  await using ham = await fakeScanner({
    when: heard => heard.includes('PING'),
    say: 'SPAMD/1.5 0 PONG\r\n',
    next: 'end',
  });
  const dead = await deadAddress();
  await using gateway = await startGateway(
    { ...QUIET, workers: '2\n', spamd: at({ address: dead }), scannertest: 'no\n' },
    { troubleExpected: true },
  );
  // The kernel chooses the worker: as many as it takes until both are sure that nobody is there.
  let sent = 0;
  await waitFor('both workers to leave it alone', async () => {
    sent++;
    assert.match(await send(gateway), /^250 /);
    return gateway.log('scanner-down').length === 2;
  });
  const { code, text: shared } = await told(
    gateway,
    new RegExp(`^  ${sent} messages passed without spamd since`, 'm'),
  );
  assert.equal(code, 1);
  assert.equal(shared.match(/^spamd at/gm)?.length, 1, 'each address once');
  assert.match(shared, /2 workers\./);
  assert.match(
    shared,
    /^spamd at 127\.0\.0\.1:\d+: LEFT ALONE for now; last fault \S+Z: refused, .*ECONNREFUSED/m,
  );
  const [first] = gateway.log('worker-ready').map(line => Number(line['worker']));
  process.kill(first ?? 0, 'SIGKILL');
  const died = await gateway.logged('worker-died');
  assert.equal(died['worker'], first);
  await waitFor('its successor', () => gateway.log('worker-ready').length === 3);
  const pids = gateway
    .log('worker-ready')
    .map(line => Number(line['worker']))
    .filter(pid => pid !== first);
  await waitFor('a status of the living', async () => {
    const { workers } = JSON.parse((await status(gateway.state, '--json')).text) as {
      workers: { pid: number }[];
    };
    return workers.every(({ pid }) => pids.includes(pid)) && workers.length === 2;
  });
  // The other one still leaves it alone.
  assert.equal((await status(gateway.state)).code, 1);
  await gateway.write('spamd', at(ham));
  gateway.program.signal('SIGHUP');
  const { text } = await waitFor('both to use the other one', async () => {
    const said = await status(gateway.state);
    return said.code === 0 && said;
  });
  assert.match(text, /^spamd at 127\.0\.0\.1:\d+: in use$/m);
  assert.equal(text.match(/^spamd at/gm)?.length, 1);
});
