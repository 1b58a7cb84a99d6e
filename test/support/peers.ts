import { chmod, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { createSocket } from 'node:dgram';
import { join } from 'node:path';
import { answers, freePort, run, start, temporaryFolder } from './processes.ts';
import type { Finished, Program } from './processes.ts';

/** A mail as Postfix's smtp-sink has captured it (smtp-sink(1), option -d). */
export interface SunkMail {
  /** `ESMTP`, `SMTP` or `LMTP`. */
  readonly protocol: string;
  readonly helo: string;
  /** The arguments of MAIL FROM: address and parameters, as they came. */
  readonly sender: string;
  /** The arguments of each RCPT TO. */
  readonly recipients: readonly string[];
  /**
   * The message, dots unstuffed, with LF line ends. smtp-sink loses every CR and cannot show a missing last line end;
   * all other bytes are as they came.
   */
  readonly message: Buffer;
}

export interface SinkOptions {
  readonly lmtp?: boolean;
  /** Further options, e.g. `['-r', 'RCPT']` to answer every RCPT with 450, `-f` with 500, `-q .` to hang up. */
  readonly args?: readonly string[];
}

/** A running smtp-sink that keeps every mail it has answered with 250. */
export interface Sink extends AsyncDisposable {
  readonly program: Program;
  readonly port: number;
  /** Everything captured so far, in no particular order. */
  mails(): Promise<readonly SunkMail[]>;
  stop(): Promise<void>;
}

/** Starts smtp-sink on a free loopback port; resolves when it answers. */
export async function startSmtpSink(options: SinkOptions = {}): Promise<Sink> {
  const folder = await temporaryFolder();
  const dump = join(folder.path, 'mails');
  await mkdir(dump);
  const asRoot = process.getuid?.() === 0;
  // smtp-sink refuses to stay root, and what it becomes has to write there.
  await chmod(folder.path, 0o755);
  await chmod(dump, 0o777);
  const { program, port } = await startOnPort('smtp-sink', port => [
    ...(asRoot ? ['-u', 'nobody'] : []),
    ...(options.lmtp === true ? ['-L'] : []),
    ...(options.args ?? []),
    '-d',
    join(dump, 'm.'),
    `127.0.0.1:${port}`,
    '100',
  ]);
  const stop = async () => {
    await program.stop();
    await folder[Symbol.asyncDispose]();
  };
  return {
    program,
    port,
    mails: async () => {
      const names = await readdir(dump);
      return Promise.all(names.map(async name => sunkMail(await readFile(join(dump, name)))));
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

/** Takes a capture file of smtp-sink apart: its own X- lines, a Received field of three lines, the message, a newline. */
export function sunkMail(file: Buffer): SunkMail {
  const values: Record<string, string[]> = {};
  let at = 0;
  for (;;) {
    const end = file.indexOf('\n', at);
    const line = file.toString('latin1', at, end);
    const field = /^X-(Client-Addr|Client-Proto|Helo-Args|Mail-Args|Rcpt-Args): (.*)$/s.exec(line);
    if (end < 0 || field === null) break;
    (values[field[1] ?? ''] ??= []).push(field[2] ?? '');
    at = end + 1;
  }
  for (let line = 0; line < 3; line++) at = file.indexOf('\n', at) + 1;
  return {
    protocol: values['Client-Proto']?.[0] ?? '',
    helo: values['Helo-Args']?.[0] ?? '',
    sender: values['Mail-Args']?.[0] ?? '',
    recipients: values['Rcpt-Args'] ?? [],
    message: file.subarray(at, file.length - 1),
  };
}

/** A running rbldnsd on loopback. */
export interface Rbldnsd extends AsyncDisposable {
  readonly program: Program;
  /** `127.0.0.1:PORT`, for a resolver's setServers. */
  readonly server: string;
  readonly port: number;
}

/**
 * Starts rbldnsd for `zones`: zone name to data set, `{ 'bl.test': { type: 'ip4set', data: ':127.0.0.2:Blocked $\n192.0.2.1\n' } }`.
 * Types and data as in rbldnsd(8). Resolves when it answers a query.
 */
export async function startRbldnsd(
  zones: Readonly<Record<string, { readonly type: string; readonly data: string }>>,
): Promise<Rbldnsd> {
  const folder = await temporaryFolder();
  // As root it turns into the user rbldns, who has to read the files.
  await chmod(folder.path, 0o755);
  const sets: string[] = [];
  for (const [index, [name, zone]] of Object.entries(zones).entries()) {
    await writeFile(join(folder.path, `zone${index}`), zone.data, { encoding: 'latin1', mode: 0o644 });
    sets.push(`${name}:${zone.type}:zone${index}`);
  }
  const { program, port } = await startOnPort(
    'rbldnsd',
    port => ['-n', '-c', '0', '-w', folder.path, '-b', `127.0.0.1/${port}`, ...sets],
    answersDns,
  );
  return {
    program,
    port,
    server: `127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => {
      await program.stop();
      await folder[Symbol.asyncDispose]();
    },
  };
}

/** Sends one mail with swaks to a loopback port; stdout is the transcript, and the exit code swaks(1)'s (24: RCPT refused, 0: sent). */
export function swaks(port: number, args: readonly string[]): Promise<Finished> {
  return run('swaks', ['--server', `127.0.0.1:${port}`, '--timeout', '20', ...args]);
}

/** Sends mails with Postfix's smtp-source (smtp-source(1)) to a loopback port, e.g. `['-c', '-m', '100', '-s', '5']`. */
export function smtpSource(port: number, args: readonly string[]): Promise<Finished> {
  return run('smtp-source', [...args, `127.0.0.1:${port}`]);
}

/** Between asking for a free port and taking it somebody else may: another port is tried then. */
const PORT_TRIES = 3;

async function startOnPort(
  command: string,
  args: (port: number) => readonly string[],
  ready: (port: number) => Promise<boolean> = answers,
): Promise<{ readonly program: Program; readonly port: number }> {
  for (let attempt = 1; ; attempt++) {
    const port = await freePort();
    const program = await start(command, args(port));
    try {
      await program.until(`an answer on port ${port}`, () => ready(port));
      return { program, port };
    } catch (error) {
      await program.stop();
      if (attempt === PORT_TRIES) throw error;
    }
  }
}

/** A DNS query for the root's NS, type and class as in RFC 1035 4.1; any answer, a refusal too, shows a live server. */
const DNS_QUERY = Buffer.from([0x50, 0x54, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1]);

/** Milliseconds to wait for one datagram on loopback. */
const DNS_WAIT = 100;

function answersDns(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = createSocket('udp4');
    const done = (yes: boolean) => {
      clearTimeout(timer);
      socket.close();
      resolve(yes);
    };
    const timer = setTimeout(done, DNS_WAIT, false);
    socket.once('message', () => done(true));
    // Nobody there: the system says so on a connected socket, and the time-out covers the rest.
    socket.once('error', () => done(false));
    socket.connect(port, '127.0.0.1', () => socket.send(DNS_QUERY));
  });
}
