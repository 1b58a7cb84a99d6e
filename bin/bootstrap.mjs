// Runs one job of the project (`node bin/bootstrap.mjs test`) on a machine that may have nothing but some Node >= 20:
// installs the packages when they are missing or not those of package-lock.json, finds Node 24, hands the job over.
// Plain JavaScript without dependencies, because it runs before there are any.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { providePeers } from './peers.mjs';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const NODE_MAJOR = 24;

/** Where Debian keeps smtp-sink and rbldnsd; an ordinary user's PATH lacks these. */
const SYSTEM_FOLDERS = ['/usr/local/sbin', '/usr/sbin', '/sbin'];

/** Tests start whole programs on two cores; a file that needs longer than this hangs. Milliseconds. */
const TEST_TIMEOUT = 120_000;

const FORWARDED = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR2'];

const JOBS = {
  start: args => job(['src/cli/main.ts', 'serve', ...args]),
  demo: args => job(['src/cli/main.ts', 'demo', ...args]),
  docs: args => job(['src/cli/main.ts', 'docs', ...args]),
  bench: args => job(['bench/run.ts', ...args]),
  conformance: args => withPeers() || job(['test/conformance/run.ts', ...args]),
  corpus: args => withPeers() || job(['test/corpus/run.ts', ...args]),
  test: args => (args.length > 0 ? withPeers() || tests(args) : everything()),
};

function say(text) {
  process.stderr.write(`postern: ${text}\n`);
}

function readJson(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return null;
  }
}

/**
 * Whether node_modules holds what package-lock.json asks for. npm keeps its own account of what it has installed in
 * node_modules/.package-lock.json and writes it last, so an interrupted, a partial (`--omit=dev`) and a hand-made
 * install are all seen. Optional packages of other systems are absent by right.
 */
function upToDate() {
  const wanted = readJson(join(ROOT, 'package-lock.json'))?.packages;
  const present = readJson(join(ROOT, 'node_modules/.package-lock.json'))?.packages;
  if (!wanted || !present) return false;
  return Object.entries(wanted).every(([path, entry]) => {
    if (path === '') return true;
    if (!(path in present)) return entry.optional === true && !fitsThisMachine(entry);
    return present[path].version === entry.version && present[path].integrity === entry.integrity;
  });
}

/** Whether a package-lock.json list of systems or processors, if there is one, names this. */
function listed(list, value) {
  return list === undefined || [list].flat().includes(value);
}

function fitsThisMachine(entry) {
  return (
    listed(entry.os, process.platform) && listed(entry.cpu, process.arch) && !entry.libc?.includes('musl')
  );
}

/** Installs the locked packages; npm's own words go to stderr, so that stdout is the job's alone. Returns an exit code. */
function install() {
  say('installing the packages of package-lock.json (npm ci)');
  // NODE_ENV=production or an `omit` in the environment would leave out Node 24 and the test tools.
  const args = ['ci', '--include=dev', '--include=optional', '--no-audit', '--no-fund', '--loglevel=error'];
  const npm = process.env.npm_execpath;
  const underNpm = npm !== undefined && /npm-cli\.c?js$/.test(npm) && existsSync(npm);
  const [command, all] = underNpm ? [process.execPath, [npm, ...args]] : ['npm', args];
  const done = spawnSync(command, all, { cwd: ROOT, stdio: ['ignore', 2, 2] });
  if (done.status === 0) return 0;
  if (done.error) say(`npm could not be started: ${done.error.message}`);
  else
    say(
      'npm ci failed, see above. It needs the package registry: is this machine offline, or behind a proxy?',
    );
  return done.status || 1;
}

/** Path of a Node 24: the one among the packages, or the one that runs this. Null when there is none. */
function findNode() {
  const packaged = join(ROOT, `node_modules/node-${process.platform}-${process.arch}/bin/node`);
  if (existsSync(packaged)) return packaged;
  return Number.parseInt(process.versions.node, 10) === NODE_MAJOR ? process.execPath : null;
}

/** Runs a program with our stdio, passes signals on to it, and resolves to its exit code (128 + n after signal n). */
function run(command, args, env = process.env) {
  const child = spawn(command, args, { cwd: ROOT, stdio: 'inherit', env });
  const forward = signal => {
    // Ctrl-C at a terminal goes to the whole process group: the child has it already.
    if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
  };
  for (const signal of FORWARDED) process.on(signal, forward);
  return new Promise(resolve => {
    child.on('error', error => {
      say(`${command}: ${error.message}`);
      resolve(1);
    });
    child.on('exit', (code, signal) => resolve(code ?? 128 + constants.signals[signal]));
  }).finally(() => {
    for (const signal of FORWARDED) process.off(signal, forward);
  });
}

let node = process.execPath;

/** Runs Node 24, which is also the `node` that the job's own children find. */
function job(args) {
  const path = [dirname(node), process.env.PATH ?? '', ...SYSTEM_FOLDERS].join(delimiter);
  return run(node, args, { ...process.env, PATH: path });
}

/** 0 when the Debian programs that tests talk to are there, now or after installing them. */
function withPeers() {
  return providePeers([...(process.env.PATH ?? '').split(delimiter), ...SYSTEM_FOLDERS], say) ? 0 : 1;
}

/** Everything that has to hold before a change lands, cheapest first; stops at the first that does not. */
async function everything() {
  const phases = {
    types: () => job(['node_modules/typescript/bin/tsc', '-p', '.']),
    lint: () => job(['node_modules/oxlint/bin/oxlint', '--type-aware', '--deny-warnings']),
    format: () => job(['node_modules/@biomejs/biome/bin/biome', 'format', '.']),
    peers: () => withPeers(),
    tests: () => tests([]),
  };
  for (const [name, phase] of Object.entries(phases)) {
    say(name);
    const code = await phase();
    if (code !== 0) {
      say(`${name} failed`);
      return code;
    }
  }
  return 0;
}

/** The test runner over the files named in `args`, or all of them; options in `args` go to Node. */
function tests(args) {
  const options = args.filter(arg => arg.startsWith('-'));
  const files = args.filter(arg => !arg.startsWith('-'));
  return job([
    '--test',
    `--test-timeout=${TEST_TIMEOUT}`,
    '--test-concurrency=2',
    // A skipped test is a failed run; see the reporter. Spec goes last and closes with the runner's own summary.
    '--test-reporter=./bin/no-skips.mjs',
    '--test-reporter-destination=stderr',
    '--test-reporter=spec',
    '--test-reporter-destination=stdout',
    ...options,
    ...(files.length > 0 ? files : ['test/**/*.test.ts']),
  ]);
}

async function main([name, ...args]) {
  if (!Object.hasOwn(JOBS, name ?? '')) {
    say(`usage: node bin/bootstrap.mjs ${Object.keys(JOBS).join('|')} [arguments]`);
    return 2;
  }
  if (Number.parseInt(process.versions.node, 10) < 20) {
    say(`this is Node ${process.versions.node}; Node 20 or newer is needed to install the packages`);
    return 1;
  }
  if (!upToDate()) {
    const code = install();
    if (code !== 0) return code;
  }
  const found = findNode();
  if (found === null) {
    say(
      `no Node ${NODE_MAJOR} for ${process.platform}-${process.arch} among the packages, and this is Node ${process.versions.node}: install Node ${NODE_MAJOR} and try again`,
    );
    return 1;
  }
  node = found;
  return JOBS[name](args);
}

process.exitCode = await main(process.argv.slice(2));
