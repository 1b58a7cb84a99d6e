import { createSocket } from 'node:dgram';

/**
 * A DNS server that knows nothing: every question gets NXDOMAIN (RFC 1035 4.1.1), as a DNS list answers for a client
 * that is not on it. Run as a program of its own, so that its cost is nobody's. Prints its port.
 */
export async function startEmptyDns(): Promise<number> {
  const socket = createSocket('udp4');
  socket.on('message', (query, from) => {
    const reply = questionOnly(query);
    if (reply) socket.send(reply, from.port, from.address);
  });
  await new Promise<void>((bound, failed) => {
    socket.once('error', failed).bind(0, '127.0.0.1', bound);
  });
  return socket.address().port;
}

const HEADER = 12;
const RESPONSE_NXDOMAIN = Buffer.from([0x81, 0x83, 0, 1, 0, 0, 0, 0, 0, 0]);

/** Header and question of `query`, turned into an answer; null for what is no plain question. */
function questionOnly(query: Buffer): Buffer | null {
  if (query.length < HEADER || query.readUInt16BE(4) !== 1) return null;
  let at = HEADER;
  while (at < query.length && query[at] !== 0) at += (query[at] ?? 0) + 1;
  const end = at + 1 + 4;
  if (end > query.length) return null;
  return Buffer.concat([query.subarray(0, 2), RESPONSE_NXDOMAIN, query.subarray(HEADER, end)]);
}

if (import.meta.main) console.log(await startEmptyDns());
