import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { HOME } from '../places.ts';
import { CLIENTS } from './letters.ts';

/** The gateway of the demonstration: the real program, with the shipped rules and a few files on top of them. */
export interface DemoGateway extends AsyncDisposable {
  /** Where it listens on 127.0.0.1. */
  readonly port: number;
}

/** What the control directory depends on. */
export interface DemoSite {
  /** `127.0.0.1:PORT` of the DNS server. */
  readonly dns: string;
  /** Settings by name, such as `clamd`. */
  readonly scanners: Readonly<Record<string, string>>;
}

/** The DNS list that the gateway asks. */
export const DNS_LIST = 'bl.demo.example';

/** It takes longer only when something is wrong; milliseconds. */
const START_MS = 30_000;
/** What is kept of its log, for when it does not start. */
const LOG_BYTES = 4000;

/** A rule of quarantine-events: advertisements are marked by law in Korea. */
const KOREAN_RULE = '.*\\(\\s*광\\s*고\\s*\\).*\tPolicy-Subject:\tAdvertisements are looked at first\n';

/** Writes the control directory. A file takes the place of the shipped one, or goes on top of it. */
export async function writeControl(folder: string, { dns, scanners }: DemoSite): Promise<void> {
  const files: Readonly<Record<string, string>> = {
    me: 'mx.example.com\n',
    listen: '127.0.0.1:0\n',
    workers: '1\n',
    rcpthosts: 'example.com\n',
    smtproutes: ':Maildir maildir\n',
    proxyfrom: '127.0.0.1\n',
    dnsservers: `${dns}\n`,
    iplist: `${CLIENTS.listed} :127.0.0.2:$ has sent us spam before\n`,
    rbl: `-b -r ${DNS_LIST}\n`,
    actions: 'QS_POLICY:quarantine\n',
    'quarantine-events.txt': (await readFile(join(HOME, 'quarantine-events.txt'), 'utf8')) + KOREAN_RULE,
    virusname: '1\n',
    scannertest: '0\n',
    draintime: '1\n',
    clamtime: '20\n',
    spamtime: '20\n',
    ...scanners,
  };
  await mkdir(folder, { recursive: true });
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
}

/** Starts it; resolves when it listens. Rejects with its own words when it does not start. */
export async function startDemoGateway(control: string, state: string): Promise<DemoGateway> {
  const main = join(HOME, 'src/cli/main.ts');
  const child = spawn(process.execPath, [main, 'serve', '--control', control, '--state', state], {
    stdio: ['ignore', 'pipe', 'pipe'],
    // Ctrl-C is for us: it is drained in its own time.
    detached: true,
  });
  const ended = once(child, 'close');
  let log = '';
  child.stderr.on('data', (piece: Buffer) => {
    log = (log + piece.toString()).slice(-LOG_BYTES);
  });
  const stop = async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
    await ended;
  };
  const timer = setTimeout(() => child.kill('SIGKILL'), START_MS);
  try {
    for await (const line of createInterface({ input: child.stdout })) {
      const port = /listening for SMTP on 127\.0\.0\.1:(\d+)/.exec(line)?.[1];
      if (port === undefined) continue;
      child.stdout.resume();
      return { port: Number(port), [Symbol.asyncDispose]: stop };
    }
  } finally {
    clearTimeout(timer);
  }
  await stop();
  throw new Error(`the gateway did not start:\n${log.trimEnd()}`);
}
