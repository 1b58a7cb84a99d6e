import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { ScannerAddress } from '../../model/scanner-address.ts';
import { parseScannerAddress } from '../../model/scanner-address.ts';
import { createClamd } from '../../scanners/clamd.ts';
import { createRspamd } from '../../scanners/rspamd.ts';
import { createSpamd } from '../../scanners/spamd.ts';
import { UsageError } from '../quarantine-filter.ts';

export type ScannerName = 'clamd' | 'spamd' | 'rspamd';

/** Addresses as they were typed, or `none`; without one it is looked for. */
export type ScannerOptions = Partial<Readonly<Record<ScannerName, string>>>;

/** Where Debian's packages have them listen, the usual ports besides. */
const PLACES: Readonly<Record<ScannerName, readonly string[]>> = {
  clamd: ['/run/clamav/clamd.ctl', '127.0.0.1:3310'],
  spamd: ['/run/spamd/spamd.sock', '127.0.0.1:783'],
  rspamd: ['127.0.0.1:11333'],
};

/** Debian's package, and its service. */
const DEBIAN: Readonly<Record<ScannerName, { readonly install: string; readonly service: string }>> = {
  clamd: { install: 'clamav-daemon', service: 'clamav-daemon' },
  spamd: { install: 'spamd', service: 'spamd' },
  rspamd: { install: 'rspamd', service: 'rspamd' },
};

/** Whoever is there answers at once; milliseconds. */
const PING_MS = 2000;

/** A scanner, and where it is; null: nowhere, and `hint` says what can be done about it. */
export interface FoundScanner {
  readonly name: ScannerName;
  readonly address: string | null;
  readonly hint: string;
}

/** Looks for clamd and for one scoring engine, spamd before rspamd. Throws a UsageError for an address that is none. */
export async function findScanners(options: ScannerOptions): Promise<{
  readonly clamd: FoundScanner;
  readonly engine: FoundScanner;
}> {
  const [clamd, spamd, rspamd] = await Promise.all([
    find('clamd', options),
    find('spamd', options),
    find('rspamd', options),
  ]);
  return { clamd, engine: spamd.address === null && rspamd.address !== null ? rspamd : spamd };
}

async function find(name: ScannerName, options: ScannerOptions): Promise<FoundScanner> {
  const typed = options[name];
  if (typed === 'none') return { name, address: null, hint: `--${name} none` };
  for (const address of typed === undefined ? PLACES[name] : [typed]) {
    const parsed = parseScannerAddress(address);
    if ('wanted' in parsed) throw new UsageError(`--${name}: ${parsed.wanted}`);
    if (await answers(name, parsed.value)) return { name, address, hint: '' };
  }
  if (typed !== undefined) return { name, address: null, hint: `nobody answers at ${typed}` };
  const { install, service } = DEBIAN[name];
  return {
    name,
    address: null,
    hint: isInstalled(name)
      ? `it is installed and does not run: systemctl start ${service}`
      : `apt-get install ${install}`,
  };
}

async function answers(name: ScannerName, address: ScannerAddress): Promise<boolean> {
  if (address.kind === 'unix' && !existsSync(address.path)) return false;
  const options = { addresses: [address], timeoutMs: PING_MS };
  if (name === 'clamd') {
    const clamd = createClamd(options);
    const fault = await clamd.ping();
    clamd.close();
    return fault === null;
  }
  const engine = name === 'spamd' ? createSpamd(options) : createRspamd(options);
  const outcome = await engine.ping();
  engine.close();
  return outcome.kind === 'alive';
}

function isInstalled(name: string): boolean {
  const folders = [...(process.env['PATH'] ?? '').split(':'), '/usr/local/sbin', '/usr/sbin'];
  return folders.some(folder => existsSync(join(folder, name)));
}
