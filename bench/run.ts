import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { measure, startContender } from './contender.ts';
import type { Contender } from './contender.ts';
import { direct } from './gateways/direct.ts';
import { haraka } from './gateways/haraka.ts';
import { postern } from './gateways/postern.ts';
import { smtpServer } from './gateways/smtp-server.ts';
import { DUTIES } from './gateways/gateway.ts';
import type { GatewayKind } from './gateways/gateway.ts';
import { startProgram, stopEverything, temporaryFolder } from './processes.ts';
import { proveWork } from './proof.ts';
import { compare, markdown } from './report.ts';
import type { Round } from './report.ts';
import { ROWS } from './rows.ts';
import type { Means, Row } from './rows.ts';
import { startScanners } from './scanners.ts';
import { senderRecords } from './sender-domain.ts';

const KINDS = [
  direct,
  haraka('relay'),
  haraka('checks'),
  haraka('content'),
  haraka('auth'),
  haraka('scan'),
  smtpServer,
  postern('relay'),
  postern('checks'),
  postern('content'),
  postern('auth'),
  postern('scan'),
];

/**
 * Programs of their own that print their ratios themselves, named among the rows: the reading of MIME against npm's
 * mailsplit, and Postern in the place of qmail-queue.
 */
const PROGRAMS = ['walker', 'queue'] as const;

const USAGE = `Usage: npm run bench -- [options]
  --quick              one round
  --rounds N           rounds (3)
  --clients N          clients at a time (10)
  --only ROW,…         ${[...ROWS.map(row => row.name), ...PROGRAMS].join(', ')}
  --gateways NAME,…    ${KINDS.map(kind => kind.key).join(', ')}
  --json FILE          write every figure of every round there
Prints a table of ratios; ends with 1 when a bar was missed or a message was lost.`;

/** A full run takes some ten minutes; past this (milliseconds) something hangs. */
const RUN_LIMIT = 1_500_000;
/** Messages, or milliseconds, of each kind of connection before anything is measured: a gateway runs for months, compiled code and all. */
const WARM_UP = 4000;
const WARM_UP_MS = 6000;

interface Options {
  readonly rounds: number;
  readonly clients: number;
  readonly rows: readonly Row[];
  readonly programs: readonly string[];
  readonly kinds: readonly GatewayKind[];
  readonly json: string | undefined;
}

function options(): Options {
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean', default: false },
      rounds: { type: 'string', default: '3' },
      clients: { type: 'string', default: '10' },
      only: { type: 'string' },
      gateways: { type: 'string' },
      json: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(USAGE);
    process.exit(0);
  }
  const names = values.only?.split(',') ?? [...ROWS.map(row => row.name), ...PROGRAMS];
  return {
    rounds: values.quick ? 1 : positive(values.rounds),
    clients: positive(values.clients),
    rows: chosen(
      ROWS,
      names.filter(name => !isProgram(name)),
      row => row.name,
    ),
    programs: names.filter(isProgram),
    kinds:
      values.gateways === undefined ? KINDS : chosen(KINDS, values.gateways.split(','), kind => kind.key),
    json: values.json,
  };
}

function positive(text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1) throw new Error(`not a number from 1 on: ${text}\n${USAGE}`);
  return number;
}

function chosen<T>(all: readonly T[], names: readonly string[], nameOf: (item: T) => string): readonly T[] {
  return names.map(name => {
    const item = all.find(item => nameOf(item) === name);
    if (!item) throw new Error(`unknown: ${name}\n${USAGE}`);
    return item;
  });
}

async function main(): Promise<void> {
  const wanted = options();
  const rows = wanted.rows.filter(row => {
    const reason = row.unavailable?.() ?? null;
    if (reason !== null) console.error(`without ${row.name}: ${reason}`);
    return reason === null;
  });
  const sound = rows.length === 0 || (await runRows({ ...wanted, rows }));
  let cleared = sound;
  for (const name of wanted.programs) cleared = (await runProgram(name, wanted.rounds)) && cleared;
  process.exitCode = cleared ? 0 : 1;
}

