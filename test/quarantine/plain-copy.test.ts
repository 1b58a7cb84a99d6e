import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { writePlainCopy } from '../../src/quarantine/plain-copy.ts';
import { messageOf, rig, send } from '../pipeline/rig.ts';
import { temporaryFolder } from '../support/processes.ts';

const TEXT = 'From: a@example.net\r\nSubject: buy\r\n\r\nline\r\n.dot\r\n';
const SCORED = {
  kind: 'scored',
  spam: true,
  marked: true,
  score: 15,
  threshold: 5,
  rules: ['MANY'],
  scanner: 'spamd',
} as const;

test('a copy has LF line ends, nothing added, and simscan’s name', async () => {
  await using folder = await temporaryFolder();
  const into = join(folder.path, 'new', 'spam');
  const message = await messageOf(TEXT);
  const [first, second] = [
    await writePlainCopy(into, message, 1_336_995_000_123),
    await writePlainCopy(into, message, 1_336_995_000_123),
  ];
  assert.deepEqual((await readdir(into)).toSorted(), [
    `msg.1336995000.123000.${process.pid}`,
    `msg.1336995000.123001.${process.pid}`,
  ]);
  assert.equal(await readFile(first, 'latin1'), TEXT.replaceAll('\r\n', '\n'));
  assert.equal(await readFile(second, 'latin1'), TEXT.replaceAll('\r\n', '\n'));
  assert.equal((await stat(first)).mode & 0o777 & ~0o640, 0);
});

test('refused spam leaves a copy, other mail none; a folder that cannot be written refuses nothing else', async t => {
  await using folder = await temporaryFolder();
  const into = join(folder.path, 'spam');
  const control = { spamd: '/run/spamd', quarantinedir: into };
  let score = 15;
  const house = await rig(t, {
    control,
    score: () => Promise.resolve({ ...SCORED, score }),
    parts: { keepCopy: message => writePlainCopy(into, message, Date.now()) },
  });
  const answer = async () => send(await house.converse(), ['b@example.com'], TEXT);
  assert.match(await answer(), /^554 5\.7\.1 Your email is considered spam \(15\.00 spam-hits\)/);
  assert.equal((await readdir(into)).length, 1);
  const found = house.records.at(-1)?.findings.map(({ detail = '' }) => detail) ?? [];
  assert.ok(found.some(detail => detail.startsWith(`a copy is in ${into}/msg.`)));
  score = 7;
  assert.match(await answer(), /^250 /);
  assert.equal((await readdir(into)).length, 1);
  score = 15;
  await mkdir(join(folder.path, 'not'), { mode: 0o700 });
  await writeFile(join(folder.path, 'not', 'a-folder'), '');
  const other = await rig(t, {
    control: { ...control, quarantinedir: join(folder.path, 'not', 'a-folder') },
    score: () => Promise.resolve(SCORED),
    parts: { keepCopy: message => writePlainCopy(join(folder.path, 'not', 'a-folder'), message, 0) },
  });
  assert.match(
    await send(await other.converse(), ['b@example.com'], TEXT),
    /^554 5\.7\.1 Your email is considered spam/,
  );
  assert.match(
    other.records.at(-1)?.findings.find(({ state }) => state === 'error')?.detail ?? '',
    /^no copy in quarantinedir: /,
  );
});
