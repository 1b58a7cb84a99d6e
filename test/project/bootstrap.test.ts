import assert from 'node:assert/strict';
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { ROOT, run, start, temporaryFolder } from '../support/processes.ts';

/** An `npm` that leaves its arguments in npm.log and then does as `script` says; it stands for the registry's answer. */
const npm = (script: string) => `#!/bin/sh\necho "$*" >npm.log\n${script}\n`;

/** A checkout with the real bin/, one made-up package, and `main` as the program. */
async function checkout(main: string, npmScript: string) {
  const folder = await temporaryFolder();
  const put = async (path: string, text: string, mode = 0o644) => {
    await mkdir(dirname(join(folder.path, path)), { recursive: true });
    await writeFile(join(folder.path, path), text, { mode });
  };
  await cp(join(ROOT, 'bin'), join(folder.path, 'bin'), { recursive: true });
  await put('package.json', '{"type":"module"}');
  await put('package-lock.json', lock('1.0.0'));
  await put('src/cli/main.ts', main);
  await put('path/npm', npm(npmScript), 0o755);
  const env = {
    PATH: `${join(folder.path, 'path')}:${process.env.PATH}`,
    npm_execpath: undefined,
    NODE_ENV: 'production',
  };
  return { ...folder, put, env, bootstrap: join(folder.path, 'bin/bootstrap.mjs') };
}

const lock = (version: string) =>
  JSON.stringify({
    packages: {
      '': {},
      'node_modules/thing': { version, integrity: `sha512-${version}` },
      'node_modules/thing-on-a-mac': { version, optional: true, os: ['darwin'] },
    },
  });
const installed = (version: string) =>
  JSON.stringify({ packages: { 'node_modules/thing': { version, integrity: `sha512-${version}` } } });

const MAIN =
  'console.log(process.argv.slice(2).join(" "), process.version.split(".")[0]); process.exitCode = 5;';

test('packages are installed first, development tools too, and the job keeps its arguments and exit code', async () => {
  await using clone = await checkout(
    MAIN,
    `mkdir -p node_modules; echo '${installed('1.0.0')}' >node_modules/.package-lock.json; echo noise`,
  );
  const first = await run('node', [clone.bootstrap, 'start', '--dry'], { cwd: '/', env: clone.env });
  assert.equal(first.code, 5, first.stderr.toString());
  assert.equal(first.stdout.toString(), 'serve --dry v24\n');
  assert.match(await readFile(join(clone.path, 'npm.log'), 'utf8'), /^ci --include=dev --include=optional /);

  await clone.put('path/npm', npm('exit 9'), 0o755);
  const second = await run('node', [clone.bootstrap, 'start'], { env: clone.env });
  assert.equal(second.code, 5, 'nothing to install, npm is not asked');
  assert.equal(second.stderr.toString(), '');

  await clone.put('package-lock.json', lock('1.0.1'));
  const changed = await run('node', [clone.bootstrap, 'start'], { env: clone.env });
  assert.equal(changed.code, 9);
  assert.equal(changed.stdout.toString(), '');
  assert.match(changed.stderr.toString(), /npm ci failed.*offline/);
});

test('an installation that was cut short or lacks a package is done again', async () => {
  for (const present of [null, '{"packages":{}}', 'half a fi']) {
    await using clone = await checkout(MAIN, 'exit 9');
    if (present !== null) await clone.put('node_modules/.package-lock.json', present);
    assert.equal((await run('node', [clone.bootstrap, 'start'], { env: clone.env })).code, 9);
  }
});

test('signals reach the job, and the way it ended is passed on', async () => {
  const main = `
    process.on('SIGHUP', () => console.log('reloaded'));
    process.on('SIGTERM', () => { console.log('drained'); process.exit(0); });
    console.log('ready');
    setInterval(() => {}, 1000);`;
  await using clone = await checkout(main, 'exit 9');
  await clone.put('node_modules/.package-lock.json', installed('1.0.0'));
  await using program = await start('node', [clone.bootstrap, 'start'], { env: clone.env });
  await program.output(/^ready$/m);
  program.signal('SIGHUP');
  await program.output(/^reloaded$/m);
  program.signal('SIGTERM');
  assert.deepEqual(await program.ended, { code: 0, signal: null });
  assert.match(program.stdout, /^drained$/m);

  await using killed = await checkout(`process.kill(process.pid, 'SIGKILL');`, 'exit 9');
  await killed.put('node_modules/.package-lock.json', installed('1.0.0'));
  assert.equal((await run('node', [killed.bootstrap, 'start'], { env: killed.env })).code, 137);
});

test('an unknown job is told the known ones', async () => {
  const done = await run('node', [join(ROOT, 'bin/bootstrap.mjs'), 'toString']);
  assert.equal(done.code, 2);
  assert.match(done.stderr.toString(), /start\|demo\|docs\|bench\|conformance\|corpus\|test/);
});

test('a skipped test fails the run', async () => {
  await using folder = await temporaryFolder();
  const runner = async (body: string) => {
    const file = join(folder.path, 'x.test.mjs');
    await writeFile(file, `import { test } from 'node:test';\n${body}`);
    const reporters = ['--test-reporter=./bin/no-skips.mjs', '--test-reporter-destination=stderr'];
    // Without NODE_TEST_CONTEXT, which would make it a part of this run.
    return run('node', ['--test', ...reporters, file], { cwd: ROOT, env: { NODE_TEST_CONTEXT: undefined } });
  };
  assert.equal((await runner(`test('a', () => {});`)).code, 0);
  for (const way of ['skip', 'todo']) {
    const done = await runner(`test('a', () => {});\ntest('lazy', { ${way}: true }, () => {});`);
    assert.equal(done.code, 1);
    assert.match(done.stderr.toString(), /did not run: lazy .*x\.test\.mjs:3/);
  }
});
