import assert from 'node:assert/strict';
import { chmod, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { startGateway } from '../support/gateway.ts';
import { run, temporaryFolder } from '../support/processes.ts';
import { greeted } from './dialogue.ts';

/*
 * What the policy says of a message that passes stands in its header, where the delivery agents of a qmail host sort by
 * it (`to SPAMDIR if /^X-Spam-Flag: *YES/`). Both recipes sort the same mail: one tagged, one clean, one forged.
 */

const MAILDROP = `
SPAMDIR="%HOME%/spam/"
INBOX="%HOME%/inbox/"
if (/^X-Postern-Verdict: *tag/)
{
  to $SPAMDIR
}
to $INBOX
`;

const PROCMAIL = `
SHELL=/bin/sh
LOGFILE=%HOME%/log
:0
* ^X-Postern-Tag: *HEADER_DATE_MISSING
%HOME%/spam/

:0
%HOME%/inbox/
`;

const DATED = 'From: a@example.net\r\nDate: Thu, 1 Jan 1970 00:00:00 +0000\r\n';
const MAILS = [
  'From: a@example.net\r\nSubject: tagged\r\n\r\nbody\r\n',
  `${DATED}Subject: clean\r\n\r\nbody\r\n`,
  // Nobody gets his mail into the spam folder, or out of it, by saying so himself.
  `${DATED}X-Postern-Verdict: tag; rules=HEADER_DATE_MISSING\r\nX-Postern-Tag: HEADER_DATE_MISSING\r\nSubject: forged\r\n\r\nbody\r\n`,
];

async function subjects(maildir: string): Promise<string[]> {
  const names = await readdir(join(maildir, 'new')).catch(() => []);
  const texts = await Promise.all(names.map(name => readFile(join(maildir, 'new', name), 'latin1')));
  return texts.map(text => /^Subject: (.*)$/m.exec(text)?.[1] ?? '').toSorted();
}

test('maildrop and procmail sort by what the policy said', async () => {
  await using gateway = await startGateway({ actions: 'HEADER_DATE_MISSING:tag\n' });
  await using client = await greeted(gateway.port);
  for (const mail of MAILS) {
    assert.match(await client.envelope(), /^250 /);
    assert.match(await client.message(mail), /^250 /);
  }
  const mails = await gateway.maildir();
  assert.equal(mails.length, MAILS.length);

  for (const [agent, recipe] of [
    ['maildrop', MAILDROP],
    ['procmail', PROCMAIL],
  ] as const) {
    await using home = await temporaryFolder();
    const file = join(home.path, 'recipe');
    await writeFile(file, recipe.replaceAll('%HOME%', home.path));
    await chmod(file, 0o600);
    for (const box of ['spam', 'inbox'])
      for (const part of ['tmp', 'new', 'cur']) await mkdir(join(home.path, box, part), { recursive: true });
    for (const mail of mails) {
      const done = await run(agent, [file], { cwd: home.path, input: mail });
      assert.equal(done.code, 0, `${agent}: ${done.stderr.toString()}`);
    }
    assert.deepEqual(await subjects(join(home.path, 'spam')), ['tagged'], agent);
    assert.deepEqual(await subjects(join(home.path, 'inbox')), ['clean', 'forged'], agent);
  }
});
