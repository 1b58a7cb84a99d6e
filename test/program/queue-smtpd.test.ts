import assert from 'node:assert/strict';
import { mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { ClientConnection } from '../../bench/client.ts';
import type { ControlFiles, RunningGateway } from '../support/gateway.ts';
import { startGateway } from '../support/gateway.ts';
import { smtpSource, swaks } from '../support/peers.ts';
import { temporaryFolder } from '../support/processes.ts';
import { BEHIND_QMAIL, queueSocket } from '../support/qmail-rig.ts';
import type { Smtpd } from '../support/qmail-smtpd.ts';
import { buildQmail, startSmtpd, StubQueue } from '../support/qmail-smtpd.ts';
import { greeted } from './dialogue.ts';

/** A qmail host: its home with bin/qmail-queue, a gateway behind it, and qmail-smtpd with each kind of channel. */
interface Host extends AsyncDisposable {
  readonly gateway: RunningGateway;
  readonly queue: StubQueue;
  smtpd(channel: 4 | 6 | null, env?: Readonly<Record<string, string>>, rules?: string): Promise<Smtpd>;
}

async function startHost(files: ControlFiles = {}): Promise<Host> {
  const folder = await temporaryFolder();
  const home = folder.path;
  const programs = await buildQmail(home);
  await mkdir(join(home, 'bin'));
  await symlink(programs.queue, join(home, 'bin/qmail-queue'));
  const queue = await StubQueue.make(join(home, 'queue'), true);
  const gateway = await startGateway({ ...BEHIND_QMAIL, ...files });
  const common = { POSTERN_SOCKET: queueSocket(gateway), STUB_QUEUE: queue.folder };
  return {
    gateway,
    queue,
    smtpd: (channel, env = {}, rules = ':allow\n') =>
      startSmtpd({ programs, home, channel, rules, env: { ...common, ...env } }),
    [Symbol.asyncDispose]: async () => {
      await gateway[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

const TO = ['--ehlo', 'client.example', '--from', 'a@example.net', '--to', 'b@example.com'];
const PROGRAM = ['--attach-name', 'song.exe', '--attach', 'hello'];

/** What swaks heard after the final dot. */
async function told(smtpd: Smtpd, ...args: readonly string[]): Promise<string> {
  const done = await swaks(smtpd.port, [...TO, ...args]);
  const transcript = done.stdout.toString();
  return /-> \.\n<[-* ~]+(.*)\n/.exec(transcript)?.[1]?.trim() ?? transcript;
}

test('what passes goes to bin/qmail-queue, as if qmail-smtpd had run it itself', async () => {
  await using host = await startHost();
  await using smtpd = await host.smtpd(6);
  const reply = await told(smtpd, '--header', 'Subject: hello', '--body', '.\nsecond line');
  const [, pid] = /^250 ok \d+ qp (\d+)$/.exec(reply) ?? assert.fail(reply);
  const [queued, ...others] = await host.queue.messages();
  assert.ok(queued !== undefined && others.length === 0);
  assert.deepEqual([queued.sender, queued.recipients], ['a@example.net', ['b@example.com']]);
  assert.match(
    queued.message.toString('latin1'),
    /^Received: by mx\.example\.com \(Postern, before the queue\) id [\w.]+;\n .*\nReceived: from unknown \(HELO client\.example\) \(127\.0\.0\.1\)\n {2}by mx\.example\.com with ESMTP; .*\nDate: [^]*Subject: hello\n[^]*\n\n\.\nsecond line\n/,
  );
  assert.ok(queued.facts.includes(`pid ${pid}`), 'the process that qmail-smtpd has started');

  await using unguarded = await host.smtpd(6, { QMAILQUEUE: 'bin/qmail-queue' });
  assert.match(await told(unguarded), /^250 ok /);
  const all = await host.queue.messages();
  const other = all.find(one => one.facts[0] !== queued.facts[0]);
  const given = (facts: readonly string[] = []) =>
    facts.filter(fact => !/^(?:pid |QMAILQUEUE=|TCP(?:LOCAL|REMOTE)PORT=)/.test(fact));
  assert.ok(given(queued.facts).includes('fd 6') && given(queued.facts).includes('TCPREMOTEIP=127.0.0.1'));
  assert.deepEqual(given(queued.facts), given(other?.facts), 'environment and descriptors');
  assert.ok(!queued.facts.some(fact => fact.startsWith('QMAILQUEUE=')));
});

for (const channel of [6, 4, null] as const) {
  test(`a program is refused where qmail-smtpd listens on ${channel ?? 'no channel'}`, async () => {
    await using host = await startHost();
    await using smtpd = await host.smtpd(channel);
    assert.match(
      await told(smtpd, ...PROGRAM),
      channel === null
        ? /^554 mail server permanently rejected message \(#5\.3\.0\)$/
        : /^554 sorry, this message is not accepted here: Programs are not accepted by mail \(\.exe\) \(#5\.7\.1\) \[[\w.]+\]$/,
    );
    assert.match(await told(smtpd), /^250 ok /, 'the next one is none');
    assert.equal((await host.queue.messages()).length, 1);
  });
}

test('tcp.smtp sets what holds for a client, up to the queue program', async () => {
  await using host = await startHost();
  const rules =
    '127.0.0.2:allow,RELAYCLIENT="",OBSERVE="QS_ATTACHMENT"\n127.0.0.3:allow,QMAILQUEUE="bin/qmail-queue"\n:allow\n';
  await using smtpd = await host.smtpd(6, {}, rules);
  const from = (address: string) => told(smtpd, '--local-interface', address, ...PROGRAM);
  assert.match(await from('127.0.0.1'), /^554 /);
  assert.match(await from('127.0.0.2'), /^250 /);
  assert.match(await from('127.0.0.3'), /^250 /);
  const tops = (await host.queue.messages()).map(({ message }) => message.toString('latin1', 0, 13));
  assert.deepEqual(tops.toSorted(), ['Received: by ', 'Received: fro']);
  const { id } = await host.gateway.logged('message-accepted');
  const record = await host.gateway.record(String(id));
  assert.deepEqual([record.client?.ip, record.relayClient], ['127.0.0.2', true]);
});

test('many sessions at a time with smtp-source', async () => {
  await using host = await startHost();
  await using smtpd = await host.smtpd(null);
  const done = await smtpSource(smtpd.port, [
    '-m',
    '100',
    '-s',
    '10',
    '-l',
    '4000',
    '-f',
    'a@example.net',
    '-t',
    'b@example.com',
  ]);
  assert.equal(done.code, 0, done.stderr.toString());
  const queued = await host.queue.messages();
  assert.equal(queued.length, 100);
  assert.equal(new Set(queued.map(({ facts }) => facts[0])).size, 100, 'each by a program of its own');
});

test('a message of 20 MB under a limit of 1,000,000 bytes of memory', async () => {
  await using host = await startHost();
  await using smtpd = await host.smtpd(6);
  const body = 'all work and no play\r\n'.repeat(1_000_000);
  const client = new ClientConnection({ host: '127.0.0.1', port: smtpd.port }, 60_000);
  await client.reply();
  client.send('EHLO client.example\r\nMAIL FROM:<a@example.net>\r\nRCPT TO:<b@example.com>\r\nDATA\r\n');
  for (const code of [250, 250, 250, 354]) assert.equal((await client.reply()).code, code);
  client.send(`From: a@example.net\r\nDate: Sat, 21 Nov 2026 10:00:00 +0000\r\n\r\n${body}.\r\n`);
  assert.equal((await client.reply()).code, 250);
  client.destroy();
  const [queued] = await host.queue.messages();
  assert.ok(queued?.message.toString('latin1').endsWith(`\n\n${body.replaceAll('\r\n', '\n')}`));
});

test('given up by the caller: too big, too many hops, a bare LF, gone. Nothing is left but a record', async () => {
  // All of these would be held.
  await using host = await startHost({ actions: 'QS_ATTACHMENT:quarantine\n' });
  await using smtpd = await host.smtpd(6, { DATABYTES: '20000' });
  const records = () => host.gateway.log('message-abandoned').length;
  const recorded = (count: number) => host.gateway.program.until('the record', () => records() === count);
  const head = 'From: a@example.net\r\nContent-Type: application/x-program; name=song.exe\r\n';
  // More than qmail-smtpd collects before it writes.
  const text = 'all work and no play\r\n'.repeat(100);

  await using client = await greeted(smtpd.port);
  await client.envelope();
  assert.match(
    await client.message(`${head}\r\n${'x'.repeat(20_000)}\r\n`),
    /^552 .*databytes limit \(#5\.3\.4\)$/,
  );
  await recorded(1);
  await client.envelope();
  assert.match(
    await client.message(`${'Received: x\r\n'.repeat(100)}${head}\r\nx\r\n`),
    /^554 too many hops/,
  );
  await recorded(2);
  await client.envelope();
  await client.say('DATA');
  client.write(`${head}\r\n${text}hello\nworld\r\n.\r\n`);
  assert.match(await client.reply(), /^451 .*smtplf/);
  await client.end();
  await recorded(3);

  await using other = await greeted(smtpd.port);
  await other.envelope();
  await other.say('DATA');
  other.write(`${head}\r\n${text}hello`);
  other.socket.end();
  await recorded(4);

  assert.deepEqual(await host.queue.messages(), []);
  assert.deepEqual(await host.gateway.quarantine(), []);
  for (const { id } of host.gateway.log('message-abandoned'))
    assert.equal((await host.gateway.record(String(id))).client?.ip, '127.0.0.1');
});
