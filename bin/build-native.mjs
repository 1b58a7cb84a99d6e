// Compiles native/postern-queue.c: `node bin/build-native.mjs [OUTPUT]`, by default to native/postern-queue. An output
// that is newer than all that goes into it is left alone, unless $CC asks for a compiler by name.
// A static, stripped program: it has to start under qmail-smtpd's `softlimit -m`, where a dynamic loader alone is a
// megabyte or two. With musl it is some 25 kB and runs under 300 kB; with glibc it is some 700 kB and needs 1.5 MB.
import { spawnSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const SOURCE = join(ROOT, 'native/postern-queue.c');
/** What the program is made from; package.json for its version. */
const INGREDIENTS = [
  'native/postern-queue.c',
  'native/environment.h',
  'bin/build-native.mjs',
  'package.json',
];
/** Warnings do not fail the build here: another compiler has others. In the tests they do. */
const WARNINGS = ['-Wall', '-Wextra', '-Wpedantic', '-Wconversion', '-Wshadow'];
/** Small: no tables for exceptions, no page of padding between code and constants, no symbols. */
const SMALL = ['-fno-asynchronous-unwind-tables', '-Wl,-z,noseparate-code', '-Wl,--build-id=none', '-s'];
const FLAGS = ['-std=c11', '-O2', '-static', ...WARNINGS, ...SMALL];

/** $CC alone where it is set, else musl's compiler, else the system's. */
const COMPILERS = process.env.CC ? [process.env.CC] : ['musl-gcc', 'cc'];

function changed(path) {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

function isCurrent(output) {
  return !process.env.CC && INGREDIENTS.every(name => changed(join(ROOT, name)) < changed(output));
}

/** Null when `compiler` has written `output`, else what went wrong. */
function compile(compiler, output) {
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  const args = [...FLAGS, `-DPOSTERN_VERSION="${version}"`, '-o', output, SOURCE];
  const done = spawnSync(compiler, args, { encoding: 'utf8' });
  if (done.status === 0) return null;
  return `${compiler}: ${done.error?.code === 'ENOENT' ? 'not installed' : (done.error?.message ?? done.stderr)}`;
}

const output = process.argv[2] ?? join(ROOT, 'native/postern-queue');
if (isCurrent(output)) {
  process.stderr.write(`postern: ${output} is up to date\n`);
  process.exit(0);
}
const failures = [];
for (const compiler of COMPILERS) {
  const failure = compile(compiler, output);
  if (failure === null) {
    process.stderr.write(`postern: ${output} built with ${compiler}\n`);
    process.exit(0);
  }
  failures.push(failure);
}
process.stderr.write(
  `postern: postern-queue could not be built; a C compiler is needed: musl-tools, or gcc and libc6-dev, on Debian\n${failures.join('\n')}\n`,
);
process.exit(1);