/** Measures and prints; says whether every bar was cleared and no message was lost. */
async function runRows({ rounds, clients, rows, kinds, json }: Options): Promise<boolean> {
  const folder = temporaryFolder('run');
  const scanners = await startScanners();
  const { clamd, spamd } = scanners;
  const peers = { dnsPort: await startDns(folder), clamd, spamd };
  const means: Means = { clients, peers, scanners, folder };
  const contenders = await startAll(kinds, rows, means);
  const measured = new Map<string, Round[]>();
  for (const row of rows) measured.set(row.name, await runRow(row, contenders, rounds, means));
  for (const contender of contenders) await contender.stop();

  const lines = compare(measured);
  const problems = contenders.flatMap(contender => contender.problems);
  console.log(markdown(lines, ROWS));
  for (const problem of problems) console.log(`\nNot sound: ${problem}`);
  if (json) {
    const raw = [...measured].map(([row, all]) => ({
      row,
      rounds: all.map(round => Object.fromEntries(round)),
    }));
    const machine = { cpus: cpus().length, model: cpus()[0]?.model ?? '', node: process.version };
    writeFileSync(json, `${JSON.stringify({ machine, rounds, clients, lines, problems, raw }, null, 2)}\n`);
  }
  return problems.length === 0 && lines.every(line => line.passed !== false);
}

function isProgram(name: string): boolean {
  return PROGRAMS.some(program => program === name);
}

/** Once every gateway has ended. Says whether it cleared its bars. */
function runProgram(name: string, rounds: number): Promise<boolean> {
  const script = join(import.meta.dirname, `${name}.ts`);
  const program = spawn(process.execPath, [script, `${rounds}`], { stdio: ['ignore', 'inherit', 'inherit'] });
  process.once('exit', () => program.kill());
  return new Promise((ended, failed) => {
    program.once('error', failed);
    program.once('close', code => ended(code === 0));
  });
}

async function startDns(folder: string): Promise<number> {
  const program = await startProgram(
    process.execPath,
    [join(import.meta.dirname, 'dns.ts'), JSON.stringify(senderRecords())],
    join(folder, 'dns.log'),
  );
  for (let tries = 0; tries < 200 && !program.output().includes('\n'); tries++) await sleep(50);
  const port = Number(program.output());
  if (!(port > 0)) throw new Error(`the DNS server did not start: ${program.output()}`);
  return port;
}

/** Starts every gateway that a row asks for and warms it up, so that each is measured as a long-running process. */
async function startAll(
  kinds: readonly GatewayKind[],
  rows: readonly Row[],
  means: Means,
): Promise<Contender[]> {
  const contenders: Contender[] = [];
  for (const kind of kinds) {
    if (!rows.some(row => row.gateways.includes(kind.key))) continue;
    const reason = await kind.unavailable();
    if (reason !== null) {
      console.error(`without ${kind.name}: ${reason}`);
      continue;
    }
    console.error(`starting ${kind.name}`);
    const contender = await startContender(kind, means.peers, means.folder);
    const traffic = {
      size: 4096,
      body: DUTIES[kind.duty].warmUp,
      clients: means.clients,
      messages: WARM_UP,
      duration: WARM_UP_MS,
    } as const;
    await measure(contender, { ...traffic, connections: 'fresh' });
    await measure(contender, { ...traffic, connections: 'kept' });
    await proveWork(contender, means.peers, means.folder);
    contenders.push(contender);
  }
  return contenders;
}

/** A B C, B C A, …: whatever disturbs the machine for a while disturbs all of them alike. */
async function runRow(
  row: Row,
  contenders: readonly Contender[],
  most: number,
  means: Means,
): Promise<Round[]> {
  const taking = contenders.filter(contender => row.gateways.includes(contender.kind.key));
  const rounds: Round[] = [];
  if (taking.length > 0) await row.prepare?.(taking, means);
  for (let number = 0; number < Math.min(most, row.rounds ?? most) && taking.length > 0; number++) {
    const first = number % taking.length;
    const round = new Map<string, Record<string, number>>();
    for (const contender of [...taking.slice(first), ...taking.slice(0, first)]) {
      const figures = await row.sample(contender, means);
      round.set(contender.kind.key, figures);
      const said = Object.entries(figures).map(([name, value]) => `${name} ${value.toPrecision(4)}`);
      console.error(`${row.name} ${number + 1} ${contender.kind.name}: ${said.join(', ')}`);
    }
    rounds.push(round);
  }
  return rounds;
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(130));
process.once('exit', stopEverything);
setTimeout(() => {
  console.error(`not done after ${RUN_LIMIT / 1000} s`);
  process.exit(1);
}, RUN_LIMIT).unref();
await main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 2;
});
process.exit();
