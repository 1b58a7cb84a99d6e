import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, startProgram, waitForGreeting } from '../processes.ts';
import { DNS_LISTS, DUTIES, REFUSED, REFUSED_EXTENSIONS, REFUSED_SCORE } from './gateway.ts';
import type { Duty, GatewayKind, Peers, Surroundings } from './gateway.ts';
import { harakaFolder, installHaraka } from './haraka-install.ts';
import { PROXY } from './proxy.ts';

/**
 * Haraka as it comes, forwarding with smtp_forward: the one process that is its default, the same Node as Postern, log
 * level NOTICE (a line or two a message, as Postern writes). With checks, the plugins access, dns-list and headers as
 * they come, with the same lists and entries that Postern gets. With content rules, the plugins attachment and headers as
 * they come, with the same extensions. With sender authentication, the plugins spf and dkim as they come, apart from
 * refusing what SPF fails, as Postern does. With scanners, the plugins clamd and spamassassin, with the same addresses and
 * the same score that is refused.
 */
export function haraka(duty: Duty): GatewayKind {
  const { key, name, proxied, refuses } = DUTIES[duty];
  return {
    key: `haraka${key}`,
    name: `Haraka${name}`,
    duty,
    proxied,
    refuses,
    unavailable: installHaraka,
    start: async surroundings => {
      const { folder } = surroundings;
      const port = await freePort();
      writeConfig(join(folder, 'config'), {
        ...common(port, surroundings, proxied),
        ...FILES[duty](surroundings),
      });
      const dns = join(folder, 'dns-servers.cjs');
      writeFileSync(dns, askOnly(`127.0.0.1:${surroundings.dnsPort}`));
      const script = join(harakaFolder(), 'node_modules', 'Haraka', 'bin', 'haraka');
      const program = await startProgram(
        process.execPath,
        ['--require', dns, script, '-c', folder],
        join(folder, 'haraka.log'),
        { directory: folder },
      );
      await waitForGreeting(program, port, '220', proxied ? PROXY : '');
      return { port, program };
    },
  };
}

const RELAY_ONLY = ['rcpt_to.in_host_list', 'queue/smtp_forward'];

/** Haraka's own defaults, apart from addresses, the log and the size limit, which Postern has at 50 MiB. */
function common(port: number, { sinkPort }: Surroundings, proxied: boolean): Record<string, string> {
  return {
    me: 'bench.example',
    host_list: 'sink.example',
    plugins: RELAY_ONLY.join('\n'),
    'smtp.ini': `listen=127.0.0.1:${port}`,
    'smtp_forward.ini': `host=127.0.0.1\nport=${sinkPort}`,
    'log.ini': shipped('log.ini', [['level=info', 'level=notice']]),
    'connection.ini': shipped('connection.ini', [
      ['\nbytes=26214400', `\nbytes=${50 * 1024 * 1024}`],
      ...(proxied ? [['\nhosts[] =\n', '\nhosts[] = 127.0.0.1\n'] as const] : []),
    ]),
  };
}

const CHECKS: Readonly<Record<string, string>> = {
  plugins: ['access', 'dns-list', RELAY_ONLY[0], 'headers', RELAY_ONLY[1]].join('\n'),
  // Without the periodic test of the lists, which an empty DNS server fails.
  'dns-list.ini': [
    '[main]',
    'periodic_checks=0',
    ...DNS_LISTS.map(list => `zones[]=${list}`),
    'search=all',
  ].join('\n'),
  'access.domains': REFUSED.names.join('\n'),
  'mail_from.access.blacklist': REFUSED.senders.filter(sender => !sender.startsWith('@')).join('\n'),
  'mail_from.access.blacklist_regex': '.*@refused-domain\\.example',
  'rcpt_to.access.blacklist': REFUSED.recipients.join('\n'),
};

/** In each of the places that Haraka has for them: names of attachments, of files in archives, and both at once. */
const EXPRESSION = `\\.(?:${REFUSED_EXTENSIONS.join('|')})$`;

const CONTENT: Readonly<Record<string, string>> = {
  plugins: [RELAY_ONLY[0], 'attachment', 'headers', RELAY_ONLY[1]].join('\n'),
  // Haraka's own list refuses every zip file.
  'attachment.ini': `disallowed_extensions=${REFUSED_EXTENSIONS.join(',')}`,
  'attachment.filename.regex': EXPRESSION,
  'attachment.archive.filename.regex': EXPRESSION,
};

const AUTH: Readonly<Record<string, string>> = {
  plugins: ['spf', RELAY_ONLY[0], 'dkim', RELAY_ONLY[1]].join('\n'),
  'spf.ini': '[deny]\nmfrom_fail=true',
};

function scan({ clamd, spamd }: Peers): Record<string, string> {
  return {
    plugins: [RELAY_ONLY[0], 'clamd', 'spamassassin', RELAY_ONLY[1]].join('\n'),
    'clamd.ini': `clamd_socket=${clamd}`,
    'spamassassin.ini': `spamd_socket=${spamd}\nreject_threshold=${REFUSED_SCORE}`,
  };
}

/** Where the attachment plugin looks for the program that it reads archives with; without it, it passes them unread. */
const BSDTAR_FOLDERS = ['/bin', '/usr/bin', '/usr/local/bin'];

/** Whether Haraka looks into archives on this machine. */
export function harakaReadsArchives(): boolean {
  return BSDTAR_FOLDERS.some(folder => existsSync(join(folder, 'bsdtar')));
}

const FILES: Readonly<Record<Duty, (peers: Peers) => Readonly<Record<string, string>>>> = {
  relay: () => ({}),
  checks: () => CHECKS,
  content: () => CONTENT,
  auth: () => AUTH,
  scan,
};

/**
 * A module that makes every resolver of the process ask one server: Haraka looks up each client's reverse name and
 * has no setting for the server, and no question may leave this machine.
 */
function askOnly(server: string): string {
  return `'use strict'
const dns = require('node:dns')
const servers = [${JSON.stringify(server)}]
dns.setServers(servers)
dns.promises.setServers(servers)
for (const module of [dns, dns.promises]) {
  const { Resolver } = module
  module.Resolver = class extends Resolver {
    constructor(options) {
      super(options)
      this.setServers(servers)
    }
  }
}
`;
}

/** A file of Haraka's own configuration with some lines changed; a file of ours would replace all its defaults. */
function shipped(file: string, changes: readonly (readonly [from: string, to: string])[]): string {
  let text = readFileSync(join(harakaFolder(), 'node_modules', 'Haraka', 'config', file), 'utf8');
  for (const [from, to] of changes) {
    if (!text.includes(from)) throw new Error(`Haraka's ${file} has no line ${JSON.stringify(from)}`);
    text = text.replace(from, to);
  }
  return text;
}

function writeConfig(folder: string, files: Readonly<Record<string, string>>): void {
  mkdirSync(folder, { recursive: true });
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), `${text}\n`);
}
