import { chmod, chown, mkdir, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { join } from 'node:path';
import type { ScannerAddress } from '../../src/model/scanner-address.ts';
import { freePort, run, start, temporaryFolder } from './processes.ts';
import type { Finished, Program } from './processes.ts';

export interface SpamdSetup {
  /** Where it listens; a TCP port without it. */
  readonly kind?: ScannerAddress['kind'];
  /** This very place, where another one was before. */
  readonly address?: ScannerAddress;
  /** Without --allow-tell. */
  readonly noTell?: boolean;
  /** User name (letters, digits, `@._-`) to user_prefs, e.g. `required_score 2`. */
  readonly users?: Readonly<Record<string, string>>;
  /** Lines of site configuration. */
  readonly config?: readonly string[];
}

/** A running spamd (SpamAssassin 4.0.1 of Debian) without network tests, with a Bayes data base of its own. */
export interface Spamd extends AsyncDisposable {
  readonly program: Program;
  readonly address: ScannerAddress;
  /** Runs spamc(1) against it, without its "safe fallback". */
  spamc(args: readonly string[], message: Buffer): Promise<Finished>;
}

/** Those of Debian's *.pre files that need neither network nor other programs. */
const PLUGINS =
  'AutoLearnThreshold WelcomeListSubject MIMEHeader ReplaceTags Check HTTPSMismatch URIDetail Bayes BodyEval DNSEval ' +
  'HTMLEval HeaderEval MIMEEval RelayEval URIEval WLBLEval VBounce ImageInfo FreeMail';

/** What it says to a ping comes at once, or the daemon is not up yet. Milliseconds. */
const PING_MS = 500;
/** Between asking for a free port and taking it somebody else may: another port is tried then. */
const PORT_TRIES = 3;

/** Starts spamd; resolves when it answers a ping. It learns from the first message on. */
export async function startSpamd(setup: SpamdSetup = {}): Promise<Spamd> {
  const folder = await temporaryFolder();
  const site = join(folder.path, 'site');
  const users = join(folder.path, 'users');
  const bayes = join(folder.path, 'bayes');
  for (const path of [site, users, bayes]) await mkdir(path);
  await writeFile(
    join(site, 'init.pre'),
    PLUGINS.split(' ').map(name => `loadplugin Mail::SpamAssassin::Plugin::${name}\n`),
  );
  const config = [
    'use_bayes 1',
    `bayes_path ${bayes}/bayes`,
    'bayes_min_spam_num 1',
    'bayes_min_ham_num 1',
    'bayes_auto_learn 0',
    'report_safe 0',
    ...(setup.config ?? []),
  ];
  await writeFile(
    join(site, 'local.cf'),
    config.map(line => `${line}\n`),
  );
  for (const [user, prefs] of Object.entries(setup.users ?? {})) {
    await mkdir(join(users, user));
    await writeFile(join(users, user, 'user_prefs'), `${prefs}\n`);
  }
  const asRoot = process.getuid?.() === 0;
  await chmod(folder.path, asRoot ? 0o777 : 0o700);
  // spamd refuses to scan as root, and what it becomes has to write there.
  if (asRoot) await chown(bayes, 65_534, 65_534);
  const options = [
    '--local',
    '--nouser-config',
    `--virtual-config-dir=${users}/%u`,
    '--syslog=stderr',
    `--siteconfigpath=${site}`,
    '--max-children=2',
    '--min-children=1',
    '--max-spare=1',
    ...(asRoot ? ['--username=nobody'] : []),
    ...(setup.noTell === true ? [] : ['--allow-tell']),
  ];
  for (let attempt = 1; ; attempt++) {
    const address = setup.address ?? (await somewhere(setup.kind ?? 'tcp', folder.path));
    const listen =
      address.kind === 'unix'
        ? [`--socketpath=${address.path}`, '--socketmode=0666']
        : [`--listen=${address.host}:${address.port}`];
    const program = await start('spamd', [...options, ...listen], { cwd: folder.path });
    try {
      await program.until('an answer to a ping', () => answersPing(address));
    } catch (error) {
      await program.stop();
      if (attempt < PORT_TRIES) continue;
      await folder[Symbol.asyncDispose]();
      throw error;
    }
    const place =
      address.kind === 'unix' ? ['-U', address.path] : ['-d', address.host, '-p', `${address.port}`];
    return {
      program,
      address,
      spamc: (args, message) => run('spamc', [...place, '-x', ...args], { input: message }),
      [Symbol.asyncDispose]: async () => {
        // A test may have left it stopped.
        program.signal('SIGCONT');
        await program.stop();
        await folder[Symbol.asyncDispose]();
      },
    };
  }
}

/** What a daemon answers to `request` in one exchange: all bytes up to the end of the connection. */
export function askDaemon(address: ScannerAddress, request: string, milliseconds: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const heard: Buffer[] = [];
    const socket = net.connect(
      address.kind === 'unix' ? { path: address.path } : { host: address.host, port: address.port },
    );
    socket.setTimeout(milliseconds, () => socket.destroy(new Error('no answer')));
    socket.on('data', bytes => heard.push(bytes));
    socket.on('error', reject);
    socket.on('close', () => resolve(Buffer.concat(heard)));
    socket.end(request, 'latin1');
  });
}

async function somewhere(kind: ScannerAddress['kind'], folder: string): Promise<ScannerAddress> {
  if (kind === 'unix') return { kind, path: join(folder, 'spamd.sock') };
  return { kind, host: '127.0.0.1', port: await freePort() };
}

async function answersPing(address: ScannerAddress): Promise<boolean> {
  try {
    return (await askDaemon(address, 'PING SPAMC/1.5\r\n\r\n', PING_MS)).includes('PONG');
  } catch {
    return false;
  }
}
