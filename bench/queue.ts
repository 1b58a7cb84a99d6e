// Postern in the place of qmail-queue: wall time, CPU and throughput of a message through postern-queue with every content
// rule on, beside the next program alone and beside a Node program that is started for each message.
// node bench/queue.ts [ROUNDS]
import { spawn } from 'node:child_process';
import { closeSync, openSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startQueueMode } from './gateways/queue.ts';
import type { QueueMode } from './gateways/queue.ts';
import { messageTemplate } from './message.ts';
import { stopEverything, temporaryFolder } from './processes.ts';
import { median } from './report.ts';

const SIZE = 4096;
const ROUNDS = 3;
/** Messages of one turn, one after the other; the Node program takes some fifteen times as long for each. */
const COUNT = 300;
const NODE_COUNT = 20;
/** Messages of one turn of 20 sessions. */
const CROWD = 20;
const CROWD_COUNT = 600;

/** What came of a number of messages. */
interface Turn {
  /** Milliseconds of the one in the middle. */
  readonly p50: number;
  readonly perSecond: number;
  /** Milliseconds of CPU a message: the program that was called with all that it became, and the daemon. */
  readonly cpu: number;
  /** The daemon's part of it. */
  readonly daemon: number;
}

/** One line of the table. */
interface Comparison {
  readonly what: string;
  readonly unit: string;
  readonly bar: { readonly atLeast: number } | { readonly atMost: number } | null;
  readonly values: number[];
}

const RECEIVED =
  'Received: from mail.client.example (HELO client.example) (192.0.2.7)\n  by bench.example with ESMTP; 21 Nov 2026 10:00:00 -0000\n';

const folder = temporaryFolder('queue');
const messageFile = join(folder, 'message');
const envelopeFile = join(folder, 'envelope');
let brought = 0;

/** Writes the message that is brought from now on; LF lines. */
function prepare(kind: 'mime' | 'mime-exe'): void {
  const template = messageTemplate(SIZE, kind, 'queue');
  const crlf = template.head(0).toString('latin1') + template.body.toString('latin1').replace(/\.\r\n$/, '');
  writeFileSync(messageFile, RECEIVED + crlf.replaceAll('\r\n', '\n'), 'latin1');
  writeFileSync(envelopeFile, 'Fsender@client.example\0Trecipient@sink.example\0\0');
}

/** Brings `count` messages; every one must end with `code`. */
async function bring(
  mode: QueueMode,
  program: readonly string[],
  count: number,
  parallel = 1,
  code = 0,
): Promise<Turn> {
  const before = await resting(mode);
  const text = await output(
    mode.caller,
    [`${count}`, `${parallel}`, messageFile, envelopeFile, ...program],
    mode.env,
  );
  const daemon = (await resting(mode)) - before;
  const each = [...text.matchAll(/^(\d+) (-?\d+)$/gm)];
  const wrong = each.filter(([, , exit]) => Number(exit) !== code);
  if (each.length !== count || wrong.length > 0)
    throw new Error(
      `${program[0]}: ${wrong.length} of ${count} ended otherwise than with ${code}: ${wrong[0]?.[0]}`,
    );
  if (code === 0) brought += count;
  const figure = (name: string) => Number(new RegExp(`^${name} (.*)$`, 'm').exec(text)?.[1]);
  return {
    p50: median(each.map(([, microseconds]) => Number(microseconds))) / 1000,
    perSecond: count / figure('seconds'),
    cpu: ((figure('cpu') + daemon) * 1000) / count,
    daemon: (daemon * 1000) / count,
  };
}

/** CPU seconds of the daemon once they have stood still for 200 ms, or after two seconds. */
async function resting({ daemon }: QueueMode): Promise<number> {
  let last = daemon.cpuSeconds();
  for (let tries = 0; tries < 10; tries++) {
    await sleep(200);
    const now = daemon.cpuSeconds();
    if (now === last) break;
    last = now;
  }
  return last;
}

