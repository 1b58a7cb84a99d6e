import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import type { VirusOutcome } from '../../src/model/scan.ts';
import type { ClamdClient, ClamdOptions } from '../../src/scanners/clamd.ts';
import { createClamd } from '../../src/scanners/clamd.ts';
import type { Clamd } from '../support/clamd.ts';
import { EICAR, EICAR_NAME, startClamd } from '../support/clamd.ts';
import { run, waitFor } from '../support/processes.ts';
import { mail, plainMail, VIRUS_MAILS } from '../support/virus-mail.ts';

/** Debian's clamav-testfiles: one small program in many wrappings. */
const TEST_FILES = '/usr/share/clamav-testfiles';

const FOUND = `infected ${EICAR_NAME}`;
/** For the deadlines that a test waits for. */
const SOON = 200;

/** As the spool gives it, in pieces. */
function* inPieces(bytes: Buffer, size: number): Iterable<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

function told(outcome: VirusOutcome): string {
  if (outcome.kind === 'error') return outcome.fault;
  return outcome.kind === 'infected' ? `infected ${outcome.name}` : outcome.kind;
}

for (const kind of ['unix', 'tcp'] as const) {
  suite(`clamd over ${kind}`, () => {
    let clamd: Clamd;
    let client: ClamdClient;
    before(async () => {
      clamd = await startClamd({ kind });
      client = createClamd({ addresses: [clamd.address] });
    });
    after(() => clamd[Symbol.asyncDispose]());

    for (const { name, message, infected } of VIRUS_MAILS) {
      test(name, async () => {
        for (const piece of [message.length || 1, 256 * 1024, 1000]) {
          const chunks = () => inPieces(message, piece);
          assert.equal(told(await client.scan({ size: message.length, chunks })), infected ? FOUND : 'clean');
        }
      });
    }

    test('ping, version and state', async () => {
      assert.equal(await client.ping(), null);
      const version = await client.version();
      assert.match(version.kind === 'version' ? version.text : '', /^ClamAV \d/);
      assert.deepEqual(
        client.state().map(state => [state.scanner, state.breaker, state.lastFault]),
        [['clamd', 'closed', null]],
      );
    });

    test('an attachment that was decoded', async () => {
      assert.equal(told(await client.scanBytes(EICAR)), FOUND);
      assert.equal(told(await client.scanBytes(Buffer.from('hello'))), 'clean');
    });

    test('40 at a time', async () => {
      const messages = Array.from({ length: 40 }, (_, i) => (i % 2 === 0 ? mail(EICAR) : mail(Buffer.of(i))));
      const outcomes = await Promise.all(messages.map(message => client.scanBytes(message)));
      assert.deepEqual(
        outcomes.map(told),
        messages.map((_, i) => (i % 2 === 0 ? FOUND : 'clean')),
      );
    });
  });
}

/** A clamd that a test does something to, and a client that gives up soon; `clock` is that of its breaker. */
async function setUp(settings: readonly string[], options: Partial<ClamdOptions> = {}) {
  const clamd = await startClamd({ settings });
  const clock = { now: 0 };
  const client = createClamd({
    addresses: [clamd.address],
    breaker: { faults: 3, now: () => clock.now },
    ...options,
  });
  return { clamd, client, clock };
}

test('more than StreamMaxLength: clamd says so and resets, and that is what we say', async () => {
  const { clamd, client } = await setUp(['StreamMaxLength 1M']);
  await using _ = clamd;
  for (let i = 0; i < 20; i++) {
    const outcome = await client.scanBytes(Buffer.alloc(20_000_000));
    assert.equal(told(outcome), 'limit', JSON.stringify(outcome));
  }
  assert.equal(told(await client.scanBytes(Buffer.alloc(1_000_000))), 'clean');
  assert.equal(client.state()[0]?.breaker, 'closed');
});

