import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { VerdictRecord } from '../../src/model/record.ts';
import { explain } from '../../src/cli/explain.ts';
import { ROOT, run, start, temporaryFolder, waitFor } from './processes.ts';
import type { Exit, Finished, Program, StartOptions } from './processes.ts';

/** Control files by name. `null` leaves one out that every test gateway has. */
export type ControlFiles = Readonly<Record<string, string | Buffer | null>>;

/** What every gateway of the tests begins with; the port is the system's choice. */
const USUAL: ControlFiles = {
  me: 'mx.example.com\n',
  listen: '127.0.0.1:0\n',
  workers: '1\n',
  rcpthosts: 'example.com\n',
  smtproutes: ':Maildir maildir\n',
  // A client from elsewhere must not have a test ask the real DNS; `null` is the shipped value.
  spfbehavior: '0\n',
  dkimverify: '-\n',
  dmarc: 'no\n',
  arc: 'no\n',
};

/** A line of the gateway's log, as pino writes it. */
export interface LogLine {
  readonly level: number;
  readonly event: string;
  readonly pid: number;
  readonly [field: string]: unknown;
}

export interface GatewayOptions extends StartOptions {
  /** This test breaks something of ours on purpose: `internal-error` and dead workers are no failure. */
  readonly troubleExpected?: boolean;
  /** A shell line run before it in the same process, `ulimit -f 2000`. */
  readonly before?: string;
}

/** Words in the log that no test may bring about by what it sends from outside. */
const TROUBLE =
  /internal-error|worker-died|UnhandledPromiseRejection|ERR_UNHANDLED|uncaught|    at .*\.ts:\d+/i;

/** Puts control files into a new folder and says where state goes beside it. */
export async function controlFolder(files: ControlFiles = {}): Promise<
  AsyncDisposable & {
    readonly control: string;
    readonly state: string;
    write(name: string, content: string | Buffer): Promise<void>;
    remove(name: string): Promise<void>;
  }
