import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FileBudget } from '../../../src/mail/mime/file-bytes.ts';
import { eachFile } from '../../../src/mail/mime/file-bytes.ts';
import type { FileChoice } from '../../../src/mail/mime/unseen-files.ts';
import { isEveryFile } from '../../../src/mail/mime/unseen-files.ts';
import { tnef } from '../../support/tnef-writer.ts';
import { uuencode } from '../../support/uuencode-writer.ts';
import { mail, plainMail } from '../../support/virus-mail.ts';
import { zip } from '../../support/zip-writer.ts';
import { bytesOf } from '../stored.ts';
import { HOSTILE, inChunks, watched } from './hostile-mail.ts';
import { LIMITS, messageOf } from './reading.ts';

const AMPLE: FileBudget = { files: 1000, bytes: 1e9 };
const nobody = new AbortController().signal;

interface Wishes {
  readonly wanted?: FileChoice;
  readonly budget?: Partial<FileBudget>;
  readonly piece?: number;
  /** What is done with each file; false: no more. */
  readonly visit?: (name: string) => boolean | Promise<boolean>;
  readonly signal?: AbortSignal;
  readonly spoolFolder?: string;
}

/** The files of a message, `NAME: TEXT`, in their order. */
async function filesOf(message: Buffer, wishes: Wishes = {}) {
  const { wanted = isEveryFile, budget = {}, piece = message.length, visit, signal = nobody } = wishes;
  const pieces: Buffer[] = [];
  for (let at = 0; at < message.length; at += piece) pieces.push(message.subarray(at, at + piece));
  const files: string[] = [];
  let visiting = 0;
  const seen = await eachFile(
    messageOf(pieces),
    { ...LIMITS, spoolFolder: wishes.spoolFolder ?? LIMITS.spoolFolder },
    wanted,
    { ...AMPLE, ...budget },
    async file => {
      assert.equal(++visiting, 1, 'one at a time');
      const bytes = await bytesOf(file);
      assert.equal(bytes.length, file.size);
      files.push(`${file.name}: ${bytes.length > 100 ? bytes.length : bytes.toString('latin1')}`);
      const more = await visit?.(file.name);
      visiting--;
      return more ?? true;
    },
    signal,
  );
  assert.equal(seen.files, files.length);
  return { files, beyond: seen.beyond };
}

const uu = (text: Buffer | string, name: string) =>
  Buffer.from(uuencode(Buffer.from(text), name).replaceAll('\n', '\r\n'), 'latin1');
const inTnef = (data: Buffer, title: string) => tnef([{ title, data }]);

test('a part, decoded, in whatever pieces the message comes', async () => {
  for (const piece of [1, 7, 1000]) {
    const { files, beyond } = await filesOf(mail(Buffer.from('some bytes')), { piece });
    assert.deepEqual([files, beyond], [['part 1.2 x.bin: some bytes'], false]);
  }
});

test('files in files, innermost first', async () => {
  const inner = uu('MZ', 'e.exe');
  const outer = inTnef(inner, 'a.txt');
  const { files } = await filesOf(plainMail(uu(outer, 'winmail.dat')));
  assert.deepEqual(files, [
    'e.exe in a.txt in winmail.dat: MZ',
    `a.txt in winmail.dat: ${inner.toString('latin1')}`,
    `winmail.dat: ${outer.length}`,
  ]);
});

test('archives are not opened', async () => {
  const { files } = await filesOf(mail(zip([{ name: 'a', data: 'x' }])));
  assert.equal(files.length, 1);
});

test('only what is wanted', async () => {
  const message = mail(uu('MZ', 'e.exe'), 'text/plain; name=x.txt');
  const { files } = await filesOf(message, { wanted: file => file.place === null });
  assert.deepEqual(files, ['e.exe: MZ']);
});

test('the same bytes come once, empty files never', async () => {
  const message = plainMail(Buffer.concat([uu('one', 'a'), uu('one', 'b'), uu('', 'c'), uu('two', 'd')]));
  assert.deepEqual((await filesOf(message)).files, ['a: one', 'd: two']);
  const { files, beyond } = await filesOf(message, { budget: { files: 2 } });
  assert.deepEqual([files.length, beyond], [2, false], 'nor do they count');
});

test('a reading of its own where readers differ on the end of base64', async () => {
  const padded = `${Buffer.from('a').toString('base64')}\r\n${Buffer.from('bc').toString('base64')}\r\n`;
  const message = mail(Buffer.from('x')).toString('latin1').replace('eA==\r\n', padded);
  const { files } = await filesOf(Buffer.from(message, 'latin1'));
  assert.deepEqual(files, ['part 1.2 x.bin: abc', 'part 1.2 x.bin: a']);
});

test('files beyond the budget are told', async () => {
  const message = plainMail(Buffer.concat([uu('1'.repeat(50), 'a'), uu('2'.repeat(60), 'b'), uu('3', 'c')]));
  const few = await filesOf(message, { budget: { files: 2 } });
  assert.deepEqual([few.files.length, few.beyond], [2, true]);
  const short = await filesOf(message, { budget: { bytes: 60 } });
  assert.deepEqual([short.files.map(one => one[0]), short.beyond], [['a', 'c'], true]);
});

test('a file of megabytes waits on the disk', async () => {
  const bytes = Buffer.alloc(5_000_000, 'some text');
  for (const piece of [1000, 100_000]) {
    const { files } = await filesOf(mail(bytes), { piece });
    assert.deepEqual(files, ['part 1.2 x.bin: 5000000']);
  }
});

test('no disk: it rejects', async () => {
  const reading = filesOf(mail(Buffer.alloc(5_000_000)), { spoolFolder: '/nonexistent' });
  await assert.rejects(reading, /ENOENT/);
});

test('whoever looks may end it, or fail', async () => {
  const message = plainMail(Buffer.concat(Array.from({ length: 400 }, (_, i) => uu(`file ${i}`, `${i}`))));
  const { files } = await filesOf(message, { visit: name => name !== '1' });
  assert.deepEqual(files, ['0: file 0', '1: file 1']);
  const failing = () => Promise.reject(new Error('no'));
  await assert.rejects(filesOf(message, { visit: failing }), /^Error: no$/);
});

test('the client goes while somebody looks', async () => {
  const gone = new AbortController();
  const message = plainMail(Buffer.concat([uu('one', 'a'), Buffer.alloc(500_000, 'x\r\n'), uu('two', 'b')]));
  const visit = (): boolean => {
    gone.abort();
    return true;
  };
  await assert.rejects(filesOf(message, { visit, signal: gone.signal }), { name: 'AbortError' });
  await assert.rejects(filesOf(message, { signal: gone.signal }), { name: 'AbortError' });
});

for (const { name, text } of HOSTILE) {
  test(`hostile: ${name}`, async context => {
    const message = messageOf(inChunks(text()));
    const budget = { files: 100, bytes: 20_000_000 };
    let bytes = 0;
    const visit = (file: { readonly size: number }) => {
      bytes += file.size;
      return Promise.resolve(true);
    };
    const { result, longest } = await watched(() =>
      eachFile(message, LIMITS, isEveryFile, budget, visit, nobody),
    );
    context.diagnostic(`longest stretch ${longest.toFixed(1)} ms, ${result.files} files, ${bytes} bytes`);
    assert.ok(result.files <= budget.files && bytes <= budget.bytes);
    assert.ok(longest < 100, `others waited ${longest} ms`);
  });
}
