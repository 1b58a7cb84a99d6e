import assert from 'node:assert/strict';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { answers, freePort, start, temporaryFolder } from '../support/processes.ts';
import type { Queued } from '../support/qmail-smtpd.ts';
import { buildQmail, startSmtpd, StubQueue } from '../support/qmail-smtpd.ts';
import { awkwardMessages, corpusMessages } from './corpus.ts';
import type { Sample } from './corpus.ts';
import type { Daemon, Replies } from './queue-storm.ts';
import { sendUntilTaken, startDaemon } from './queue-storm.ts';

const SESSIONS = 20;
const KILLS = 3;

/** Messages through qmail-smtpd, of which 200 are made up for the occasion when the corpus lies beside the checkout. */
const MESSAGES = 2000;
const AWKWARD = 200;
/** Through qpsmtpd, which takes its time over each. */
const FOR_PERL = 200;

/** Every rule looks at everything and does nothing, so that all of it has to pass. */
const LOOKING_ON = { observe: 'all\n', workers: '2\n', headerbytes: '5000000\n' };

let samples: readonly Sample[] = [];

before(async () => {
  // qmail-smtpd hangs up at a bare LF.
  const awkward = awkwardMessages(2 * AWKWARD).filter(one => !/(?<!\r)\n/.test(one.bytes.toString('latin1')));
  const corpus = (await corpusMessages()) ?? [];
  samples = [...awkward.slice(0, AWKWARD), ...corpus].slice(0, MESSAGES);
});

/** Sends `all` while the daemon is killed and started again KILLS times, evenly spread over them. */
async function storm(daemon: Daemon, port: number, all: readonly Sample[]): Promise<Replies> {
  let kills = Promise.resolve();
  let killed = 0;
  const replies = await sendUntilTaken(port, all, SESSIONS, count => {
    if (killed === KILLS || count < ((killed + 1) * all.length) / (KILLS + 1)) return;
    killed++;
    kills = kills.then(() => daemon.killAndRestart());
  });
  await kills;
  assert.equal(killed, KILLS);
  return replies;
}

/** Nothing lost, nothing doubled, and whoever was not taken at once was told 4xx. What the queue has, by sample. */
async function allThere(
  queue: StubQueue,
  all: readonly Sample[],
  replies: Replies,
): Promise<ReadonlyMap<string, Queued>> {
  for (const { name } of all) {
    const heard = replies.get(name) ?? [];
    assert.match(heard.at(-1) ?? '', /^250 /, name);
    for (const reply of heard.slice(0, -1)) assert.match(reply, /^4[0-9]{2} /, name);
  }
  const queued = new Map<string, Queued>();
  for (const one of await queue.messages()) {
    const name = one.sender.replace('@sender.example', '');
    assert.ok(!queued.has(name), `${name} is there twice`);
    assert.deepEqual(one.recipients, ['me@example.com']);
    queued.set(name, one);
  }
  assert.deepEqual([...queued.keys()].toSorted(), all.map(one => one.name).toSorted());
  return queued;
}

function deferred(replies: Replies): number {
  return [...replies.values()].reduce((sum, heard) => sum + heard.length - 1, 0);
}

const OURS = 'Received: by mx\\.example\\.com \\(Postern, before the queue\\) id [\\w.]+;\\n [^\\n]+\\n';
const THEIRS =
  'Received: from unknown \\(HELO client\\.example\\) \\(127\\.0\\.0\\.1\\)\\n  by mx\\.example\\.com with ESMTP; [^\\n]+\\n';

test('through qmail-smtpd under softlimit, while the daemon is killed: every message once, byte for byte', async t => {
  await using folder = await temporaryFolder();
  const programs = await buildQmail(folder.path);
  const queue = await StubQueue.make(join(folder.path, 'queue'));
  await using daemon = await startDaemon({ ...LOOKING_ON, qmailqueue: `${programs.queue}\n` });
  await using smtpd = await startSmtpd({
    programs,
    home: folder.path,
    channel: 6,
    env: { POSTERN_SOCKET: daemon.socket, STUB_QUEUE: queue.folder },
    memory: 1_000_000,
  });
  const replies = await storm(daemon, smtpd.port, samples);
  t.diagnostic(`${samples.length} messages, ${deferred(replies)} replies of 4xx`);
  assert.ok(deferred(replies) > 0, 'the kills were noticed');
  const queued = await allThere(queue, samples, replies);
  const added = new RegExp(`^${OURS}${THEIRS}$`);
  for (const { name, bytes } of samples) {
    const arrived = queued.get(name)?.message.toString('latin1') ?? '';
    const sent = bytes.toString('latin1').replaceAll('\r\n', '\n');
    assert.match(arrived.slice(0, arrived.length - sent.length), added, name);
    assert.ok(arrived.endsWith(sent), name);
  }
});

