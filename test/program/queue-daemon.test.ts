import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { stat, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { frame } from '../native/stub-daemon.ts';
import { deliver } from '../native/rig.ts';
import { controlFolder, postern } from '../support/gateway.ts';
import { ROOT, run, start, waitFor } from '../support/processes.ts';
import { BEHIND_QMAIL, envelope, startQueueRig, withAttachment } from '../support/qmail-rig.ts';

const FILE = withAttachment('report.doc');
const LETTER = withAttachment('letter.txt');
const ENVELOPE = envelope('a@example.net', 'b@example.com');

/** Asks by hand, as postern-queue does; what has come so far is in `answer`. */
async function asking(path: string): Promise<AsyncDisposable & { socket: Socket; answer: () => string }> {
  const socket = connect(path);
  let text = '';
  socket.on('error', () => undefined);
  socket.on('data', piece => {
    text += piece.toString('latin1');
  });
  await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
  return {
    socket,
    answer: () => text,
    [Symbol.asyncDispose]: () => Promise.resolve(void socket.destroy()),
  };
}

test('no daemon: temporary, or passed untouched where POSTERN_FAIL=open says so', async () => {
  await using rig = await startQueueRig({ ssattach: '.doc\n' });
  const open = { POSTERN_FAIL: 'open', QMAILQUEUE_NEXT: rig.programs.next };
  const file = { message: FILE, envelope: ENVELOPE };
  assert.equal((await rig.bring({ ...file, env: open })).code, 31, 'the daemon is there, and decides');
  await rig.gateway.stop();
  const closed = await rig.bring({ ...file, channels: ['w:6'] });
  assert.deepEqual([closed.code, closed.texts[6], closed.runs], [73, '', 0]);
  const passed = await rig.bring({ ...file, env: open });
  assert.deepEqual([passed.code, passed.runs], [0, 1]);
  assert.equal(passed.message.toString('latin1'), FILE);
  assert.equal(passed.envelope.toString('latin1'), ENVELOPE);
});

test('SIGHUP: new rules and another next program count for the next message; broken ones do not', async () => {
  await using rig = await startQueueRig();
  const code = async () => (await rig.bring({ message: FILE, envelope: ENVELOPE })).code;
  assert.equal(await code(), 0);
  await rig.gateway.write('ssattach', '.doc\n');
  assert.equal(await rig.gateway.reload(), 'reloaded');
  assert.equal(await code(), 31);
  await rig.gateway.write('actions', 'ATTACH:no such action\n');
  assert.equal(await rig.gateway.reload(), 'refused');
  assert.equal(await code(), 31);
  await rig.gateway.write('actions', 'ATTACH:observe\n');
  await rig.gateway.write('qmailqueue', '/nonexistent/qmail-queue\n');
  assert.equal(await rig.gateway.reload(), 'reloaded');
  assert.equal(await code(), 120, 'what cannot be run is temporary');
});

test('SIGTERM: nobody new is let in, and whoever is being served gets the answer', async () => {
  await using rig = await startQueueRig();
  await using client = await asking(rig.socket);
  client.socket.write(Buffer.concat([frame('V', '1'), frame('M', LETTER.slice(0, 100))]));
  // Answered in the same turn: the first frames were read before.
  assert.equal((await rig.bring({ message: LETTER, envelope: ENVELOPE })).code, 0);
  rig.gateway.program.signal('SIGTERM');
  await waitFor('the door to be shut', async () => {
    const { code } = await rig.bring({ message: LETTER, envelope: ENVELOPE });
    return code === 73;
  });
  assert.equal(rig.gateway.program.exit, null);
  client.socket.write(
    Buffer.concat([frame('M', LETTER.slice(100)), frame('m'), frame('R', ENVELOPE), frame('r')]),
  );
  await waitFor('the answer', () => client.answer().endsWith('Y\0\0\0\0'));
  assert.match(client.answer(), /^H\0\0..Received: by mx\.example\.com/s);
  assert.deepEqual(await rig.gateway.program.ended, { code: 0, signal: null });
});

test('more clients at a time than queueclients: the next one hears so, and tries again', async () => {
  await using rig = await startQueueRig({ queueclients: '1\n' });
  const bring = () => rig.bring({ message: LETTER, envelope: ENVELOPE, channels: ['w:6'] });
  {
    await using client = await asking(rig.socket);
    client.socket.write(frame('V', '1'));
    const { code, texts, runs } = await waitFor('the first to count', async () => {
      const outcome = await bring();
      return outcome.code !== 0 && outcome;
    });
    assert.deepEqual([code, runs], [82, 0]);
    assert.match(texts[6] ?? '', /^Ztoo many messages at a time, try again later \(#4\.3\.2\)$/);
    assert.equal((await rig.bring({ message: LETTER, envelope: ENVELOPE })).code, 71);
  }
  await waitFor('room for the next', async () => (await bring()).code === 0);
});

test('mode and owner of the socket', async () => {
  // Only root can give a socket away.
  const asRoot = process.getuid?.() === 0;
  const [, , uid = '', gid = ''] =
    /^daemon:.*$/m.exec(readFileSync('/etc/passwd', 'utf8'))?.[0].split(':') ?? [];
  const own = { uid: process.getuid?.() ?? -1, gid: process.getgid?.() ?? -1 };
  await using rig = await startQueueRig({
    queuesocketmode: '660\n',
    queuesocketowner: asRoot ? 'daemon\n' : `${own.uid}:${own.gid}\n`,
  });
  const wanted = asRoot ? [Number(uid), Number(gid)] : [own.uid, own.gid];
  await rig.gateway.program.output(/listening for postern-queue on \S+queue\.sock/);
  const socket = await stat(rig.socket);
  assert.deepEqual([socket.mode & 0o777, socket.uid, socket.gid], [0o660, ...wanted]);
});

test('ping', async () => {
  await using rig = await startQueueRig();
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
  const ping = () => run(rig.programs.client, ['--ping'], { env: { POSTERN_SOCKET: rig.socket } });
  const there = await ping();
  assert.deepEqual([there.code, there.stdout.toString()], [0, `${version}\n`]);
  await rig.gateway.stop();
  assert.equal((await ping()).code, 111);
});

test('a socket that a killed daemon has left is taken over; one that somebody listens on is not', async () => {
  await using rig = await startQueueRig();
  await using folder = await controlFolder({ ...BEHIND_QMAIL, qmailqueue: `${rig.programs.next}\n` });
  const places = ['--control', folder.control, '--state', folder.state];
  const socket = join(folder.state, 'queue.sock');
  const serve = () => start(join(ROOT, 'bin/postern'), ['serve', ...places]);
  const bring = () => deliver(rig.programs, rig.folder, socket, { message: LETTER, envelope: ENVELOPE });

  await writeFile(socket, 'a file\n');
  const inTheWay = await postern(['serve', ...places]);
  assert.equal(inTheWay.code, 111);
  assert.match(inTheWay.stderr.toString(), /queue\.sock: exists and is no socket/);
  await run('rm', [socket]);

  const first = await serve();
  await first.output(/listening for postern-queue/);
  const second = await postern(['serve', ...places]);
  assert.equal(second.code, 111);
  assert.match(second.stderr.toString(), /queue\.sock: somebody listens there/);
  assert.equal((await bring()).code, 0, 'the first one still answers');

  for (const [, worker] of first.stderr.matchAll(/"worker":(\d+)/g)) process.kill(Number(worker), 'SIGKILL');
  first.signal('SIGKILL');
  await first.ended;
  assert.ok((await stat(socket)).isSocket(), 'nobody was left to remove it');
  assert.equal((await bring()).code, 73);
  await using third = await serve();
  await third.output(/listening for postern-queue/);
  assert.equal((await bring()).code, 0);
});
