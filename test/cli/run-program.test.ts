import assert from 'node:assert/strict';
import { chmod, mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { errorText, findProgram } from '../../src/cli/run-program.ts';
import { run, temporaryFolder } from '../support/processes.ts';

/** Files of every kind that cannot be run, and one that can. */
async function files(folder: string): Promise<void> {
  const write = async (name: string, text: string, mode: number) => {
    await writeFile(join(folder, name), text);
    await chmod(join(folder, name), mode);
  };
  await write('good', '#!/bin/sh\necho good "$@"\n', 0o755);
  await write('plain', '#!/bin/sh\n', 0o644);
  await write('junk', 'junk', 0o755);
  await write('empty', '', 0o755);
  await write('orphan', '#!/no/such/interpreter -x\n', 0o755);
  await mkdir(join(folder, 'directory'));
  await symlink('loop', join(folder, 'loop'));
}

test('what cannot be run is told in the words of the real rblsmtpd', async () => {
  await using folder = await temporaryFolder();
  await files(folder.path);
  const names = [
    'plain',
    'junk',
    'empty',
    'orphan',
    'directory',
    'loop',
    'missing',
    'good/x',
    'x'.repeat(300),
  ];
  for (const name of names) {
    const path = join(folder.path, name);
    const real = await run('rblsmtpd', [path]);
    const found = findProgram(path, '/bin');
    assert.ok('error' in found, name);
    assert.equal(
      `rblsmtpd: fatal: unable to run ${path}: ${errorText(found.error)}\n`,
      real.stderr.toString(),
      name,
    );
  }
});

test('PATH is searched as the real rblsmtpd does', async () => {
  await using folder = await temporaryFolder();
  const one = join(folder.path, 'one');
  const two = join(folder.path, 'two');
  await mkdir(one);
  await mkdir(two);
  await files(one);
  await writeFile(join(two, 'plain'), '#!/bin/sh\necho second\n', { mode: 0o755 });
  await writeFile(join(two, 'junk'), '#!/bin/sh\necho second\n', { mode: 0o755 });
  const cases: readonly (readonly [name: string, path: string])[] = [
    ['good', `${two}:${one}`],
    // Not executable in the first folder: the second one's turn.
    ['plain', `${one}:${two}`],
    // The wrong format ends the search.
    ['junk', `${one}:${two}`],
    ['missing', `${one}:${two}`],
    ['directory', `${one}:${two}`],
    ['good', `/no/such/folder:${one}`],
    ['good', `${one}/good:${one}`],
    ['good', ''],
    ['', one],
  ];
  for (const [name, path] of cases) {
    // An absolute name, since PATH is not the one that finds rblsmtpd itself.
    const real = await run('/usr/bin/rblsmtpd', [name, 'x'], { env: { PATH: path }, cwd: '/' });
    const found = findProgram(name, path);
    const ours = 'path' in found ? '' : `rblsmtpd: fatal: unable to run ${name}: ${errorText(found.error)}\n`;
    assert.equal(ours, real.stderr.toString(), `${name} in ${path}`);
  }
  assert.deepEqual(findProgram('good', `${two}:${one}`), { path: join(one, 'good') });
  assert.deepEqual(findProgram('sh', undefined), { path: '/bin/sh' });
});