> {
  const folder = await temporaryFolder();
  const control = join(folder.path, 'control');
  const state = join(folder.path, 'state');
  const write = async (name: string, content: string | Buffer) => {
    await mkdir(dirname(join(control, name)), { recursive: true });
    await writeFile(join(control, name), content, typeof content === 'string' ? 'latin1' : null);
  };
  await mkdir(state);
  for (const [name, content] of Object.entries({ ...USUAL, ...files })) {
    if (content !== null) await write(name, content);
  }
  return {
    control,
    state,
    write,
    remove: name => rm(join(control, name)),
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}

/** Runs a command of `bin/postern` to its end. */
export function postern(args: readonly string[], options: StartOptions = {}): Promise<Finished> {
  return run(join(ROOT, 'bin/postern'), args, options);
}

/** A running `bin/postern serve` with folders of its own; `await using` stops it and looks for trouble in its log. */
export class RunningGateway implements AsyncDisposable {
  readonly program: Program;
  readonly control: string;
  readonly state: string;
  /** Where it listens, in the order of `listen`: `127.0.0.1:40123`. */
  readonly addresses: readonly string[];
  readonly #folder: Awaited<ReturnType<typeof controlFolder>>;
  readonly #troubleExpected: boolean;

  constructor(
    program: Program,
    folder: Awaited<ReturnType<typeof controlFolder>>,
    addresses: readonly string[],
    troubleExpected: boolean,
  ) {
    this.program = program;
    this.#folder = folder;
    this.control = folder.control;
    this.state = folder.state;
    this.addresses = addresses;
    this.#troubleExpected = troubleExpected;
  }

  /** The port of its first address. */
  get port(): number {
    return Number(this.addresses[0]?.replace(/^.*:/, ''));
  }

  /** Writes a control file. */
  write(name: string, content: string | Buffer): Promise<void> {
    return this.#folder.write(name, content);
  }

  remove(name: string): Promise<void> {
    return this.#folder.remove(name);
  }

  /** The whole lines of the log so far that are JSON, of one event or of all. */
  log(event?: string): LogLine[] {
    const lines = this.program.stderr.split('\n').slice(0, -1);
    const parsed = lines.filter(line => line.startsWith('{')).map(line => JSON.parse(line) as LogLine);
    return event === undefined ? parsed : parsed.filter(line => line.event === event);
  }

  /** Waits until the log has a line of `event` that `test` accepts. */
  logged(event: string, test: (line: LogLine) => boolean = () => true): Promise<LogLine> {
    return this.program.until(`the log line ${event}`, () => this.log(event).find(test));
  }

  /** Sends SIGHUP and waits until every worker has taken the settings over, or the supervisor has refused them. */
  async reload(): Promise<'reloaded' | 'refused'> {
    const refused = this.log('reload-refused').length;
    const adopted = this.log('settings-in-force').length;
    const workers = new Set(this.log('worker-ready').map(line => line['worker'])).size;
    this.program.signal('SIGHUP');
    return this.program.until('an answer to SIGHUP', () => {
      if (this.log('reload-refused').length > refused) return 'refused';
      return this.log('settings-in-force').length >= adopted + workers ? 'reloaded' : undefined;
    });
  }

  /** What `postern explain` prints of an id, a Message-ID or an address, once the record is in the store. */
  async explain(what: string): Promise<string> {
    const lines = await this.#explained(what, false, 1);
    return lines.join('\n');
  }

  /** The newest record of an id, a session, a Message-ID or an address, once it is in the store. */
  async record(what: string): Promise<VerdictRecord> {
    const [json = ''] = await this.#explained(what, true, 1);
    return JSON.parse(json) as VerdictRecord;
  }

  /** All records of a session or an address that are in the store by now, newest first. */
  async records(what: string): Promise<VerdictRecord[]> {
    const lines = await this.#explained(what, true, 1000);
    return lines.map(line => JSON.parse(line) as VerdictRecord);
  }

  /** The files in `new` of a Maildir below the state folder. */
  async maildir(name = 'Maildir'): Promise<Buffer[]> {
    const folder = join(this.state, name, 'new');
    const names = await readdir(folder).catch(() => []);
    return Promise.all(names.map(file => readFile(join(folder, file))));
  }

  /** Names of the files in the quarantine, `new` and `cur`: the ids of held copies, in `cur` with flags. */
  async quarantine(): Promise<string[]> {
    const folders = ['new', 'cur'].map(sub => join(this.state, 'quarantine', sub));
    const names = (await Promise.all(folders.map(folder => readdir(folder).catch(() => [])))).flat();
    return names.toSorted((a, b) => (a < b ? -1 : 1));
  }

  /** Drains it as a supervisor would, and gives its end. */
  stop(): Promise<Exit> {
    return this.program.stop(20_000);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await this.#folder[Symbol.asyncDispose]();
    const trouble = this.program.stderr.split('\n').filter(line => TROUBLE.test(line));
    if (trouble.length > 0 && !this.#troubleExpected) {
      throw new Error(`the gateway had trouble of its own:\n${trouble.join('\n')}`);
    }
  }

  #explained(what: string, json: boolean, limit: number): Promise<string[]> {
    const store = join(this.state, 'postern.db');
    return waitFor(
      () => `a record of ${what}; the log says:\n${this.program.stderr}`,
      async () => {
        const lines: string[] = [];
        const code = await explain(what, { store, json, limit }, line => lines.push(line));
        return code === 0 && lines;
      },
    );
  }
}

/** Starts a gateway with these control files and waits until all its workers listen. Rejects with its words if it ends. */
export async function startGateway(
  files: ControlFiles = {},
  options: GatewayOptions = {},
): Promise<RunningGateway> {
  const folder = await controlFolder(files);
  const { troubleExpected = false, before = ':', ...startOptions } = options;
  const args = ['serve', '--control', folder.control, '--state', folder.state];
  const command = ['-c', `${before}; exec "$@"`, 'sh', join(ROOT, 'bin/postern'), ...args];
  const program = await start('sh', command, startOptions);
  const wanted = Number(files['workers'] ?? USUAL['workers']);
  const count = () => (program.stderr.match(/worker-ready/g) ?? []).length;
  try {
    await program.until('workers that listen', () => count() >= wanted);
  } catch (error) {
    await program.stop();
    await folder[Symbol.asyncDispose]();
    throw error;
  }
  const addresses = [...program.stdout.matchAll(/listening for SMTP on (\S+)/g)].map(m => m[1] ?? '');
  return new RunningGateway(program, folder, addresses, troubleExpected);
}
