import { setTimeout as sleep } from 'node:timers/promises';
import { measure, startContender } from './contender.ts';
import type { Contender, Traffic } from './contender.ts';
import { harakaReadsArchives } from './gateways/haraka.ts';
import type { Peers } from './gateways/gateway.ts';
import type { BodyKind } from './message.ts';
import { proveWork } from './proof.ts';
import { missingScanners } from './scanners.ts';
import type { Scanners } from './scanners.ts';

/** What one row finds out about one gateway in one round. Names are those of the JSON output. */
export type Figures = Readonly<Record<string, number>>;

/** What a row may spend and how it starts a gateway of its own. */
export interface Means {
  /** Clients at a time where a row has no number of its own. */
  readonly clients: number;
  readonly peers: Peers;
  readonly scanners: Scanners;
  readonly folder: string;
}

/** One line of the benchmark. */
export interface Row {
  readonly name: string;
  readonly title: string;
  /** Keys of the gateways it measures. */
  readonly gateways: readonly string[];
  /** Rounds at the most. */
  readonly rounds?: number;
  /** Why it cannot be measured here, or null; without it, it always can. */
  unavailable?(): string | null;
  /** Called once, before the first round, with the gateways that it measures. */
  prepare?(contenders: readonly Contender[], means: Means): Promise<void>;
  sample(contender: Contender, means: Means): Promise<Figures>;
}

const KiB = 1024;
const MiB = 1024 * KiB;
const POSTERN = ['postern', 'postern-checks'];
const HARAKA = ['haraka', 'haraka-checks'];
const ALL = [...HARAKA, 'smtp-server', ...POSTERN];
const CONTENT = ['haraka-content', 'postern-content'];
const AUTH = ['haraka-auth', 'postern-auth'];
const SCAN = ['haraka-scan', 'postern-scan'];

/** Every row, in the order they are measured. */
export const ROWS: readonly Row[] = [
  cpuRow('4k-fresh', 'CPU, 4 KB, a fresh connection each', { size: 4 * KiB, connections: 'fresh' }),
  cpuRow('4k-kept', 'CPU, 4 KB, kept connections', { size: 4 * KiB, connections: 'kept' }),
  cpuRow('50k', 'CPU, 50 KB, kept connections', { size: 50 * KiB, connections: 'kept' }),
  cpuRow('1m', 'CPU, 1 MB, kept connections', { size: MiB, connections: 'kept', clients: 4 }),
  contentRow('content-4k', 'CPU, content rules, 4 KB with a PDF, kept connections', 4 * KiB, 'mime'),
  contentRow('content-50k', 'CPU, content rules, 50 KB with a PDF, kept connections', 50 * KiB, 'mime'),
  {
    ...contentRow(
      'content-zip',
      'CPU, content rules, 4 KB with a zip file, kept connections',
      4 * KiB,
      'mime-zip',
    ),
    unavailable: () =>
      harakaReadsArchives()
        ? null
        : 'Haraka reads archives with bsdtar, which is not installed (Debian: libarchive-tools)',
  },
  authRow('auth-4k', 'CPU, sender authentication, 4 KB signed, kept connections', 4 * KiB),
  authRow('auth-50k', 'CPU, sender authentication, 50 KB signed, kept connections', 50 * KiB),
  {
    ...pairRow('scan-4k', 'CPU, scanners that answer at once, 4 KB, kept connections', SCAN, 4 * KiB, 'text'),
    prepare: (_, { scanners }) => scanners.use('stubs'),
  },
  {
    name: 'scan-real',
    title: 'clamd and spamd, 4 KB, kept connections',
    gateways: SCAN,
    unavailable: missingScanners,
    prepare: async (contenders, { scanners, peers, folder }) => {
      await scanners.use('real');
      for (const contender of contenders) await proveWork(contender, peers, folder);
    },
    sample: (contender, { clients }) => scanRate(contender, clients),
  },
  {
    name: 'dots',
    title: 'CPU, 1 MB of single-dot lines against 1 MB of text',
    gateways: POSTERN,
    sample: async contender => {
      const traffic = { size: MiB, connections: 'kept', clients: 4 } as const;
      const text = await enoughCpu(contender, { ...traffic, body: 'text' });
      const dots = await enoughCpu(contender, { ...traffic, body: 'dots' });
      return { text: text.cpu, dots: dots.cpu, ratio: dots.cpu / text.cpu };
    },
  },
  {
    name: 'latency-kept',
    title: 'p50 of one client on a kept connection, 4 KB',
    gateways: ['direct', ...ALL],
    sample: contender =>
      latency(contender, { size: 4 * KiB, body: 'text', connections: 'kept', messages: 500, duration: 1500 }),
  },
  {
    name: 'latency-100',
    title: 'p50 at 100 fresh connections a second, 4 KB',
    gateways: ['direct', ...ALL],
    sample: contender =>
      latency(contender, { size: 4 * KiB, body: 'text', connections: 'fresh', messages: 200, rate: 100 }),
  },
  {
    name: 'throughput',
    title: 'Messages a second, 4 KB, kept connections',
    gateways: ['direct', ...ALL],
    sample: async (contender, { clients }) => {
      const traffic = { size: 4 * KiB, body: 'text', connections: 'kept', messages: Infinity } as const;
      const { result } = await measure(contender, { ...traffic, clients, duration: 1200 });
      return { perSecond: result.accepted / result.seconds };
    },
  },
  {
    name: 'memory',
    title: '20 messages of 25 MB at a time: memory above idle',
    gateways: POSTERN,
    rounds: 2,
    sample: (contender, means) => memory(contender, means),
  },
];

