import assert from 'node:assert/strict';
import { cp, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { firstSteps } from '../../src/cli/serve/first-steps.ts';
import { configure } from '../../src/cli/configure.ts';
import { places } from '../../src/cli/places.ts';
import { swaks } from '../support/peers.ts';
import { ROOT, run, start, temporaryFolder } from '../support/processes.ts';

test('a newcomer’s first message arrives, and the first refusal explains itself', async () => {
  await using folder = await temporaryFolder();
  // A checkout of its own, so that the shipped port can be another one and `var` is empty.
  await cp(join(ROOT, 'rules'), join(folder.path, 'rules'), { recursive: true });
  await writeFile(join(folder.path, 'rules/listen'), '127.0.0.1:0\n');
  await cp(join(ROOT, 'bin'), join(folder.path, 'bin'), { recursive: true });
  await cp(join(ROOT, 'src'), join(folder.path, 'src'), { recursive: true });
  await cp(join(ROOT, 'package.json'), join(folder.path, 'package.json'));
  await symlink(join(ROOT, 'node_modules'), join(folder.path, 'node_modules'));
  const postern = join(folder.path, 'bin/postern');

  await using server = await start(postern, ['serve']);
  const [, port] = await server.output(/listening for SMTP on 127\.0\.0\.1:(\d+)/);
  await server.output(/npm start -- --control/);
  assert.match(server.stdout, /postern\.example takes mail for example\.com/);

  // The very lines that it proposes.
  const proposed = [...server.stdout.matchAll(/^ {2}swaks --server (\S+) (.*)$/gm)];
  assert.deepEqual(
    proposed.map(m => m[1]),
    [`127.0.0.1:${port}`, `127.0.0.1:${port}`],
  );
  const [first = '', second = ''] = proposed.map(m => m[2]);
  const sent = await swaks(Number(port), first.split(' '));
  assert.equal(sent.code, 0, sent.stdout.toString());
  const mails = await run('sh', ['-c', 'cat var/Maildir/new/*'], { cwd: folder.path });
  assert.match(
    mails.stdout.toString(),
    /^Return-Path: <you@example\.net>\nDelivered-To: me@example\.com\nReceived: /,
  );

  const refused = await swaks(Number(port), second.split(' '));
  assert.equal(refused.code, 24, refused.stdout.toString());
  const id =
    /553 5\.7\.1 sorry, that domain isn't in my list of allowed rcpthosts \(#5\.7\.1\) \[(\S+)\]/.exec(
      refused.stdout.toString(),
    )?.[1];
  assert.ok(id, refused.stdout.toString());
  await server.stop();
  const explained = await run(postern, ['explain', id]);
  assert.equal(explained.code, 0, explained.stdout.toString());
  const text = explained.stdout.toString();
  assert.match(
    text,
    /^Mail from <you@example\.net> for <me@elsewhere\.example> was refused at RCPT because of rule RCPTHOSTS/,
  );
  assert.match(text, /^> +rcpt +RCPTHOSTS +hit .*rules\/rcpthosts/m);
});

test('what serve proposes without --control is true of the shipped rules', async () => {
  const { configuration, complaints } = await configure(places({}));
  assert.deepEqual(complaints, []);
  assert.ok(configuration);
  const { me, rcpthosts, smtproutes, listen } = configuration.site.values;
  assert.deepEqual(listen, ['127.0.0.1:2525']);
  assert.ok(rcpthosts?.find('example.com'));
  assert.equal(rcpthosts?.find('elsewhere.example'), null);
  assert.equal([...smtproutes.all()].length, 1);
  const text = firstSteps('127.0.0.1:2525', configuration).join('\n');
  assert.match(text, new RegExp(`${me} takes mail for example\\.com and puts it into var/Maildir`));
  assert.match(text, /--server 127\.0\.0\.1:2525 --from you@example\.net --to me@example\.com/);
});
