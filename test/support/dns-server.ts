import { createSocket } from 'node:dgram';
import type { Socket as DatagramSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import * as packet from 'dns-packet';

/**
 * What a name answers: records by type, `{"A":"TIMEOUT"}` for one type that fails, or a bare word for all of them.
 * TXT takes a string or the strings of one record; MX takes `[preference, host]`.
 */
export type ZoneEntry = string | Readonly<Record<string, unknown>>;

/** Names (any case, final dot optional) to what they answer. A name that is not there is NXDOMAIN. */
export type Zone = Readonly<Record<string, readonly ZoneEntry[]>>;

/** How a query can fail: an rcode, silence, or a datagram that is no DNS at all. */
const FAILURES: Readonly<Record<string, number>> = {
  FORMERR: 1,
  SERVFAIL: 2,
  NXDOMAIN: 3,
  NOTIMP: 4,
  REFUSED: 5,
  TIMEOUT: -1,
  GARBAGE: -2,
};

/** CNAMEs followed within one answer; a loop ends here. */
const MAX_CHAIN = 16;
/** RFC 1035 4.2.1; a client that sends EDNS says how much more it takes. */
const CLASSIC_UDP_BYTES = 512;

export interface DnsServer {
  /** `127.0.0.1:PORT`, UDP and TCP. */
  readonly address: string;
  readonly port: number;
  /** Puts another zone in force. */
  serve(zone: Zone): void;
  /** Queries answered or left unanswered so far, of one name and type where given. */
  queries(name?: string, type?: string): number;
  /** Queries that came over TCP. */
  tcpQueries(): number;
  close(): Promise<void>;
}

interface Answer {
  readonly failure: number;
  readonly answers: packet.Answer[];
}

/** Starts a DNS server on a free port of 127.0.0.1 that knows `zone` and nothing else. */
export async function startDnsServer(zone: Zone = {}, ttl = 60): Promise<DnsServer> {
  let names = byName(zone);
  let overTcp = 0;
  const counts = new Map<string, number>();
  const { tcp, udp, port } = await listen();
  const open = new Set<Socket>();

  const resolve = (question: packet.Question): Answer => {
    for (const key of ['', `/${question.type}`]) {
      const counter = canonical(question.name) + key;
      counts.set(counter, (counts.get(counter) ?? 0) + 1);
    }
    return lookUp(names, question, ttl);
  };

  udp.on('message', (bytes, from) => {
    const query = decode(bytes);
    const question = query?.questions?.[0];
    if (!query || !question) return;
    const answer = resolve(question);
    if (answer.failure === FAILURES['TIMEOUT']) return;
    const reply =
      answer.failure === FAILURES['GARBAGE']
        ? Buffer.from([...bytes.subarray(0, 2), 0x81])
        : encode(query, answer);
    const limit = udpLimit(query);
    udp.send(reply.length > limit ? truncated(query) : reply, from.port, from.address);
  });
  tcp.on('connection', socket => {
    open.add(socket);
    socket.on('close', () => open.delete(socket)).on('error', () => socket.destroy());
    let received: Buffer = Buffer.alloc(0);
    socket.on('data', (bytes: Buffer) => {
      received = Buffer.concat([received, bytes]);
      while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
        const end = 2 + received.readUInt16BE(0);
        const query = decode(received.subarray(2, end));
        received = received.subarray(end);
        const question = query?.questions?.[0];
        if (!query || !question) continue;
        overTcp++;
        const answer = resolve(question);
        if (answer.failure === FAILURES['TIMEOUT']) continue;
        const reply = encode(query, answer);
        const length = Buffer.alloc(2);
        length.writeUInt16BE(reply.length);
        socket.write(Buffer.concat([length, reply]));
      }
    });
  });

  return {
    address: `127.0.0.1:${port}`,
    port,
    serve: next => {
      names = byName(next);
    },
    queries: (name, type) => {
      if (name !== undefined) return counts.get(canonical(name) + (type ? `/${type}` : '')) ?? 0;
      let all = 0;
      for (const [key, count] of counts)
        if (key.includes('/') && (!type || key.endsWith(`/${type}`))) all += count;
      return all;
    },
    tcpQueries: () => overTcp,
    close: async () => {
      for (const socket of open) socket.destroy();
      await Promise.all([
        new Promise<void>(done => void tcp.close(() => done())),
        new Promise<void>(done => void udp.close(() => done())),
      ]);
    },
  };
}

