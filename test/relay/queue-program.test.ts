import assert from 'node:assert/strict';
import { chmod, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { address } from '../../src/model/address.ts';
import type { Delivery } from '../../src/model/delivery.ts';
import { queueReply } from '../../src/relay/queue-program.ts';
import { createRelay } from '../../src/relay/router.ts';
import { temporaryFolder } from '../support/processes.ts';
import { envelopeOf, messageOf } from './messages.ts';
import { ADDED, ask, shown } from './relay-to.ts';
import { dnsOf } from './zone.ts';

/** A qmail home with a queue program of these lines of shell. */
async function home(t: TestContext, script: string): Promise<string> {
  const folder = await temporaryFolder();
  t.after(() => folder[Symbol.asyncDispose]());
  await mkdir(join(folder.path, 'bin'));
  const program = join(folder.path, 'bin/qmail-queue');
  await writeFile(program, `#!/bin/sh\n${script}\n`);
  await chmod(program, 0o755);
  return folder.path;
}

function open(folder: string, sender: string | null = 's@example.net', final = 10_000): Delivery {
  const relay = createRelay({
    dns: dnsOf({}),
    ourName: 'gate.example',
    qmailHome: folder,
    spoolFolder: folder,
    timeouts: { final },
  });
  return relay
    .queueRouter(() => 'bin/qmail-queue')
    .route(address('a@example.com'))
    .open(envelopeOf(sender));
}

const RECORDS =
  'cat > m; cat <&1 > e; printf "%s|%s|%s" "$0" "$#" "$QMAILQUEUE" > about; ls -l /proc/$$/fd > fds';

test('message with LF lines on 0, envelope on 1, no arguments, qmail’s home, nothing else open', async t => {
  const folder = await home(t, RECORDS);
  process.env['QMAILQUEUE'] = '/loop';
  t.after(() => delete process.env['QMAILQUEUE']);
  for (const piece of [undefined, 1]) {
    const delivery = open(folder, piece === 1 ? null : 's@example.net');
    await ask(delivery, 'a', 'caf\xe9 "b"');
    const answers = await delivery.send(
      ADDED,
      messageOf('Subject: x\r\n\r\n.dot\r\na\r\r\ncaf\xc3\xa9', {}, piece),
    );
    assert.deepEqual(
      answers.map(shown),
      Array.from({ length: 2 }, () => 'accepted 250 2.0.0 ok, queued'),
    );
    assert.equal(answers[0]?.hop, 'queue bin/qmail-queue');
    const read = (name: string) => readFile(join(folder, name), 'latin1');
    assert.equal(await read('m'), 'Received: from test\nSubject: x\n\n.dot\na\r\ncaf\xc3\xa9');
    const sender = piece === 1 ? '' : 's@example.net';
    assert.equal(await read('e'), `F${sender}\0Ta@example.com\0Tcaf\xe9 "b"@example.com\0\0`);
    assert.match(await read('about'), /^\S*bin\/qmail-queue\|0\|$/);
    // The two files that it reads, and no other of ours.
    assert.equal((await read('fds')).match(/\.queue-/g)?.length, 2);
  }
  assert.deepEqual(
    (await readdir(folder)).filter(name => name.startsWith('.')),
    [],
  );
});

test('exit codes are answers', async t => {
  const folder = await home(t, 'exit $(cat code)');
  const table: readonly (readonly [code: number, said: string])[] = [
    [0, 'accepted 250 2.0.0 ok, queued'],
    [11, 'refused 554 5.1.3 envelope address too long for qq (#5.1.3)'],
    [31, 'refused 554 5.3.0 mail server permanently rejected message (#5.3.0)'],
    [40, 'refused 554 5.3.0 qq permanent problem (exit 40) (#5.3.0)'],
    [53, 'failed 451 4.3.0 qq write error or disk full (#4.3.0)'],
    [64, 'failed 451 4.3.0 qq trouble creating files in queue (#4.3.0)'],
    [82, 'failed 451 4.3.0 qq temporary problem (exit 82) (#4.3.0)'],
    [100, 'failed 451 4.3.0 qq temporary problem (exit 100) (#4.3.0)'],
  ];
  for (const [code, said] of table) {
    await writeFile(join(folder, 'code'), String(code));
    const delivery = open(folder);
    await ask(delivery, 'a');
    assert.deepEqual((await delivery.send(ADDED, messageOf('x\r\n'))).map(shown), [said]);
  }
});

test('every exit code has an answer of its class', () => {
  for (let code = 1; code < 256; code++) {
    const { code: said, enhanced, lines } = queueReply(code, null);
    const permanent = (code >= 11 && code <= 40) || code === 115;
    assert.equal(said, permanent ? 554 : 451, String(code));
    assert.ok(lines[0]?.endsWith(`(#${enhanced})`));
  }
});

test('a program that dies, hangs, reads nothing or is not there: try again later', async t => {
  const crashes = open(await home(t, 'kill -9 $$'));
  const hangs = open(await home(t, 'exec sleep 100'), null, 200);
  const reads = open(await home(t, 'exit 54'));
  const absent = open(join(await home(t, ''), 'nowhere'));
  const said: string[] = [];
  for (const delivery of [crashes, hangs, reads, absent]) {
    await ask(delivery, 'a');
    said.push(...(await delivery.send(ADDED, messageOf(`${'x'.repeat(998)}\r\n`.repeat(1000)))).map(shown));
  }
  assert.match(said[0] ?? '', /^failed 451 4\.3\.0 qq crashed \(SIGKILL\)/);
  assert.match(said[1] ?? '', /^failed 451 4\.3\.0 qq crashed \(SIGKILL\)/);
  assert.match(said[2] ?? '', /^failed 451 4\.3\.0 qq read error/);
  assert.match(said[3] ?? '', /^failed 451 .*ENOENT/);
});

test('a message that cannot be read back as it was is not queued', async t => {
  const folder = await home(t, RECORDS);
  const delivery = open(folder);
  await ask(delivery, 'a');
  const said = await delivery.send(ADDED, messageOf('x\r\n', { crc32: 1 }));
  assert.match(said.map(shown)[0] ?? '', /^failed 451 4\.3\.0 message could not be read back intact/);
  assert.ok(!(await readdir(folder)).includes('m'));
});

test('given up: the program is killed, or never run', async t => {
  const folder = await home(t, 'cat > /dev/null; touch begun; exec sleep 100');
  const delivery = open(folder);
  await ask(delivery, 'a');
  delivery.abort();
  assert.match((await delivery.send(ADDED, messageOf('x\r\n'))).map(shown)[0] ?? '', /^failed 451/);
  assert.ok(!(await readdir(folder)).includes('begun'));
});

test('an address with a NUL goes to no program', async t => {
  const delivery = open(await home(t, RECORDS));
  const answer = await delivery.addRecipient(address('a\0Tb@example.com'));
  assert.equal(answer.kind, 'refused');
});
