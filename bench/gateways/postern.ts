import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PLUGINS } from '../../src/plugins/list.ts';
import { freePort, startProgram, waitForGreeting } from '../processes.ts';
import {
  DNS_LISTS,
  DUTIES,
  NOBODY_STANDS_BEHIND,
  REFUSED,
  REFUSED_EXTENSIONS,
  REFUSED_SCORE,
} from './gateway.ts';
import type { Duty, GatewayKind, Peers, Surroundings } from './gateway.ts';
import { PROXY } from './proxy.ts';

const POSTERN = join(import.meta.dirname, '..', '..', 'bin', 'postern');

/**
 * Postern, one worker, its log on: without checks; with those of client and envelope, and something for each to look up;
 * with every content rule there is, the shipped quarantine-events.txt included; with SPF, DKIM, ARC and DMARC as shipped; or
 * asking clamd and spamd.
 */
export function postern(duty: Duty): GatewayKind {
  const { key, name, proxied, refuses } = DUTIES[duty];
  return {
    key: `postern${key}`,
    name: `Postern${name}`,
    duty,
    proxied,
    refuses: duty === 'auth' ? [...refuses, NOBODY_STANDS_BEHIND] : refuses,
    unavailable: () => Promise.resolve(existsSync(POSTERN) ? null : 'bin/postern is missing'),
    start: async surroundings => {
      const port = await freePort();
      const control = join(surroundings.folder, 'control');
      writeControl(control, { ...common(port, surroundings), ...FILES[duty](surroundings) });
      const state = join(surroundings.folder, 'state');
      const log = join(surroundings.folder, 'postern.log');
      const program = await startProgram(POSTERN, ['serve', '--control', control, '--state', state], log);
      await waitForGreeting(program, port, '220', proxied ? PROXY : '');
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

/** Checks of client and envelope, and of the header as far as the gateway beside it looks at it. */
const ENVELOPE_CHECKS: readonly string[] = [
  'earlytalker',
  'iplist',
  'rbl',
  'badhelo',
  'badmailfrom',
  'rcpthosts',
  'badmailto',
  'maxrcpt',
  'tarpit',
  'nullsender',
  'hops',
  'headers',
];

/** A few entries for every check that has a list. */
const CHECKS: Readonly<Record<string, string>> = {
  checks: ENVELOPE_CHECKS.join('\n'),
  proxyfrom: '127.0.0.1',
  rbl: DNS_LISTS.map(list => `-r ${list}`).join('\n'),
  badmailfrom: REFUSED.senders.join('\n'),
  badmailto: REFUSED.recipients.map(address => `^${address.replaceAll('.', '\\.')}$`).join('\n'),
  badhelo: REFUSED.names.map(name => `^${name.replaceAll('.', '\\.')}$`).join('\n'),
};

const ENDS = REFUSED_EXTENSIONS.map(extension => `.${extension}`);

/** Every check that reads the message and asks nobody else about it, as they are added to the list. */
export const CONTENT: Readonly<Record<string, string>> = {
  checks: PLUGINS.filter(plugin => 'message' in plugin && plugin.tier === 'local')
    .map(plugin => plugin.name)
    .join('\n'),
  ssattach: ENDS.join('\n'),
  // What a recipient has is the list that counts; the same again, so that both gateways look for the same.
  simcontrol: `:clam=no,spam=no,attach=${ENDS.join(':')},regex=lottery-[0-9]+:you.*have.*won`,
};

/** What refuses mail is as shipped: SPF fail, and a DMARC policy to reject. */
const AUTH: Readonly<Record<string, string>> = {
  checks: ['spf', 'dkim', 'arc', 'dmarc'].join('\n'),
  proxyfrom: '127.0.0.1',
};

function scan({ clamd, spamd }: Peers): Record<string, string> {
  return { checks: ['clam', 'spam'].join('\n'), clamd, spamd, spam_hits: `${REFUSED_SCORE}` };
}

const FILES: Readonly<Record<Duty, (peers: Peers) => Readonly<Record<string, string>>>> = {
  relay: () => ({ checks: 'none' }),
  checks: () => CHECKS,
  content: () => CONTENT,
  auth: () => AUTH,
  scan,
};

/** Writes control files into `folder`, each with a final line end. */
export function writeControl(folder: string, files: Readonly<Record<string, string>>): void {
  mkdirSync(folder, { recursive: true });
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), `${text}\n`);
}
