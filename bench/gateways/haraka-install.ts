import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';

const VERSION = '3.3.4';

/** The plugins by themselves, because Haraka's optional dependencies are dozens more. */
const PACKAGES: Readonly<Record<string, string>> = {
  Haraka: VERSION,
  'haraka-plugin-access': '1.4.0',
  'haraka-plugin-attachment': '1.2.1',
  'haraka-plugin-clamd': '1.0.6',
  'haraka-plugin-dkim': '1.3.1',
  'haraka-plugin-dns-list': '1.3.0',
  'haraka-plugin-headers': '1.2.0',
  'haraka-plugin-spamassassin': '1.1.2',
  'haraka-plugin-spf': '1.3.0',
};

/** libmime is held back: Haraka takes any 5.x, and newer ones pin dependencies that registries are slow to have. */
const PACKAGE = {
  private: true,
  dependencies: PACKAGES,
  overrides: { libmime: '5.4.8' },
};

const INSTALL_LIMIT = 180_000;

/** Where Haraka is kept, outside the checkout, so that a second run finds it. */
export function harakaFolder(): string {
  return join(tmpdir(), 'postern-bench-haraka');
}

/** Installs Haraka from npm unless it is there. Returns why it is not there afterwards, or null. */
export async function installHaraka(): Promise<string | null> {
  const folder = harakaFolder();
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  // The name can be foreseen: run nothing that somebody else has put there.
  if (statSync(folder).uid !== process.getuid?.()) return `${folder} belongs to somebody else`;
  if (installed(folder)) return null;
  writeFileSync(join(folder, 'package.json'), JSON.stringify(PACKAGE, null, 2));
  console.error(`installing Haraka ${VERSION} from npm into ${folder}`);
  const failure = await npmInstall(folder);
  return failure ?? (installed(folder) ? null : 'npm did not install Haraka');
}

function installed(folder: string): boolean {
  const modules = join(folder, 'node_modules');
  // The hidden lock file is the last thing npm writes: without it the installation was cut short.
  if (!existsSync(join(modules, '.package-lock.json'))) return false;
  return Object.entries(PACKAGES).every(([name, version]) => {
    const manifest = join(modules, name, 'package.json');
    if (!existsSync(manifest)) return false;
    return (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version === version;
  });
}

function npmInstall(folder: string): Promise<string | null> {
  const options = ['--omit=dev', '--omit=optional', '--ignore-scripts', '--no-audit', '--no-fund'];
  return new Promise(done => {
    const npm = spawn('npm', ['install', ...options], {
      cwd: folder,
      env: { ...process.env, PATH: `${dirname(process.execPath)}${delimiter}${process.env['PATH'] ?? ''}` },
      stdio: ['ignore', 'ignore', 'pipe'],
      timeout: INSTALL_LIMIT,
    });
    let said = '';
    npm.stderr.on('data', (bytes: Buffer) => {
      said = (said + bytes.toString()).slice(-500);
    });
    npm.on('error', error => done(`npm: ${error.message}`));
    npm.on('close', code => done(code === 0 ? null : `npm install failed: ${said}`));
  });
}
