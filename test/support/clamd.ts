import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import net from 'node:net';
import type { ScannerAddress } from '../../src/model/scanner-address.ts';
import type { Program } from './processes.ts';
import { freePort, start, temporaryFolder } from './processes.ts';

/** The EICAR test file: every virus scanner finds it, so it is put together only in memory. */
export const EICAR = Buffer.from(
  ['X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR', '-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*'].join(''),
  'latin1',
);

/** The name under which the clamd of `startClamd` finds it. */
export const EICAR_NAME = 'Eicar-Test.UNOFFICIAL';

export interface ClamdWishes {
  readonly kind?: ScannerAddress['kind'];
  /** Further lines of clamd.conf(5), `['StreamMaxLength 1M']`. */
  readonly settings?: readonly string[];
  /** Further files of the data base by name, e.g. `{ 'more.hdb': 'MD5:SIZE:Name\n' }`. */
  readonly signatures?: Readonly<Record<string, string | Buffer>>;
}

export interface Clamd extends AsyncDisposable {
  /** The one that runs now. */
  readonly program: Program;
  readonly address: ScannerAddress;
  /** Its configuration file, for clamdscan. */
  readonly configuration: string;
  /** Ends it with SIGKILL and starts it again at the same address; resolves when it answers. */
  restart(): Promise<void>;
  /** Ends it for good. */
  stop(): Promise<void>;
}

/**
 * Starts Debian's clamd with a configuration and a data base of its own, which knows EICAR, as the signature of its first
 * half, and what `signatures` adds. Resolves when it answers a PING.
 */
export async function startClamd(wishes: ClamdWishes = {}): Promise<Clamd> {
  const folder = await temporaryFolder();
  const asRoot = process.getuid?.() === 0;
  // clamd as root wants nothing else, but clamdscan passes descriptors of files that only root may read.
  await chmod(folder.path, 0o755);
  const address: ScannerAddress =
    wishes.kind === 'tcp'
      ? { kind: 'tcp', host: '127.0.0.1', port: await freePort() }
      : { kind: 'unix', path: join(folder.path, 'clamd.sock') };
  const files: Record<string, string | Buffer> = {
    'eicar.ndb': `Eicar-Test:0:*:${EICAR.subarray(0, 40).toString('hex')}\n`,
    ...wishes.signatures,
  };
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder.path, name), content);
  const configuration = join(folder.path, 'clamd.conf');
  const settings = [
    'Foreground yes',
    `DatabaseDirectory ${folder.path}`,
    `TemporaryDirectory ${folder.path}`,
    ...(address.kind === 'unix'
      ? [`LocalSocket ${address.path}`]
      : [`TCPSocket ${address.port}`, `TCPAddr ${address.host}`]),
    ...(asRoot ? ['User root'] : []),
    ...(wishes.settings ?? []),
  ];
  await writeFile(configuration, `${settings.join('\n')}\n`);
  const launch = async (): Promise<Program> => {
    const program = await start('clamd', ['--config-file', configuration]);
    await program.until('an answer to PING', () => pongs(address));
    return program;
  };
  let program = await launch();
  const stop = async (): Promise<void> => {
    program.signal('SIGKILL');
    await program.ended;
  };
  return {
    get program() {
      return program;
    },
    address,
    configuration,
    restart: async () => {
      await stop();
      program = await launch();
    },
    stop,
    [Symbol.asyncDispose]: async () => {
      await stop();
      await folder[Symbol.asyncDispose]();
    },
  };
}

function pongs(address: ScannerAddress): Promise<boolean> {
  return new Promise(resolve => {
    const socket = net.connect(
      address.kind === 'unix' ? { path: address.path } : { host: address.host, port: address.port },
    );
    let said = '';
    socket.on('data', bytes => (said += bytes.toString('latin1')));
    socket.on('error', () => resolve(false));
    socket.on('close', () => resolve(said === 'PONG\0'));
    socket.write('zPING\0');
  });
}
