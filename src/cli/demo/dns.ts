import { createSocket } from 'node:dgram';
import { once } from 'node:events';

/** Names (lower case) to the text of the one TXT record that each has. */
export type TextRecords = Readonly<Record<string, string>>;

export interface DemoDns extends AsyncDisposable {
  /** `127.0.0.1:PORT`. */
  readonly address: string;
}

const HEADER_BYTES = 12;
const TXT = 16;
/** QR, RD, RA (RFC 1035 4.1.1). */
const RESPONSE = 0x8180;
const NXDOMAIN = 3;
/** RFC 1035 3.3: bytes of one string of a TXT record. */
const STRING_BYTES = 255;

/**
 * A DNS server on this host that knows `records` and that nothing else exists, so that the demonstration asks nobody else.
 * UDP only: an answer has to fit into 512 bytes.
 */
export async function startDemoDns(records: TextRecords): Promise<DemoDns> {
  const socket = createSocket('udp4');
  socket.on('message', (query, from) => {
    const answer = answerTo(query, records);
    if (answer !== null) socket.send(answer, from.port, from.address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return {
    address: `127.0.0.1:${socket.address().port}`,
    [Symbol.asyncDispose]: () => new Promise(closed => void socket.close(() => closed())),
  };
}

/** The answer to a query with one question; null to what is none. */
function answerTo(query: Buffer, records: TextRecords): Buffer | null {
  if (query.length < HEADER_BYTES || query.readUInt16BE(4) !== 1) return null;
  const labels: string[] = [];
  let at = HEADER_BYTES;
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  const end = at + 1 + 4;
  if (end > query.length) return null;
  const name = labels.join('.').toLowerCase();
  const text = Object.hasOwn(records, name) ? records[name] : undefined;
  const answers = text !== undefined && query.readUInt16BE(at + 1) === TXT ? [txtRecord(text)] : [];
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt16BE(query.readUInt16BE(0), 0);
  header.writeUInt16BE(text === undefined ? RESPONSE | NXDOMAIN : RESPONSE, 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(answers.length, 6);
  return Buffer.concat([header, query.subarray(HEADER_BYTES, end), ...answers]);
}

/** A TXT record for the name in the question, good for a minute. */
function txtRecord(text: string): Buffer {
  const data: Buffer[] = [];
  const bytes = Buffer.from(text, 'latin1');
  for (let at = 0; at < bytes.length; at += STRING_BYTES) {
    const string = bytes.subarray(at, at + STRING_BYTES);
    data.push(Buffer.of(string.length), string);
  }
  const rdata = Buffer.concat(data);
  const fixed = Buffer.from([0xc0, HEADER_BYTES, 0, TXT, 0, 1, 0, 0, 0, 60, 0, 0]);
  fixed.writeUInt16BE(rdata.length, 10);
  return Buffer.concat([fixed, rdata]);
}
