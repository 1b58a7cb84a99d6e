import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { connect, isIPv6 } from 'node:net';
import type { RawAnswer, RawRecord, RecordType } from './wire.ts';
import { decodeAnswer, encodeName, encodeQuestion } from './wire.ts';

export interface RawQuestion {
  readonly name: string;
  readonly type: RecordType;
  /** As `dns.getServers()` gives them. */
  readonly servers: readonly string[];
  /** Milliseconds for one question to one server. */
  readonly timeout: number;
  readonly tries: number;
}

const DNS_PORT = 53;

/**
 * Asks for names that node:dns refuses to ask for: host names have no `:`, `%`, `[` or blank, names in the DNS may have
 * (RFC 2181 11). Server after server, UDP first, over TCP what does not fit. Rejects with an Error whose `code` is what
 * c-ares would give: EBADNAME, ENOTFOUND, ESERVFAIL, EREFUSED, EBADRESP, ECONNREFUSED, ETIMEOUT.
 */
export async function askRaw({
  name,
  type,
  servers,
  timeout,
  tries,
}: RawQuestion): Promise<readonly RawRecord[]> {
  const encoded = encodeName(name);
  if (encoded === null) throw failure('EBADNAME');
  let last = failure('ECONNREFUSED');
  for (let attempt = 0; attempt < tries; attempt++) {
    for (const server of servers) {
      const question = encodeQuestion(randomInt(65_536), encoded, type);
      const read = (message: Buffer) => decodeAnswer(message, question, type);
      try {
        const udp = await overUdp(question, hostPort(server), timeout, read);
        const answer =
          udp.kind === 'truncated' ? await overTcp(question, hostPort(server), timeout, read) : udp;
        if (answer.kind === 'records') return answer.records;
        last = failure(answer.kind === 'code' ? answer.code : 'EBADRESP');
      } catch (error) {
        last = error instanceof Error && 'code' in error ? (error as CodedError) : failure('ECONNREFUSED');
      }
      // That there is no such name is an answer; another server is asked after a failure.
      if (last.code === 'ENOTFOUND') throw last;
    }
  }
  throw last;
}

interface HostPort {
  readonly host: string;
  readonly port: number;
}

type CodedError = Error & { readonly code: string };

function failure(code: string): CodedError {
  return Object.assign(new Error(code), { code });
}

function hostPort(server: string): HostPort {
  const [, v6, v4, port] = /^(?:\[([^\]]+)\]|([0-9.]+)):([0-9]+)$/.exec(server) ?? [];
  return { host: v6 ?? v4 ?? server, port: port === undefined ? DNS_PORT : Number(port) };
}

type Read = (message: Buffer) => RawAnswer | null;

function overUdp(
  question: Buffer,
  { host, port }: HostPort,
  timeout: number,
  read: Read,
): Promise<RawAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<RawAnswer>();
  const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4');
  const timer = setTimeout(() => reject(failure('ETIMEOUT')), timeout);
  socket.on('error', reject);
  // Connected: the kernel drops what comes from anybody else, and tells of a port that nobody listens on.
  socket.connect(port, host, () => socket.send(question));
  socket.on('message', message => {
    const answer = read(message);
    if (answer !== null) resolve(answer);
  });
  return promise.finally(() => {
    clearTimeout(timer);
    socket.close();
  });
}

function overTcp(
  question: Buffer,
  { host, port }: HostPort,
  timeout: number,
  read: Read,
): Promise<RawAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<RawAnswer>();
  const length = Buffer.alloc(2);
  length.writeUInt16BE(question.length);
  const socket = connect({ host, port }, () => socket.write(Buffer.concat([length, question])));
  const timer = setTimeout(() => reject(failure('ETIMEOUT')), timeout);
  let received: Buffer = Buffer.alloc(0);
  socket.on('error', reject);
  socket.on('end', () => reject(failure('EBADRESP')));
  socket.on('data', (chunk: Buffer) => {
    // At most 64 KiB and a chunk: the two bytes of length say no more.
    received = Buffer.concat([received, chunk]);
    if (received.length < 2 || received.length < 2 + received.readUInt16BE(0)) return;
    resolve(read(received.subarray(2, 2 + received.readUInt16BE(0))) ?? { kind: 'code', code: 'EBADRESP' });
  });
  return promise.finally(() => {
    clearTimeout(timer);
    socket.destroy();
  });
}
