import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { EICAR, startClamd } from '../support/clamd.ts';
import { postern, startGateway } from '../support/gateway.ts';
import type { RunningGateway } from '../support/gateway.ts';
import { waitFor } from '../support/processes.ts';
import { sampleMail } from '../support/sample-mail.ts';
import { mail } from '../support/virus-mail.ts';
import { greeted } from './dialogue.ts';
import { at } from './scanner-rig.ts';

const SESSIONS = 20;
/** Seconds that a scan may take here. */
const CLAMTIME = 2;
/** What an answer may take on a machine that does much else. Milliseconds. */
const SLACK = 8000;
/** Longer than the longest rest of a scanner that was found down. Milliseconds. */
const REST = 90_000;
const MiB = 1024 * 1024;
/** Bytes of a page, as /proc counts them. */
const PAGE = 4096;

const CLEAN = sampleMail().toString('latin1');
const VIRUS = mail(EICAR).toString('latin1');

/** One client that sends a message again and again, each in a session of its own, until it is told to end. */
class Sender {
  readonly replies: string[] = [];
  /** The longest wait for an answer to the final dot, milliseconds. */
  longest = 0;
  #ending = false;
  readonly #done: Promise<void>;

  constructor(port: number, to: string, message: string) {
    this.#done = this.#run(port, to, message);
  }

  /** Those since then. */
  since(count: number): readonly string[] {
    return this.replies.slice(count);
  }

  async end(): Promise<void> {
    this.#ending = true;
    await this.#done;
  }

  async #run(port: number, to: string, message: string): Promise<void> {
    while (!this.#ending) {
      await using client = await greeted(port);
      await client.envelope('a@example.net', to);
      await client.say('DATA');
      const start = performance.now();
      this.replies.push(await client.say(`${message}.`));
      this.longest = Math.max(this.longest, performance.now() - start);
    }
  }
}

/** Descriptors and resident bytes of the worker. */
async function use(pid: number): Promise<{ readonly descriptors: number; readonly bytes: number }> {
  const descriptors = (await readdir(`/proc/${pid}/fd`)).length;
  const pages = Number((await readFile(`/proc/${pid}/statm`, 'latin1')).split(' ')[1]);
  return { descriptors, bytes: pages * PAGE };
}

async function statusCode(gateway: RunningGateway): Promise<number | null> {
  return (await postern(['status', '--state', gateway.state])).code;
}

test('a clamd that is stopped under load, goes on, and is started anew: nobody hangs, no virus passes', async t => {
  await using clamd = await startClamd();
  await using gateway = await startGateway({
    clamd: at(clamd),
    clamtime: `${CLAMTIME}\n`,
    concurrencyperclient: '100\n',
    reversename: 'no\n',
    simcontrol: 'no@example.com:clam=no\nyes@example.com:clam=yes\n',
    'quarantine-events.txt': '# nothing\n',
  });
  const worker = Number(gateway.log('worker-ready')[0]?.['worker']);
  await waitFor('the first status', async () => (await statusCode(gateway)) === 0);
  const asking = Array.from(
    { length: SESSIONS - 1 },
    () => new Sender(gateway.port, 'yes@example.com', CLEAN),
  );
  const virus = new Sender(gateway.port, 'yes@example.com', VIRUS);
  const spared = new Sender(gateway.port, 'no@example.com', CLEAN);
  const everybody = [...asking, virus, spared];
  /** Waits until each of those who ask has so many more replies like this. */
  const each = async (what: string, pattern: RegExp, count: number, patience?: number) => {
    const from = asking.map(one => one.replies.length);
    const matching = () =>
      asking.map((one, i) => one.since(from[i] ?? 0).filter(reply => pattern.test(reply)).length);
    await waitFor(
      () => `${what}: ${matching().join(' ')}`,
      () => matching().every(n => n >= count),
      patience,
    );
  };
  try {
    await each('scanned mail', /^250 /, 10);
    const before = await use(worker);

    clamd.program.signal('SIGSTOP');
    await gateway.logged('scanner-down');
    const sparedBefore = spared.replies.length;
    await each('mail that has to wait', /^451 4\.7\.1 /, 10);
    assert.ok(spared.replies.length > sparedBefore, 'who does not ask does not wait');
    assert.equal(await statusCode(gateway), 1);
    const during = await use(worker);

    clamd.program.signal('SIGCONT');
    await gateway.program.until('scanner-up', () => gateway.log('scanner-up').length > 0, REST);
    await each('scanned mail again', /^250 /, 5, REST);
    await waitFor('the status', async () => (await statusCode(gateway)) === 0);

    const beforeRestart = asking.map(one => one.replies.length);
    await clamd.restart();
    await each('scanned mail after the restart', /^250 /, 5, REST);
    for (const [i, one] of asking.entries())
      for (const reply of one.since(beforeRestart[i] ?? 0))
        assert.match(reply, /^(250 2\.0\.0|451 4\.7\.1) /);

    await Promise.all(everybody.map(one => one.end()));
    const after = await use(worker);
    const told = [before, during, after].map(
      u => `${u.descriptors} descriptors, ${Math.round(u.bytes / MiB)} MiB`,
    );
    const longest = Math.max(...everybody.map(one => one.longest));
    const count = everybody.reduce((sum, one) => sum + one.replies.length, 0);
    t.diagnostic(
      `before, during, after: ${told.join('; ')}; longest answer ${Math.round(longest)} ms of ${count}`,
    );
    assert.ok(during.descriptors <= before.descriptors + 2 * SESSIONS, told.join('; '));
    assert.ok(after.bytes < before.bytes + 80 * MiB, told.join('; '));
    await waitFor(
      'the descriptors to be closed',
      async () => (await use(worker)).descriptors <= before.descriptors,
    );
    assert.ok(longest < CLAMTIME * 1000 + SLACK, `${longest} ms`);
    assert.ok(spared.replies.every(reply => reply.startsWith('250 ')));
    assert.ok(spared.longest < SLACK);
    // Infected, or nobody could say: never accepted.
    assert.ok(virus.replies.some(reply => reply.startsWith('554 ')));
    for (const reply of virus.replies) assert.match(reply, /^(554 5\.7\.1 .* a virus|451 4\.7\.1) /);
  } finally {
    clamd.program.signal('SIGCONT');
    await Promise.all(everybody.map(one => one.end()));
  }
});