test('we are too slow for it', async () => {
  const { clamd, client } = await setUp(['CommandReadTimeout 1', 'ReadTimeout 1']);
  await using _ = clamd;
  const gate = Promise.withResolvers<void>();
  async function* slow(): AsyncIterable<Buffer> {
    yield plainMail('begins');
    await gate.promise;
  }
  const outcome = await client.scan({ size: 100_000, chunks: slow });
  assert.equal(told(outcome), 'timeout');
  assert.match(outcome.kind === 'error' ? outcome.why : '', /waited too long for us/);
  gate.resolve();
});

test('stopped: scans end at their deadline, then nobody waits; it comes back by itself', async () => {
  const { clamd, client, clock } = await setUp([], { timeoutMs: SOON, maxParallel: 2, maxWaiting: 50 });
  await using _ = clamd;
  assert.equal(told(await client.scanBytes(mail(EICAR))), FOUND);
  const files = () => readdirSync('/proc/self/fd').length;
  const before = files();
  clamd.program.signal('SIGSTOP');
  const load = await Promise.all(Array.from({ length: 40 }, () => client.scanBytes(Buffer.alloc(3_000_000))));
  for (const outcome of load) assert.match(told(outcome), /^(timeout|busy|resting)$/);
  await waitFor('the breaker', async () => {
    await client.scanBytes(plainMail('hello'));
    return client.state()[0]?.breaker === 'open';
  });
  assert.equal(told(await client.scanBytes(mail(EICAR))), 'resting');
  assert.equal(client.state()[0]?.lastFault?.fault, 'timeout');

  clock.now += 10_000;
  assert.equal(told(await client.scanBytes(mail(EICAR))), 'timeout', 'the probe');
  assert.equal(told(await client.scanBytes(mail(EICAR))), 'resting');
  clamd.program.signal('SIGCONT');
  clock.now += 20_000;
  // What it had in its queue is done first.
  await waitFor('clamd to answer again', async () => {
    clock.now += 60_000;
    return told(await client.scanBytes(mail(EICAR))) === FOUND;
  });
  assert.equal(client.state()[0]?.breaker, 'closed');
  await waitFor('the descriptors to be given back', () => files() <= before);
});

test('restarted in the middle of a scan', async () => {
  const { clamd, client } = await setUp([]);
  await using _ = clamd;
  const message = mail(EICAR);
  const [sending, restarted] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  async function* held(): AsyncIterable<Buffer> {
    yield message.subarray(0, 50);
    sending.resolve();
    await restarted.promise;
    yield message.subarray(50);
  }
  const cut = client.scan({ size: message.length, chunks: held });
  await sending.promise;
  await clamd.restart();
  assert.equal(told(await cut), 'cut');
  restarted.resolve();
  assert.equal(told(await client.scanBytes(message)), FOUND);
  await clamd.stop();
  assert.equal(told(await client.scanBytes(message)), 'refused');
});

test('our verdicts are those of clamdscan on the files of clamav-testfiles', async () => {
  const clam = readFileSync(join(TEST_FILES, 'clam.exe'));
  const md5 = createHash('md5').update(clam).digest('hex');
  await using clamd = await startClamd({
    settings: ['AlertEncrypted yes'],
    signatures: { 'clam.hdb': `${md5}:${clam.length}:Clam-Test\n` },
  });
  const files = readdirSync(TEST_FILES).map(name => join(TEST_FILES, name));
  const theirs = await run('clamdscan', [
    `--config-file=${clamd.configuration}`,
    '--stdout',
    '--no-summary',
    ...files,
  ]);
  const client = createClamd({ addresses: [clamd.address] });
  const ours: string[] = [];
  for (const file of files) {
    const outcome = await client.scanBytes(readFileSync(file));
    assert.notEqual(outcome.kind, 'error', file);
    ours.push(`${file}: ${outcome.kind === 'infected' ? `${outcome.name} FOUND` : 'OK'}`);
  }
  assert.deepEqual(ours, theirs.stdout.toString().trimEnd().split('\n'));
  assert.ok(ours.filter(line => line.endsWith(' FOUND')).length > 10);
});
