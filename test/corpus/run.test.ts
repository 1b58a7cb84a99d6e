import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { corpusMessages } from '../program/corpus.ts';
import type { Finished } from '../support/processes.ts';
import { ROOT, run, temporaryFolder } from '../support/processes.ts';
import { GTUBE, sampleMail } from '../support/sample-mail.ts';
import { fairSample, firstOf } from './sample.ts';

function corpus(...args: readonly string[]): Promise<Finished> {
  return run('node', [join(ROOT, 'test/corpus/run.ts'), ...args], {}, 100_000);
}

/** A folder with two archives of mboxes of one message each: ham, and spam. */
async function smallCorpus(): Promise<AsyncDisposable & { readonly path: string }> {
  const folder = await temporaryFolder();
  const mail = (subject: string, body: string) =>
    `From someone@example.org Sat Nov 21 20:00:00 2026\n${sampleMail({ subject, body }).toString('latin1').replaceAll('\r\n', '\n')}`;
  const archives = { ham: ['one', 'two', 'three', 'four'], spam: ['one', 'two'] };
  for (const [archive, names] of Object.entries(archives)) {
    await mkdir(join(folder.path, archive));
    for (const name of names) {
      const body = archive === 'spam' ? `${GTUBE}\n` : 'The minutes of our meeting.\n';
      await writeFile(join(folder.path, archive, `${name}.txt`), mail(name, body));
    }
    const done = await run('tar', [
      '-cJf',
      join(folder.path, `${archive}.tar.xz`),
      '-C',
      folder.path,
      archive,
    ]);
    assert.equal(done.code, 0, done.stderr.toString());
  }
  return folder;
}

test('what became of each archive’s mail is printed, and spamc says the same', async () => {
  await using folder = await smallCorpus();
  const { code, stdout, stderr } = await corpus('--corpus', folder.path, '--messages', '4', '--compare');
  assert.equal(stderr.toString(), '');
  assert.equal(code, 0);
  const text = stdout.toString();
  assert.match(text, /^4 messages, spread evenly: 2 of 4 in ham, 2 of 2 in spam\.$/m);
  assert.match(text, /^ +refused +deferred +held +tagged +passed$/m);
  assert.match(text, /^ham +0 +0 +0 +0 +2$/m);
  assert.match(text, /^spam +2 +0 +0 +0 +0$/m);
  assert.match(text, /^ {2}spam refused: SPAM_HITS 2$/m);
  assert.match(text, /^ {2}spam: 2 of 2 scored, 0 not scored\n {4}GTUBE 2/m);
  assert.match(text, /^Compared with spamc: 4 messages \(0 not scored\), 0 differ\.$/m);
});

test('no corpus, or a wrong word, says what is wanted', async () => {
  await using empty = await temporaryFolder();
  for (const [args, why] of [
    [['--corpus', empty.path], /^no corpus in .*\nusage: npm run corpus/],
    [['--corpus', join(empty.path, 'none')], /^no corpus in .*none\nusage: /],
    [['--messages', 'many'], /^--messages many\nusage: /],
    [['--all'], /'--all'/],
  ] as const) {
    const { code, stdout, stderr } = await corpus(...args);
    assert.deepEqual([code, stdout.toString()], [2, '']);
    assert.match(stderr.toString(), why);
  }
});

test('a sample has as many of each archive as there are, spread over all of it, the same ones each time', async () => {
  await using folder = await smallCorpus();
  const all = (await corpusMessages(folder.path)) ?? [];
  const files = (count: number) =>
    fairSample(all, count).map(
      ({ archive, of, messages }) => `${archive} ${of} ${messages.map(one => one.origin?.file).join()}`,
    );
  assert.deepEqual(files(4), ['ham 4 four.txt,three.txt', 'spam 2 one.txt,two.txt']);
  assert.deepEqual(files(4), files(4));
  assert.deepEqual(files(1), ['ham 4 four.txt', 'spam 2 ']);
  assert.deepEqual(files(5), ['ham 4 four.txt,one.txt,three.txt', 'spam 2 one.txt,two.txt']);
  assert.equal(fairSample(all, 100).flatMap(({ messages }) => messages).length, 6);
  assert.deepEqual(
    firstOf(fairSample(all, 6), 3).map(one => `${one.origin?.archive} ${one.origin?.file}`),
    ['ham four.txt', 'ham one.txt', 'spam one.txt'],
  );
});
