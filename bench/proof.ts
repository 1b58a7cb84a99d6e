import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Contender } from './contender.ts';
import { DUTIES } from './gateways/gateway.ts';
import type { Forbidden, Gateway, GatewayKind, Note, Peers } from './gateways/gateway.ts';
import { clientAddress } from './gateways/proxy.ts';
import { sendLoad } from './generator.ts';
import type { Load, LoadResult } from './generator.ts';
import { LEAST_SIZE, messageTemplate } from './message.ts';
import type { BodyKind } from './message.ts';
import { startSink } from './sink.ts';

/** Milliseconds that one message may take. */
const DEADLINE = 30_000;

let series = 0;

/**
 * Tries whether a gateway does the work it is measured at: it must refuse what it is there to refuse, and, where its duty is
 * to say something about the mail that it passes, that must be found behind it. What is not so goes to the contender's
 * problems, and the run is not sound.
 */
export async function proveWork(
  { gateway, kind, problems }: Pick<Contender, 'gateway' | 'kind' | 'problems'>,
  peers: Peers,
  folder: string,
): Promise<void> {
  for (const forbidden of kind.refuses) {
    const problem = await refusal(gateway, kind, forbidden);
    if (problem !== null) problems.push(`${kind.name}: ${problem}`);
  }
  const { notes } = DUTIES[kind.duty];
  if (notes === null) return;
  for (const problem of await missingWords(kind, notes, peers, folder))
    problems.push(`${kind.name}: ${problem}`);
}

/** What is wrong with the answer to something forbidden, or null. */
async function refusal(gateway: Gateway, kind: GatewayKind, forbidden: Forbidden): Promise<string | null> {
  const { what, body, sender, client, reply } = forbidden;
  const { refused, reasons } = await sendOne(gateway, kind, body, {
    ...(sender === undefined ? {} : { sender }),
    ...(client === undefined ? {} : { proxyFrom: () => client }),
  });
  const said = Object.keys(reasons).join();
  if (refused !== 1) return `did not refuse ${what} (${said})`;
  return reply.test(said) ? null : `refused ${what} for another reason: ${said}`;
}

/**
 * What is not in the field of a message that a gateway of `kind` passes: one that is started for this, before a sink that
 * keeps what it gets.
 */
async function missingWords(
  kind: GatewayKind,
  { field, words }: Note,
  peers: Peers,
  parent: string,
): Promise<string[]> {
  const { warmUp } = DUTIES[kind.duty];
  const folder = join(parent, `proof-${kind.key}-${++series}`);
  mkdirSync(folder);
  const sink = await startSink({ keepHeaders: true });
  const gateway = await kind.start({ ...peers, sinkPort: sink.port, folder });
  try {
    const { accepted, acceptedMarkers, reasons } = await sendOne(gateway, kind, warmUp);
    if (accepted !== 1) return [`did not pass mail of the kind ${warmUp}: ${JSON.stringify(reasons)}`];
    const said = fieldWords(sink.headers.get(acceptedMarkers[0] ?? '') ?? '', field);
    return words
      .filter(word => !said?.includes(word))
      .map(word => `no ${word} in ${field}: ${said?.join(' ') ?? 'none'}`);
  } finally {
    await gateway.program?.stop();
    await sink.close();
  }
}

/** The words of the first field `name` of a header block, or null. They end at blanks, commas and semicolons. */
export function fieldWords(header: string, name: string): string[] | null {
  const lines = header.replaceAll(/\r\n(?=[\t ])/g, ' ').split('\r\n');
  const field = lines.find(line => line.toLowerCase().startsWith(`${name.toLowerCase()}:`));
  return field?.slice(name.length + 1).match(/[^\t ,;]+/g) ?? null;
}

function sendOne(
  { port }: Gateway,
  kind: GatewayKind,
  body: BodyKind,
  more: Pick<Load, 'sender' | 'proxyFrom'> = {},
): Promise<LoadResult> {
  const { proxyFrom = () => clientAddress(0), ...rest } = more;
  return sendLoad({
    ...rest,
    target: { host: '127.0.0.1', port },
    message: messageTemplate(LEAST_SIZE[body], body, `proof-${kind.key}-${++series}`),
    messages: 1,
    connections: 'fresh',
    deadline: DEADLINE,
    ...(kind.proxied ? { proxyFrom } : {}),
  });
}
