import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ScannerAddress } from '../../src/model/scanner-address.ts';
import { freePort, start, temporaryFolder } from './processes.ts';
import type { Program } from './processes.ts';
import { askDaemon } from './spamd.ts';

/** A running rspamd (3.4 of Debian) with the shipped rules that need no network. */
export interface Rspamd extends AsyncDisposable {
  readonly program: Program;
  /** The worker that scores. */
  readonly address: ScannerAddress;
  /** The controller, which learns. */
  readonly controller: ScannerAddress;
  /** What the controller wants for learning. */
  readonly password: string;
  /** Process ids of its workers: the main process only watches them. */
  workers(): Promise<readonly number[]>;
}

const PASSWORD = 'open sesame';
/** What it says to a ping comes at once, or the daemon is not up yet. Milliseconds. */
const PING_MS = 500;
/** Between asking for a free port and taking it somebody else may: other ports are tried then. */
const TRIES = 3;

/**
 * Starts rspamd; resolves when its workers answer. `learning`: with a data base, which the controller has for itself and
 * scores with, too; of two workers that open it at start, one may find it locked and learn nothing for good.
 */
export async function startRspamd(learning = false): Promise<Rspamd> {
  const folder = await temporaryFolder();
  for (let attempt = 1; ; attempt++) {
    const controller = { kind: 'tcp', host: '127.0.0.1', port: await freePort() } as const;
    const address = learning ? controller : ({ ...controller, port: await freePort() } as const);
    const ports = { normal: learning ? null : address.port, controller: controller.port };
    const config = await writeConfig(join(folder.path, `${attempt}`), ports);
    // -i: the test may be run by root.
    const program = await start('rspamd', ['-f', '-i', '-c', config]);
    try {
      await program.until(
        'answers to pings',
        async () => (await pongs(address)) && (await pongs(controller)),
      );
    } catch (error) {
      await program.stop();
      if (attempt < TRIES) continue;
      await folder[Symbol.asyncDispose]();
      throw error;
    }
    return {
      program,
      address,
      controller,
      password: PASSWORD,
      workers: async () => {
        const { pid } = program;
        const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'latin1');
        return children.trim().split(/\s+/).map(Number);
      },
      [Symbol.asyncDispose]: async () => {
        await program.stop();
        await folder[Symbol.asyncDispose]();
      },
    };
  }
}

/**
 * Only what is configured is active: no module that asks a DNS server, a data base or the web, nor chartable, which asks
 * the dice (it looks at words picked at random). Returns the file's path.
 */
async function writeConfig(
  folder: string,
  ports: { readonly normal: number | null; readonly controller: number },
): Promise<string> {
  await mkdir(folder);
  // The shipped list of 9,600 suffixes takes ten seconds to compile.
  await writeFile(join(folder, 'suffixes'), 'com\nnet\norg\ntest\n');
  const config = `
options {
  filters = "regexp";
  explicit_modules = ["settings"];
  pidfile = "${folder}/pid";
  cache_file = "${folder}/symbols.cache";
  hs_cache_dir = "${folder}/";
  history_file = "${folder}/history";
  control_socket = "${folder}/control mode=0600";
  tempdir = "${folder}";
  url_tld = "${folder}/suffixes";
  allow_raw_input = true;
  dns { nameserver = ["127.0.0.1:9"]; timeout = 0.1s; retransmits = 1; }
}
logging { type = "console"; level = "warning"; }
lua = "/usr/share/rspamd/rules/rspamd.lua";
metric { name = "default"; }
actions { reject = 15; add_header = 6; greylist = 4; }
.include "/etc/rspamd/groups.conf"
modules { path = "/usr/share/rspamd/plugins/"; }
settings {
  unwanted { priority = high; rcpt = "unscanned@example.com"; want_spam = yes; }
}
${ports.normal === null ? bayes(folder) : `worker "normal" { bind_socket = "127.0.0.1:${ports.normal}"; count = 1; }`}
worker "controller" {
  bind_socket = "127.0.0.1:${ports.controller}";
  count = 1;
  password = "${PASSWORD}";
  enable_password = "${PASSWORD}";
}
`;
  const path = join(folder, 'rspamd.conf');
  await writeFile(path, config);
  return path;
}

const bayes = (folder: string) => `
classifier "bayes" {
  tokenizer { name = "osb"; }
  backend = "sqlite3";
  cache { type = "sqlite3"; path = "${folder}/learned.sqlite"; }
  min_tokens = 1;
  min_learns = 1;
  languages_enabled = false;
  statfile { symbol = "BAYES_HAM"; path = "${folder}/ham.sqlite"; spam = false; }
  statfile { symbol = "BAYES_SPAM"; path = "${folder}/spam.sqlite"; spam = true; }
}
`;

async function pongs(address: ScannerAddress): Promise<boolean> {
  try {
    return (await askDaemon(address, 'GET /ping HTTP/1.0\r\n\r\n', PING_MS)).includes('pong');
  } catch {
    return false;
  }
}