function output(
  file: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<string> {
  const child = spawn(file, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (piece: string) => {
    text += piece;
  });
  return new Promise((ended, failed) => {
    child.once('error', failed);
    child.once('close', code => (code === 0 ? ended(text) : failed(new Error(`${file} ended with ${code}`))));
  });
}

const WALL = comparison('wall p50: through postern-queue ÷ next program alone', '×', { atMost: 2 });
const NODE = comparison('wall p50: Node program for each message ÷ through postern-queue', '×', {
  atLeast: 15,
});
const ADDED = comparison('wall p50: added to the next program', ' ms', null);
const CPU = comparison('CPU of postern-queue and daemon together', ' ms', { atMost: 1.5 });
const CROWDED = comparison('20 sessions at a time: messages a second ÷ next program alone', '×', {
  atLeast: 0.5,
});
const RSS = comparison('resident set of postern-queue, message of 20 MB', ' kB', { atMost: 1000 });

/**
 * Kilobytes that postern-queue holds at the most while it brings a message of 20 MB. Pages are counted one by one: the
 * kernel's own counters, which getrusage reads, are off by more than so small a program has.
 */
async function residentSet({ client, env }: QueueMode): Promise<number> {
  const large = join(folder, 'large');
  writeFileSync(large, `${RECEIVED}Subject: large\n\n${'all work and no play\n'.repeat(1_000_000)}`);
  const stdio = [openSync(large, 'r'), openSync(envelopeFile, 'r')] as const;
  const child = spawn(client, [], { env, stdio: [...stdio, 'inherit'] });
  const ended = new Promise<number | null>((resolve, reject) =>
    child.once('exit', resolve).once('error', reject),
  );
  let most = 0;
  while (child.exitCode === null && child.signalCode === null) {
    const looked = look(child.pid ?? 0, client);
    most = Math.max(most, looked);
    await sleep(1);
  }
  for (const file of stdio) closeSync(file);
  if ((await ended) !== 0) throw new Error('the message of 20 MB was not taken');
  brought++;
  return most > 0 ? most : NaN;
}

/** Kilobytes of the process that runs `program`; 0 when it has ended, or has become another. */
function look(pid: number, program: string): number {
  try {
    const rss = /^Rss: +(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1'))?.[1];
    return readlinkSync(`/proc/${pid}/exe`) === program ? Number(rss ?? 0) : 0;
  } catch {
    return 0;
  }
}

function comparison(what: string, unit: string, bar: Comparison['bar']): Comparison {
  return { what, unit, bar, values: [] };
}

async function round(mode: QueueMode, number: number): Promise<void> {
  const node = [process.execPath, join(import.meta.dirname, 'queue-node.mjs')];
  const turns = [
    async () => ({ next: await bring(mode, [mode.next], COUNT) }),
    async () => ({ postern: await bring(mode, [mode.client], COUNT) }),
    async () => ({ node: await bring(mode, node, NODE_COUNT) }),
    async () => ({ nextCrowd: await bring(mode, [mode.next], CROWD_COUNT, CROWD) }),
    async () => ({ posternCrowd: await bring(mode, [mode.client], CROWD_COUNT, CROWD) }),
  ];
  const first = number % turns.length;
  const came: Partial<Record<'next' | 'postern' | 'node' | 'nextCrowd' | 'posternCrowd', Turn>> = {};
  for (const turn of [...turns.slice(first), ...turns.slice(0, first)]) Object.assign(came, await turn());
  const { next, postern, nextCrowd, posternCrowd } = came;
  if (!next || !postern || !came.node || !nextCrowd || !posternCrowd) return;
  WALL.values.push(postern.p50 / next.p50);
  NODE.values.push(came.node.p50 / postern.p50);
  ADDED.values.push(postern.p50 - next.p50);
  CPU.values.push(postern.cpu - next.cpu);
  CROWDED.values.push(posternCrowd.perSecond / nextCrowd.perSecond);
  const said = Object.entries(came).map(
    ([name, { p50, perSecond, cpu, daemon }]) =>
      `${name} ${p50.toFixed(2)} ms, ${perSecond.toFixed(0)} a second, CPU ${cpu.toFixed(2)} ms, the daemon’s ${daemon.toFixed(2)} ms`,
  );
  console.error(`queue ${number + 1}: ${said.join('; ')}`);
}

/** Prints the table; says whether every bar was cleared. */
function report(): boolean {
  console.log('| measured | median | rounds | bar | |\n|---|--:|---|--:|---|');
  let sound = true;
  for (const { what, unit, bar, values } of [WALL, ADDED, NODE, CPU, CROWDED, RSS]) {
    const middle = median(values);
    const passed = bar === null ? null : 'atLeast' in bar ? middle >= bar.atLeast : middle <= bar.atMost;
    const wanted =
      bar === null ? '' : 'atLeast' in bar ? `≥ ${bar.atLeast}${unit}` : `≤ ${bar.atMost}${unit}`;
    const range = `${amount(Math.min(...values))} – ${amount(Math.max(...values))}`;
    const verdict = passed === null ? '' : passed ? 'pass' : '**FAIL**';
    console.log(`| ${what} | ${amount(middle)}${unit} | ${range} | ${wanted} | ${verdict} |`);
    sound &&= passed !== false;
  }
  return sound;
}

function amount(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toFixed(2);
}

process.once('exit', stopEverything);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(130));
const rounds = Number(process.argv[2] ?? ROUNDS);
const mode = await startQueueMode(folder);
// A daemon that takes this does less than it is measured for.
prepare('mime-exe');
await bring(mode, [mode.client], 1, 1, 31);
prepare('mime');
for (let number = 0; number < rounds; number++) RSS.values.push(await residentSet(mode));
for (const parallel of [1, CROWD]) await bring(mode, [mode.client], 1500, parallel);
for (let number = 0; number < rounds; number++) await round(mode, number);
const queued = readdirSync(join(mode.env['STUB_QUEUE'] ?? '', 'todo')).length;
if (queued !== brought) throw new Error(`${brought} messages were accepted, ${queued} are in the queue`);
await mode.daemon.stop();
process.exit(report() ? 0 : 1);