function cpuRow(
  name: string,
  title: string,
  traffic: Pick<Traffic, 'size' | 'connections' | 'clients'>,
): Row {
  return {
    name,
    title,
    gateways: ALL,
    sample: async (contender, { clients }) => enoughCpu(contender, { clients, ...traffic, body: 'text' }),
  };
}

function contentRow(name: string, title: string, size: number, body: BodyKind): Row {
  return pairRow(name, title, CONTENT, size, body);
}

function authRow(name: string, title: string, size: number): Row {
  return pairRow(name, title, AUTH, size, 'signed');
}

function pairRow(
  name: string,
  title: string,
  gateways: readonly string[],
  size: number,
  body: BodyKind,
): Row {
  return {
    name,
    title,
    gateways,
    sample: async (contender, { clients }) =>
      enoughCpu(contender, { clients, size, connections: 'kept', body }),
  };
}

/** CPU seconds to be spent in one measurement: a hundred steps or more of the clock that counts them. */
const CPU_SECONDS = { haraka: 2, others: 1.2 };
/** Milliseconds after which no new message is sent, however little CPU that took. */
const CPU_DURATION = 6000;

/** What a message costs, seen so far: gateway and kind of traffic to CPU seconds a message. */
const costs = new Map<string, number>();

/** Sends as many messages as it takes to spend a CPU time that the clock can tell. */
async function enoughCpu(
  contender: Contender,
  traffic: Omit<Traffic, 'messages'>,
): Promise<{ cpu: number } & Figures> {
  const { size, connections, body } = traffic;
  const { key } = contender.kind;
  const kind = [key, size, connections, body].join(' ');
  if (!costs.has(kind)) {
    const pilot = await measure(contender, { ...traffic, messages: size < MiB ? 150 : 12, duration: 2000 });
    costs.set(kind, pilot.cpuPerThousand / 1000);
  }
  const target = key.startsWith('haraka') ? CPU_SECONDS.haraka : CPU_SECONDS.others;
  // At least a tick's worth, so that a pilot too short to measure asks for a finite number.
  const messages = Math.ceil(target / Math.max(costs.get(kind) ?? 0, 0.000_05));
  const { cpuPerThousand, cpuSeconds, result } = await measure(contender, {
    ...traffic,
    messages,
    duration: CPU_DURATION,
  });
  costs.set(kind, cpuPerThousand / 1000);
  return {
    cpu: cpuPerThousand,
    cpuSeconds,
    messages: result.accepted,
    perSecond: result.accepted / result.seconds,
  };
}

/** Milliseconds: the scanners set the pace, so CPU that the clock can tell takes its time. */
const SCAN_DURATION = 12_000;

/** As many messages as the scanners can take, and what the gateway spends on them. */
async function scanRate(contender: Contender, clients: number): Promise<Figures> {
  const { cpuPerThousand, cpuSeconds, result } = await measure(contender, {
    size: 4 * KiB,
    body: 'text',
    connections: 'kept',
    clients,
    messages: Infinity,
    duration: SCAN_DURATION,
  });
  return {
    cpu: cpuPerThousand,
    cpuSeconds,
    messages: result.accepted,
    perSecond: result.accepted / result.seconds,
  };
}

async function latency(contender: Contender, traffic: Traffic): Promise<Figures> {
  const { result } = await measure(contender, traffic);
  const { p50 = NaN, p90 = NaN, p99 = NaN } = result.latency ?? {};
  return { p50, p90, p99, messages: result.accepted, latestStart: result.latestStart };
}

/** Milliseconds between two looks at a gateway's memory. */
const MEMORY_STEP = 50;

/** Starts a new gateway of the kind, so that what earlier rows left behind does not count as idle. */
async function memory({ kind, problems }: Contender, { peers, folder }: Means): Promise<Figures> {
  const fresh = await startContender(kind, peers, folder);
  const { program } = fresh.gateway;
  await measure(fresh, { size: 4 * KiB, body: 'text', connections: 'fresh', messages: 20 });
  await sleep(500);
  const idle = program?.residentBytes() ?? 0;
  let peak = idle;
  const look = () => {
    peak = Math.max(peak, program?.residentBytes() ?? 0);
  };
  const timer = setInterval(look, MEMORY_STEP);
  try {
    const traffic = {
      size: 25 * MiB,
      body: 'text',
      connections: 'fresh',
      messages: 20,
      clients: 20,
    } as const;
    const { result } = await measure(fresh, traffic);
    return { aboveIdle: (peak - idle) / MiB, idle: idle / MiB, peak: peak / MiB, seconds: result.seconds };
  } finally {
    clearInterval(timer);
    problems.push(...fresh.problems);
    await fresh.stop();
  }
}
