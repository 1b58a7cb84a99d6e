import assert from 'node:assert/strict';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { postern } from '../support/gateway.ts';
import { temporaryFolder } from '../support/processes.ts';
import { envelope, startQueueRig, withAttachment } from '../support/qmail-rig.ts';

const FILE = withAttachment('report.doc');

test('a copy that postern-queue brought is released through the program that queues mail, as it came', async () => {
  await using folder = await temporaryFolder();
  const program = join(folder.path, 'qmail-queue');
  await writeFile(program, `#!/bin/sh\ncd ${folder.path}\ncat > m\ncat <&1 > e\nexit $(cat code)\n`);
  await chmod(program, 0o755);
  await using rig = await startQueueRig({
    ssattach: '.doc\n',
    actions: 'ATTACH:quarantine\n',
    qmailqueue: `${program}\n`,
  });
  const to = envelope('a "b"@example.net', 'caf\xe9@example.com', '"q"@[192.0.2.1]');
  const { code } = await rig.bring({ message: FILE, envelope: to });
  assert.equal(code, 0);
  const { id } = await rig.gateway.logged('message-held');
  const places = ['--control', rig.gateway.control, '--state', rig.gateway.state];
  const release = () => postern(['quarantine', 'release', String(id), ...places]);

  // The queue is full: the copy stays, and the command says why.
  await writeFile(join(folder.path, 'code'), '53');
  const refused = await release();
  assert.equal(refused.code, 1);
  assert.match(
    refused.stdout.toString(),
    /held still: queue \S+qmail-queue said 451 4\.3\.0 qq write error or disk full/,
  );

  await writeFile(join(folder.path, 'code'), '0');
  const released = await release();
  assert.equal(released.code, 0);
  assert.match(released.stdout.toString(), /released: queue \S+qmail-queue said 250 2\.0\.0 ok, queued/);
  const message = await readFile(join(folder.path, 'm'), 'latin1');
  assert.ok(message.endsWith(`\n${FILE}`));
  assert.match(message, /^Received: by \S+ \(Postern, before the queue\) id [\w.]+;\n .*-0000\n/);
  assert.equal(await readFile(join(folder.path, 'e'), 'latin1'), to);
  assert.equal((await release()).code, 1, 'it is released once');
});
