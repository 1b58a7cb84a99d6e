import { isIP } from 'node:net';
import { parseArgs } from 'node:util';
import { sendLoad } from './generator.ts';
import { BODY_KINDS, messageTemplate } from './message.ts';

const USAGE = `Usage: node bench/load.ts --to IP:PORT [options]
  --messages N      how many (100)
  --size SIZE       bytes of a message: 4k, 50k, 1m, 25m, or a number (4k)
  --body KIND       ${BODY_KINDS.join(', ')} (text)
  --kept            keep connections; otherwise a fresh one for each message
  --clients N       clients at a time (1)
  --rate N          instead: so many fresh connections a second
  --sender, --recipient ADDRESS
Prints counts and latencies (milliseconds) as JSON; ends with 1 unless every message was accepted.`;

/** Bytes in `text`: a number, with k or m for KiB and MiB. */
export function parseSize(text: string): number {
  const [, digits, unit] = /^(\d+)([km]?)$/i.exec(text) ?? [];
  if (digits === undefined) throw new Error(`not a size: ${text}`);
  return Number(digits) * { '': 1, k: 1024, m: 1024 * 1024 }[unit?.toLowerCase() as '' | 'k' | 'm'];
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      to: { type: 'string' },
      messages: { type: 'string', default: '100' },
      size: { type: 'string', default: '4k' },
      body: { type: 'string', default: 'text' },
      kept: { type: 'boolean', default: false },
      clients: { type: 'string', default: '1' },
      rate: { type: 'string' },
      sender: { type: 'string' },
      recipient: { type: 'string' },
    },
  });
  const [, host, port] = /^(.+):(\d+)$/.exec(values.to ?? '') ?? [];
  const body = BODY_KINDS.find(kind => kind === values.body);
  if (!host || !isIP(host) || !body) throw new Error(USAGE);
  const { acceptedMarkers: _, ...result } = await sendLoad({
    target: { host, port: Number(port) },
    message: messageTemplate(parseSize(values.size), body, `load-${process.pid}`),
    messages: Number(values.messages),
    connections: values.kept ? 'kept' : 'fresh',
    clients: Number(values.clients),
    ...(values.rate ? { rate: Number(values.rate) } : {}),
    ...(values.sender ? { sender: values.sender } : {}),
    ...(values.recipient ? { recipient: values.recipient } : {}),
  });
  console.log(JSON.stringify(result, null, 2));
  process.exitCode = result.accepted === Number(values.messages) ? 0 : 1;
}

if (import.meta.main) {
  await main().catch((error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 2;
  });
}
