import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { sendLoad } from './generator.ts';
import type { Load, LoadResult } from './generator.ts';
import type { Gateway, GatewayKind, Peers } from './gateways/gateway.ts';
import { clientAddress } from './gateways/proxy.ts';
import { messageTemplate } from './message.ts';
import type { BodyKind } from './message.ts';
import { startSmtpSink } from './smtp-sink.ts';
import type { SmtpSink } from './smtp-sink.ts';

/** A gateway that is running, with a sink of its own, so that what comes out can be counted. */
export interface Contender {
  readonly kind: GatewayKind;
  readonly gateway: Gateway;
  readonly sink: SmtpSink;
  /** What went wrong: refusals, failures, messages that the sink missed or got twice. Empty after a sound run. */
  readonly problems: string[];
  stop(): Promise<void>;
}

/** What is sent in one measurement. */
export interface Traffic extends Pick<Load, 'messages' | 'connections' | 'clients' | 'rate' | 'duration'> {
  readonly size: number;
  readonly body: BodyKind;
}

/** One measurement: what the generator saw and what the gateway spent. */
export interface Measurement {
  readonly result: LoadResult;
  /** CPU seconds of all processes of the gateway per 1000 accepted messages; 0 without a gateway. */
  readonly cpuPerThousand: number;
  /** CPU seconds that were spent in all: small figures are coarse, since the clock has steps of 10 ms. */
  readonly cpuSeconds: number;
}

/** Everything of one measurement is over by then (milliseconds). */
const DEADLINE = 60_000;

let series = 0;

/** Starts `kind` and its sink below `folder`. */
export async function startContender(kind: GatewayKind, peers: Peers, folder: string): Promise<Contender> {
  const own = join(folder, `${kind.key}-${++series}`);
  mkdirSync(own, { recursive: true });
  const sink = await startSmtpSink(own);
  const gateway = await kind.start({ ...peers, sinkPort: sink.port, folder: own });
  return {
    kind,
    gateway,
    sink,
    problems: [],
    stop: async () => {
      await gateway.program?.stop();
      await sink.stop();
    },
  };
}

/** Sends `traffic` through `contender` and waits until the sink has everything and the gateway is at rest again. */
export async function measure(contender: Contender, traffic: Traffic): Promise<Measurement> {
  const { gateway, kind, sink, problems } = contender;
  const { size, body, ...load } = traffic;
  const sunkBefore = sink.messages();
  const cpuBefore = await restingCpu(gateway);
  const result = await sendLoad({
    ...load,
    target: { host: '127.0.0.1', port: gateway.port },
    message: messageTemplate(size, body, `${kind.key}-${++series}`),
    deadline: DEADLINE,
    ...(kind.proxied ? { proxyFrom: (n: number) => clientAddress(series * 997 + n) } : {}),
  });
  const sunk = (await sink.waitFor(sunkBefore + result.accepted)) - sunkBefore;
  const cpuSeconds = (await restingCpu(gateway)) - cpuBefore;
  if (result.refused + result.failed > 0) problems.push(`${kind.name}: ${JSON.stringify(result.reasons)}`);
  if (sunk !== result.accepted)
    problems.push(`${kind.name}: ${result.accepted} accepted, ${sunk} at the sink`);
  return {
    result,
    cpuSeconds,
    cpuPerThousand: result.accepted > 0 ? (cpuSeconds * 1000) / result.accepted : 0,
  };
}

/** CPU seconds once they have stood still for 200 ms, or after two seconds: what is written late belongs to the bill. */
async function restingCpu({ program }: Gateway): Promise<number> {
  if (!program) return 0;
  let last = program.cpuSeconds();
  for (let tries = 0; tries < 10; tries++) {
    await sleep(200);
    const now = program.cpuSeconds();
    if (now === last) break;
    last = now;
  }
  return last;
}