/** qpsmtpd's own server on a free port, with queue/qmail-queue. It runs as nobody where it is started by root. */
async function startQpsmtpd(folder: string, env: Readonly<Record<string, string>>) {
  const config = join(folder, 'config');
  await mkdir(config, { recursive: true });
  const files = {
    plugins: 'rcpt_ok\nqueue/qmail-queue\n',
    plugin_dirs: '/usr/share/qpsmtpd/plugins\n',
    rcpthosts: 'example.com\n',
    me: 'mx.example.com\n',
    spool_dir: `${folder}/spool\n`,
    loglevel: '4\n',
    logging: '',
  };
  for (const [name, text] of Object.entries(files)) await writeFile(join(config, name), text);
  const port = await freePort();
  const user = process.getuid?.() === 0 ? ['-u', 'nobody'] : [];
  const limits = ['-c', `${2 * SESSIONS}`, '-m', `${2 * SESSIONS}`];
  const args = ['-H', '-l', '127.0.0.1', '-p', `${port}`, ...limits, ...user];
  const program = await start('qpsmtpd-forkserver', args, { env: { QPSMTPD_CONFIG: config, ...env } });
  await program.until('qpsmtpd', () => answers(port));
  return { port, [Symbol.asyncDispose]: () => program[Symbol.asyncDispose]() };
}

/** Without the time in the field that qpsmtpd writes. */
function undated(message: string): string {
  return message.replace(/(?<=^Received: from .*\n .* with ESMTP; ).*/m, '');
}

test('through qpsmtpd’s queue/qmail-queue, while the daemon is killed: just what comes without us, once', async t => {
  await using folder = await temporaryFolder();
  await chmod(folder.path, 0o777);
  const programs = await buildQmail(folder.path);
  const all = samples.filter(
    (one, n) =>
      n % Math.ceil(samples.length / FOR_PERL) === 0 && !/[\r\0](?!\n)/.test(one.bytes.toString('latin1')),
  );
  const [bare, guarded] = [
    await StubQueue.make(join(folder.path, 'bare')),
    await StubQueue.make(join(folder.path, 'guarded')),
  ];
  // How it arrives without Postern: qpsmtpd reads headers and writes them anew.
  const expected = new Map<string, string>();
  {
    await using qpsmtpd = await startQpsmtpd(folder.path, {
      QMAILQUEUE: programs.queue,
      STUB_QUEUE: bare.folder,
    });
    const replies = await sendUntilTaken(qpsmtpd.port, all, SESSIONS);
    for (const [name, { message }] of await allThere(bare, all, replies))
      expected.set(name, undated(message.toString('latin1')));
  }
  const limited = join(folder.path, 'limited');
  await writeFile(limited, `#!/bin/sh\nexec softlimit -m 1000000 ${programs.client}\n`, { mode: 0o755 });
  await using daemon = await startDaemon({ ...LOOKING_ON, qmailqueue: `${programs.queue}\n` });
  await using qpsmtpd = await startQpsmtpd(folder.path, {
    QMAILQUEUE: limited,
    POSTERN_SOCKET: daemon.socket,
    STUB_QUEUE: guarded.folder,
  });
  const replies = await storm(daemon, qpsmtpd.port, all);
  t.diagnostic(`${all.length} messages, ${deferred(replies)} replies of 4xx`);
  assert.ok(deferred(replies) > 0, 'the kills were noticed');
  const ours = new RegExp(`^${OURS}`);
  for (const [name, { message }] of await allThere(guarded, all, replies)) {
    const arrived = message.toString('latin1');
    assert.match(arrived, ours, name);
    assert.equal(undated(arrived.replace(ours, '')), expected.get(name), name);
  }
});