/** UDP and TCP on the same free port: the TCP port is chosen by the system, and tried again when UDP has it taken. */
async function listen(): Promise<{ tcp: Server; udp: DatagramSocket; port: number }> {
  for (let attempt = 0; ; attempt++) {
    const tcp = createServer().listen(0, '127.0.0.1');
    await once(tcp, 'listening');
    const { port } = tcp.address() as AddressInfo;
    const udp = createSocket('udp4');
    try {
      udp.bind(port, '127.0.0.1');
      await once(udp, 'listening');
      return { tcp, udp, port };
    } catch (error) {
      udp.close();
      tcp.close();
      if (attempt === 20) throw error;
    }
  }
}

function byName(zone: Zone): Map<string, readonly ZoneEntry[]> {
  return new Map(Object.entries(zone).map(([name, entries]) => [canonical(name), entries]));
}

function canonical(name: string): string {
  return name.replace(/\.$/, '').toLowerCase();
}

function decode(bytes: Buffer): packet.DecodedPacket | null {
  try {
    return packet.decode(bytes);
  } catch {
    return null;
  }
}

function lookUp(
  names: ReadonlyMap<string, readonly ZoneEntry[]>,
  question: packet.Question,
  ttl: number,
): Answer {
  const answers: packet.Answer[] = [];
  let name = question.name;
  for (let step = 0; step < MAX_CHAIN; step++) {
    const entries = names.get(canonical(name));
    if (!entries) return { failure: FAILURES['NXDOMAIN'] ?? 3, answers };
    let target: string | null = null;
    const before = answers.length;
    for (const entry of entries) {
      for (const [type, value] of typeof entry === 'string'
        ? [[question.type, entry] as const]
        : Object.entries(entry)) {
        const failure = typeof value === 'string' ? FAILURES[value] : undefined;
        if (failure !== undefined) {
          if (type === question.type) return { failure, answers: [] };
        } else if (type === question.type) answers.push(record(name, type, value, ttl));
        else if (type === 'CNAME') target = String(value);
      }
    }
    if (target === null || answers.length > before) return { failure: 0, answers };
    answers.push(record(name, 'CNAME', target, ttl));
    name = target;
  }
  return { failure: 0, answers };
}

function record(name: string, type: string, value: unknown, ttl: number): packet.Answer {
  if (type === 'TXT') {
    const strings = (Array.isArray(value) ? value : [value]).flatMap(s => pieces(wireBytes(String(s))));
    return { type, name, ttl, data: strings };
  }
  if (type === 'MX') {
    const [preference, exchange] = value as [number, string];
    return { type, name, ttl, data: { preference, exchange } };
  }
  return { type: type as 'A', name, ttl, data: String(value) };
}

/** The suites write bytes as latin1; a string that cannot be latin1 is meant as UTF-8. */
function wireBytes(text: string): Buffer {
  const bytes = Buffer.from(text, 'latin1');
  return bytes.toString('latin1') === text ? bytes : Buffer.from(text, 'utf8');
}

/** A string of DNS has at most 255 bytes (RFC 1035 3.3); what is longer becomes several of the same record. */
function pieces(bytes: Buffer): Buffer[] {
  const found = [bytes.subarray(0, 255)];
  for (let at = 255; at < bytes.length; at += 255) found.push(bytes.subarray(at, at + 255));
  return found;
}

function encode(query: packet.Packet, answer: Answer): Buffer {
  return packet.encode({
    type: 'response',
    id: query.id ?? 0,
    flags: packet.RECURSION_DESIRED | packet.RECURSION_AVAILABLE | Math.max(answer.failure, 0),
    questions: query.questions ?? [],
    answers: answer.answers,
  });
}

function truncated(query: packet.Packet): Buffer {
  return packet.encode({
    type: 'response',
    id: query.id ?? 0,
    flags: packet.RECURSION_DESIRED | packet.RECURSION_AVAILABLE | packet.TRUNCATED_RESPONSE,
    questions: query.questions ?? [],
  });
}

function udpLimit(query: packet.Packet): number {
  for (const extra of query.additionals ?? []) {
    if (extra.type === 'OPT') return Math.max(extra.udpPayloadSize, CLASSIC_UDP_BYTES);
  }
  return CLASSIC_UDP_BYTES;
}
