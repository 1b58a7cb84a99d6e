import { createSocket } from 'node:dgram';

/** Names (lower case) to the text of the one TXT record that each has; bytes in latin1. */
export type TextRecords = Readonly<Record<string, string>>;

/** A server that is running. */
export interface BenchDns {
  /** On 127.0.0.1. */
  readonly port: number;
  close(): void;
}

/**
 * A DNS server that knows `records` and nothing else: every other name gets NXDOMAIN (RFC 1035 4.1.1), as a DNS list
 * answers for a client that is not on it, and every other type an answer without records. UDP only: an answer must fit into
 * 512 bytes. Run as a program of its own, so that its cost is nobody's: it takes the
 * records as JSON and prints its port.
 */
export async function startDns(records: TextRecords = {}): Promise<BenchDns> {
  const answers = new Map(Object.entries(records).map(([name, text]) => [name, textAnswer(text)]));
  const socket = createSocket('udp4');
  socket.on('message', (query, from) => {
    const reply = replyTo(query, answers);
    if (reply) socket.send(reply, from.port, from.address);
  });
  await new Promise<void>((bound, failed) => {
    socket.once('error', failed).bind(0, '127.0.0.1', bound);
  });
  return { port: socket.address().port, close: () => socket.close() };
}

const HEADER = 12;
const TXT = 16;
/** A response, recursion desired and available, with one question: and no such name, no record, or one. */
const NXDOMAIN = Buffer.from([0x81, 0x83, 0, 1, 0, 0, 0, 0, 0, 0]);
const NO_DATA = Buffer.from([0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0]);
const ONE_ANSWER = Buffer.from([0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]);
/** A pointer to the question's name, TXT, IN, an hour. */
const TXT_OF_QUESTION = Buffer.from([0xc0, HEADER, 0, TXT, 0, 1, 0, 0, 0x0e, 0x10]);

/** Header and question of `query`, turned into an answer; null for what is no plain question. */
function replyTo(query: Buffer, answers: ReadonlyMap<string, Buffer>): Buffer | null {
  if (query.length < HEADER || query.readUInt16BE(4) !== 1) return null;
  const labels: string[] = [];
  let at = HEADER;
  while (at < query.length && query[at] !== 0) {
    const end = at + 1 + (query[at] ?? 0);
    labels.push(query.toString('latin1', at + 1, end).toLowerCase());
    at = end;
  }
  const end = at + 1 + 4;
  if (end > query.length) return null;
  const answer = answers.get(labels.join('.'));
  const wanted = query.readUInt16BE(at + 1) === TXT;
  const rest = answer === undefined ? NXDOMAIN : wanted ? ONE_ANSWER : NO_DATA;
  const parts = [query.subarray(0, 2), rest, query.subarray(HEADER, end)];
  if (answer !== undefined && wanted) parts.push(TXT_OF_QUESTION, answer);
  return Buffer.concat(parts);
}

/** Length and data of a TXT record: `text` in strings of up to 255 bytes (RFC 1035 3.3.14). */
function textAnswer(text: string): Buffer {
  const bytes = Buffer.from(text, 'latin1');
  const parts: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += 255) {
    const string = bytes.subarray(at, at + 255);
    parts.push(Buffer.from([string.length]), string);
  }
  const data = Buffer.concat(parts);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(data.length);
  return Buffer.concat([length, data]);
}

if (import.meta.main) console.log((await startDns(JSON.parse(process.argv[2] ?? '{}') as TextRecords)).port);
