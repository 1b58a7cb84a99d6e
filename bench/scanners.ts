import { chmodSync, existsSync, mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eicar } from '../src/cli/telling-messages.ts';
import { startProgram, temporaryFolder, waitForGreeting } from './processes.ts';

const CLAMD = '/usr/sbin/clamd';
const SPAMD = '/usr/sbin/spamd';

/** Who answers the gateways: `bench/scanner-stubs.ts`, or the clamd and spamd that are installed. */
export type ScannerSet = 'stubs' | 'real';

/** The virus scanner and the scoring engine of all gateways. */
export interface Scanners {
  /** Unix sockets, the same whoever listens, so that one gateway can be measured with both. */
  readonly clamd: string;
  readonly spamd: string;
  /** Puts a set behind the two sockets for connections from now on; the real ones are started when they are first asked for. */
  use(set: ScannerSet): Promise<void>;
}

/** Why there are no real scanners here, or null. */
export function missingScanners(): string | null {
  const missing = [CLAMD, SPAMD].filter(program => !existsSync(program));
  return missing.length === 0
    ? null
    : `${missing.join(' and ')} missing (Debian: clamav-daemon, spamd with spamassassin)`;
}

/** Starts the stubs and puts them behind the sockets. */
export async function startScanners(): Promise<Scanners> {
  const folder = temporaryFolder('scanners');
  // spamd gives root up, and has to reach its configuration then.
  chmodSync(folder, 0o755);
  const sockets = { clamd: join(folder, 'clamd'), spamd: join(folder, 'spamd') };
  const started = new Map<ScannerSet, Promise<Sockets>>();
  const use = async (set: ScannerSet): Promise<void> => {
    let running = started.get(set);
    if (!running) started.set(set, (running = START[set](folder)));
    const targets = await running;
    for (const name of ['clamd', 'spamd'] as const) pointAt(sockets[name], targets[name]);
  };
  await use('stubs');
  return { ...sockets, use };
}

type Sockets = Readonly<Record<'clamd' | 'spamd', string>>;

const START: Readonly<Record<ScannerSet, (folder: string) => Promise<Sockets>>> = {
  stubs: startStubs,
  real: async folder => ({ clamd: await startClamd(folder), spamd: await startSpamd(folder) }),
};

/** In one step: nobody finds nothing there. */
function pointAt(link: string, target: string): void {
  symlinkSync(target, `${link}.new`);
  renameSync(`${link}.new`, link);
}

async function startStubs(folder: string): Promise<Sockets> {
  const sockets = { clamd: join(folder, 'clamd-stub'), spamd: join(folder, 'spamd-stub') };
  const script = join(import.meta.dirname, 'scanner-stubs.ts');
  const program = await startProgram(
    process.execPath,
    [script, sockets.clamd, sockets.spamd],
    join(folder, 'stubs.log'),
  );
  await waitForGreeting(program, sockets.clamd, 'PONG', CLAMD_PING);
  await waitForGreeting(program, sockets.spamd, 'SPAMD/', SPAMD_PING);
  return sockets;
}

const CLAMD_PING = 'zPING\0';
const SPAMD_PING = 'PING SPAMC/1.5\r\n\r\n';

/** clamd with a data base of one signature, EICAR's. */
async function startClamd(parent: string): Promise<string> {
  const folder = ownFolder(parent, 'real-clamd');
  const socket = join(folder, 'clamd.sock');
  writeFileSync(
    join(folder, 'eicar.ndb'),
    `Eicar-Test:0:*:${Buffer.from(eicar(), 'latin1').subarray(0, 40).toString('hex')}\n`,
  );
  const settings = [
    'Foreground yes',
    `DatabaseDirectory ${folder}`,
    `TemporaryDirectory ${folder}`,
    `LocalSocket ${socket}`,
    ...(process.getuid?.() === 0 ? ['User root'] : []),
  ];
  const configuration = join(folder, 'clamd.conf');
  writeFileSync(configuration, `${settings.join('\n')}\n`);
  const program = await startProgram(CLAMD, ['--config-file', configuration], join(folder, 'log'));
  await waitForGreeting(program, socket, 'PONG', CLAMD_PING);
  return socket;
}

/** Those of Debian's *.pre files that need neither network nor other programs; without Bayes, which would have to learn first. */
const PLUGINS =
  'AutoLearnThreshold WelcomeListSubject MIMEHeader ReplaceTags Check HTTPSMismatch URIDetail BodyEval DNSEval ' +
  'HTMLEval HeaderEval MIMEEval RelayEval URIEval WLBLEval VBounce ImageInfo FreeMail';

/** As many as spamd has as it comes, but all of them from the start. */
const CHILDREN = 5;

/** spamd without network tests, with the rules that are installed. */
async function startSpamd(parent: string): Promise<string> {
  const folder = ownFolder(parent, 'real-spamd');
  const socket = join(folder, 'spamd.sock');
  const plugins = PLUGINS.split(' ').map(name => `loadplugin Mail::SpamAssassin::Plugin::${name}\n`);
  writeFileSync(join(folder, 'init.pre'), plugins.join(''));
  writeFileSync(join(folder, 'local.cf'), 'use_bayes 0\nreport_safe 0\n');
  const options = [
    '--local',
    '--nouser-config',
    '--syslog=stderr',
    `--siteconfigpath=${folder}`,
    `--min-children=${CHILDREN}`,
    `--max-children=${CHILDREN}`,
    `--max-spare=${CHILDREN}`,
    `--socketpath=${socket}`,
    '--socketmode=0666',
    // It refuses to scan as root.
    ...(process.getuid?.() === 0 ? ['--username=nobody'] : []),
  ];
  const program = await startProgram(SPAMD, options, join(folder, 'log'), { directory: folder });
  await waitForGreeting(program, socket, 'SPAMD/', SPAMD_PING);
  return socket;
}

function ownFolder(parent: string, name: string): string {
  const folder = join(parent, name);
  mkdirSync(folder);
  chmodSync(folder, 0o755);
  return folder;
}
