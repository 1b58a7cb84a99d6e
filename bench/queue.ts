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
/** Short turns, one program after the other, so that whatever disturbs the machine disturbs all of them alike. */
const TURNS = 8;
/** Messages of a turn, one after the other; the Node program takes some fifteen times as long for each. */
const COUNT = 100;
const NODE_COUNT = 5;
/** Messages of a turn of 20 sessions. */
const CROWD = 20;
const CROWD_COUNT = 200;
/** Messages before anything is measured: a daemon runs for months, compiled code and all. */
const WARM_UP = 4000;

/** What came of the messages of one program. */
interface Share {
  /** Milliseconds of each. */
  readonly wall: number[];
  /** Seconds of all, and CPU seconds that the programs have spent. */
  seconds: number;
  cpu: number;
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

/** Brings `count` messages and adds what came of them to `share`; every one must end with `code`. */
async function bring(
  { caller, env }: QueueMode,
  program: readonly string[],
  count: number,
  parallel: number,
  share: Share = { wall: [], seconds: 0, cpu: 0 },
  code = 0,
): Promise<void> {
  const args = [`${count}`, `${parallel}`, messageFile, envelopeFile, ...program];
  const text = await output(caller, args, env);
  const each = [...text.matchAll(/^(\d+) (-?\d+)$/gm)];
  const wrong = each.filter(([, , exit]) => Number(exit) !== code);
  if (each.length !== count || wrong.length > 0)
    throw new Error(`${program[0]}: ${wrong.length} of ${count} did not end with ${code}: ${wrong[0]?.[0]}`);
  if (code === 0) brought += count;
  const figure = (name: string) => Number(new RegExp(`^${name} (.*)$`, 'm').exec(text)?.[1]);
  for (const [, microseconds] of each) share.wall.push(Number(microseconds) / 1000);
  share.seconds += figure('seconds');
  share.cpu += figure('cpu');
}

/** A program, and how many messages it is brought in a turn. */
type Contestant = readonly [program: readonly string[], count: number];

/** Lets them take turns. Gives the share of each, and the CPU seconds that the daemon has spent on all of it. */
async function contest(mode: QueueMode, contestants: readonly Contestant[], parallel: number) {
  const shares = contestants.map((): Share => ({ wall: [], seconds: 0, cpu: 0 }));
  const before = await resting(mode);
  for (let turn = 0; turn < TURNS; turn++)
    for (let step = 0; step < contestants.length; step++) {
      const which = (turn + step) % contestants.length;
      const [program, count] = contestants[which] as Contestant;
      await bring(mode, program, count, parallel, shares[which]);
    }
  return { shares, daemon: (await resting(mode)) - before };
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
  const single = await contest(
    mode,
    [
      [[mode.next], COUNT],
      [[mode.client], COUNT],
    ],
    1,
  );
  const besideNode = await contest(
    mode,
    [
      [[mode.client], NODE_COUNT],
      [node, NODE_COUNT],
    ],
    1,
  );
  const crowd = await contest(
    mode,
    [
      [[mode.next], CROWD_COUNT],
      [[mode.client], CROWD_COUNT],
    ],
    CROWD,
  );
  const [next, postern] = single.shares.map(share => median(share.wall)) as [number, number];
  const [resident, started] = besideNode.shares.map(share => median(share.wall)) as [number, number];
  WALL.values.push(postern / next);
  NODE.values.push(started / resident);
  ADDED.values.push(postern - next);
  const [bare, guarded] = single.shares as [Share, Share];
  const client = ((guarded.cpu - bare.cpu) * 1000) / (TURNS * COUNT);
  const daemon = (single.daemon * 1000) / (TURNS * COUNT);
  CPU.values.push(client + daemon);
  const [alone, through] = crowd.shares as [Share, Share];
  CROWDED.values.push(alone.seconds / through.seconds);
  const crowdDaemon = (crowd.daemon * 1000) / (TURNS * CROWD_COUNT);
  console.error(
    `queue ${number + 1}: p50 ${next.toFixed(2)} ms alone, ${postern.toFixed(2)} through, ${started.toFixed(1)} in Node; ` +
      `CPU ${client.toFixed(2)} ms client, ${daemon.toFixed(2)} daemon, ${crowdDaemon.toFixed(2)} with 20 sessions`,
  );
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
await bring(mode, [mode.client], 1, 1, undefined, 31);
prepare('mime');
await bring(mode, [mode.client], WARM_UP, CROWD);
for (let number = 0; number < rounds; number++) RSS.values.push(await residentSet(mode));
for (let number = 0; number < rounds; number++) await round(mode, number);
const queued = readdirSync(join(mode.env['STUB_QUEUE'] ?? '', 'todo')).length;
if (queued !== brought) throw new Error(`${brought} messages were accepted, ${queued} are in the queue`);
await mode.daemon.stop();
process.exit(report() ? 0 : 1);
