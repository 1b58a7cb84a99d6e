import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync, statSync } from 'node:fs';
import { cp, mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { startSmtpSink } from '../support/peers.ts';
import { freePort, ROOT, run, temporaryFolder } from '../support/processes.ts';

const read = (name: string) => readFileSync(join(ROOT, name), 'utf8');

/** Folders of the checkout; a word in backticks that begins with one of these is a path. */
const FOLDERS = 'bin|bench|contrib|docs|native|rules|src|test|\\.ci';

test('the pages of the project name only files that exist', () => {
  const pages = ['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'CHANGELOG.md'];
  const missing: string[] = [];
  for (const page of [...pages, ...globSync('docs/**/*.md', { cwd: ROOT })]) {
    const text = read(page);
    const links = [...text.matchAll(/\]\((?!https?:|mailto:|#)([^)#\s]+)/g)].map(m =>
      join(page, '..', m[1] ?? ''),
    );
    const words = [...text.matchAll(new RegExp(`\`((?:${FOLDERS})/[\\w./-]*)\``, 'g'))].map(m => m[1] ?? '');
    for (const path of [...links, ...words]) {
      if (!existsSync(join(ROOT, path))) missing.push(`${page}: ${path}`);
    }
  }
  assert.deepEqual(missing, []);
});

test('every script of package.json has a line in README or CONTRIBUTING', () => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
  const text = read('README.md') + read('CONTRIBUTING.md');
  const silent = Object.keys(scripts).filter(name => !new RegExp(`npm (run )?${name}\\b`).test(text));
  assert.deepEqual(silent, []);
});

test('bin/postern runs from anywhere, through links, and leaves no shell behind', async () => {
  await using folder = await temporaryFolder();
  const { version } = JSON.parse(read('package.json')) as { version: string };
  await mkdir(join(folder.path, 'bin'));
  await symlink(join(ROOT, 'bin/postern'), join(folder.path, 'bin/one'));
  await symlink('bin/one', join(folder.path, 'two'));
  for (const name of [join(ROOT, 'bin/postern'), join(folder.path, 'bin/one'), join(folder.path, 'two')]) {
    const done = await run(name, ['--version'], { cwd: '/' });
    assert.equal(done.code, 0, done.stderr.toString());
    assert.equal(done.stdout.toString().trim(), version);
    assert.equal(done.stderr.toString(), '');
  }
});

test('bin/postern puts Node in its own place and passes arguments unchanged', async () => {
  await using folder = await temporaryFolder();
  await mkdir(join(folder.path, 'src/cli'), { recursive: true });
  await mkdir(join(folder.path, 'node_modules'));
  await cp(join(ROOT, 'bin/postern'), join(folder.path, 'bin/postern'));
  const show = 'console.log(JSON.stringify([process.ppid, ...process.argv.slice(2)]))';
  await writeFile(join(folder.path, 'src/cli/main.ts'), show);
  const args = ['a b', '', '*', '$HOME'];
  const done = await run(join(folder.path, 'bin/postern'), args, {
    env: { PATH: `${NODE_FOLDER}:/usr/bin:/bin` },
  });
  assert.deepEqual(JSON.parse(done.stdout.toString()), [process.pid, ...args]);
});

test('bin/postern without its packages is temporary trouble', async () => {
  await using folder = await temporaryFolder();
  await cp(join(ROOT, 'bin/postern'), join(folder.path, 'bin/postern'));
  const bare = await run(join(folder.path, 'bin/postern'), ['serve']);
  assert.equal(bare.code, 111);
  assert.match(bare.stderr.toString(), /node_modules is missing; run 'npm ci'/);
  await mkdir(join(folder.path, 'node_modules'));
  const noNode = await run(join(folder.path, 'bin/postern'), ['serve'], {
    env: { PATH: '/bin-without-node' },
  });
  assert.equal(noNode.code, 111);
  assert.match(noNode.stderr.toString(), /no Node 24/);
});

const healthcheck = (port: number) => run('node', [join(ROOT, 'bin/healthcheck.mjs'), String(port)]);

const NODE_FOLDER = join(process.execPath, '..');

const SCRIPTS = [
  'bin/postern',
  '.ci/run',
  'contrib/daemontools/postern/run',
  'contrib/daemontools/postern/log/run',
];

test('scripts are executable and a shell can read them', async () => {
  for (const script of SCRIPTS) {
    assert.equal(statSync(join(ROOT, script)).mode & 0o111, 0o111, `${script} is not executable`);
    const shell = read(script).startsWith('#!/bin/sh\n') ? 'sh' : 'bash';
    const done = await run(shell, ['-n', join(ROOT, script)]);
    assert.equal(done.code, 0, done.stderr.toString());
  }
});

test('run scripts, unit and image pass only options that `postern serve` has', async () => {
  const help = (await run(join(ROOT, 'bin/postern'), ['serve', '--help'])).stdout.toString();
  const places = [
    'contrib/daemontools/postern/run',
    'contrib/systemd/postern.service',
    'Dockerfile',
    'docs/install.md',
  ];
  for (const place of places) {
    const commands = [...read(place).matchAll(/(?:\bpostern serve|"serve",) (.*)$/gm)].map(m => m[1] ?? '');
    assert.ok(commands.length > 0, `${place} starts nothing`);
    for (const option of commands.flatMap(command => command.match(/--[a-z-]+/g) ?? [])) {
      assert.match(help, new RegExp(`${option}\\b`), `${place}: ${option}`);
    }
  }
});

test('the health check of the image tells a greeting from silence', async () => {
  await using sink = await startSmtpSink();
  assert.equal((await healthcheck(sink.port)).code, 0);
  const refused = await healthcheck(await freePort());
  assert.equal(refused.code, 1);
  assert.match(refused.stderr.toString(), /ECONNREFUSED/);
  await using full = await startSmtpSink({ args: ['-r', 'CONNECT'] });
  assert.equal((await healthcheck(full.port)).code, 1);
});
