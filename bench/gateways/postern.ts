import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, startProgram, waitForGreeting } from '../processes.ts';
import { DNS_LISTS, REFUSED } from './gateway.ts';
import type { GatewayKind, Surroundings } from './gateway.ts';
import { PROXY } from './proxy.ts';

const POSTERN = join(import.meta.dirname, '..', '..', 'bin', 'postern');

/** Postern, one worker, its log on: without checks, or with all of them and something for each to look up. */
export function postern(checks: boolean): GatewayKind {
  return {
    key: checks ? 'postern-checks' : 'postern',
    name: checks ? 'Postern with checks' : 'Postern',
    proxied: checks,
    unavailable: () => Promise.resolve(existsSync(POSTERN) ? null : 'bin/postern is missing'),
    start: async surroundings => {
      const port = await freePort();
      const control = join(surroundings.folder, 'control');
      writeControl(control, { ...common(port, surroundings), ...(checks ? CHECKS : { checks: 'none' }) });
      const state = join(surroundings.folder, 'state');
      const log = join(surroundings.folder, 'postern.log');
      const program = await startProgram(POSTERN, ['serve', '--control', control, '--state', state], log);
      await waitForGreeting(program, port, '220', checks ? PROXY : '');
      return { port, program };
    },
  };
}

/** Limits that one busy test client would run into are lifted; they cost the same whatever their value. */
function common(port: number, { sinkPort, dnsPort }: Surroundings): Record<string, string> {
  return {
    me: 'bench.example',
    listen: `127.0.0.1:${port}`,
    workers: '1',
    rcpthosts: 'sink.example',
    smtproutes: `:[127.0.0.1]:${sinkPort}`,
    dnsservers: `127.0.0.1:${dnsPort}`,
    maxmessages: '0',
    concurrencyperclient: '1000',
  };
}

/** A few entries for every check that has a list. */
const CHECKS: Readonly<Record<string, string>> = {
  proxyfrom: '127.0.0.1',
  rbl: DNS_LISTS.map(list => `-r ${list}`).join('\n'),
  badmailfrom: REFUSED.senders.join('\n'),
  badmailto: REFUSED.recipients.map(address => `^${address.replaceAll('.', '\\.')}$`).join('\n'),
  badhelo: REFUSED.names.map(name => `^${name.replaceAll('.', '\\.')}$`).join('\n'),
};

function writeControl(folder: string, files: Readonly<Record<string, string>>): void {
  mkdirSync(folder, { recursive: true });
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), `${text}\n`);
}
