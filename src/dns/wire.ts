import { SocketAddress } from 'node:net';

/** Record types that we ask for (RFC 1035 3.2.2, RFC 3596). */
export const TYPES = { A: 1, PTR: 12, MX: 15, TXT: 16, AAAA: 28 } as const;

export type RecordType = keyof typeof TYPES;

const CNAME = 5;
const OPT = 41;
const CLASS_IN = 1;
const HEADER_BYTES = 12;
/** What we take over UDP; more comes over TCP. 1232 fits every path (DNS flag day 2020). */
const UDP_BYTES = 1232;
const MAX_LABEL = 63;
const MAX_NAME = 255;
/** CNAMEs that are followed, and pointers within one name: more is a loop. */
const MAX_STEPS = 32;
const MAX_RECORDS = 4096;

/** A record as its bytes within the answer. */
export interface RawRecord {
  readonly message: Buffer;
  readonly start: number;
  readonly end: number;
  /** Seconds. */
  readonly ttl: number;
}

/** An answer to our question; `truncated`: ask again over TCP. */
export type RawAnswer =
  | { readonly kind: 'records'; readonly records: readonly RawRecord[] }
  | { readonly kind: 'truncated' }
  | { readonly kind: 'code'; readonly code: string };

const CODES: Readonly<Record<number, string>> = {
  1: 'EFORMERR',
  2: 'ESERVFAIL',
  3: 'ENOTFOUND',
  4: 'ENOTIMP',
  5: 'EREFUSED',
};

/** The bytes of a name (a byte string without final dot; no escapes); null when DNS has no such name. */
export function encodeName(name: string): Buffer | null {
  const labels = name.split('.').map(label => Buffer.from(label, 'latin1'));
  if (labels.some(label => label.length === 0 || label.length > MAX_LABEL)) return null;
  const bytes = Buffer.concat([
    ...labels.flatMap(label => [Buffer.from([label.length]), label]),
    Buffer.from([0]),
  ]);
  return bytes.length > MAX_NAME ? null : bytes;
}

/** A question with recursion desired and EDNS (RFC 1035 4.1, RFC 6891); `name` as of encodeName. */
export function encodeQuestion(id: number, name: Buffer, type: RecordType): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt16BE(id, 0);
  header.writeUInt16BE(0x0100, 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(1, 10);
  const question = Buffer.from([0, TYPES[type], 0, CLASS_IN]);
  const edns = Buffer.from([0, 0, OPT, UDP_BYTES >> 8, UDP_BYTES & 255, 0, 0, 0, 0, 0, 0]);
  return Buffer.concat([header, name, question, edns]);
}

/**
 * Reads an answer to `question`; null: it is none (another id or question, or no DNS at all), which is passed over. Records
 * are those of the asked type under the name, CNAMEs followed within the answer.
 */
export function decodeAnswer(message: Buffer, question: Buffer, type: RecordType): RawAnswer | null {
  if (message.length < HEADER_BYTES || message.readUInt16BE(0) !== question.readUInt16BE(0)) return null;
  const flags = message.readUInt16BE(2);
  if ((flags & 0x8000) === 0 || message.readUInt16BE(4) !== 1) return null;
  const asked = readName(message, HEADER_BYTES);
  const wanted = readName(question, HEADER_BYTES);
  if (asked === null || wanted === null || asked.name !== wanted.name) return null;
  if (asked.next + 4 > message.length || message.readUInt16BE(asked.next) !== TYPES[type]) return null;
  if ((flags & 0x0200) !== 0) return { kind: 'truncated' };
  const code = flags & 15;
  if (code !== 0) return { kind: 'code', code: CODES[code] ?? 'EBADRESP' };
  return readAnswers(message, asked.next + 4, wanted.name, TYPES[type]) ?? { kind: 'code', code: 'EBADRESP' };
}

/** The name at `at`, labels joined by dots, a byte string; null when it is broken. */
export function nameText(message: Buffer, at: number): string | null {
  return readName(message, at)?.text ?? null;
}

interface ReadName {
  /** For comparison: A to Z in lower case, whatever the bytes. */
  readonly name: string;
  readonly text: string;
  readonly next: number;
}

function readName(message: Buffer, start: number): ReadName | null {
  const labels: string[] = [];
  let bytes = 0;
  let next: number | null = null;
  let at = start;
  for (let steps = 0; steps < MAX_STEPS + MAX_NAME; steps++) {
    const length = message[at];
    if (length === undefined) return null;
    if (length >= 0xc0) {
      const low = message[at + 1];
      if (low === undefined) return null;
      next ??= at + 2;
      at = ((length & 0x3f) << 8) | low;
      continue;
    }
    if (length > MAX_LABEL) return null;
    if (length === 0) {
      const text = labels.join('.');
      return { text, name: text.replace(/[A-Z]/g, c => c.toLowerCase()), next: next ?? at + 1 };
    }
    bytes += length + 1;
    if (bytes > MAX_NAME || at + 1 + length > message.length) return null;
    labels.push(message.toString('latin1', at + 1, at + 1 + length));
    at += length + 1;
  }
  return null;
}

function readAnswers(message: Buffer, start: number, name: string, type: number): RawAnswer | null {
  const count = message.readUInt16BE(6);
  if (count > MAX_RECORDS) return null;
  const found = new Map<string, RawRecord[]>();
  const aliases = new Map<string, string>();
  let at = start;
  for (let i = 0; i < count; i++) {
    const owner = readName(message, at);
    if (owner === null || owner.next + 10 > message.length) return null;
    const kind = message.readUInt16BE(owner.next);
    const data = owner.next + 10;
    const end = data + message.readUInt16BE(owner.next + 8);
    if (end > message.length) return null;
    if (kind === CNAME) {
      const target = readName(message, data);
      if (target === null) return null;
      aliases.set(owner.name, target.name);
    } else if (kind === type) {
      const records = found.get(owner.name) ?? [];
      records.push({ message, start: data, end, ttl: message.readUInt32BE(owner.next + 4) });
      found.set(owner.name, records);
    }
    at = end;
  }
  let current = name;
  for (let step = 0; step < MAX_STEPS; step++) {
    const records = found.get(current);
    if (records !== undefined) return { kind: 'records', records };
    const alias = aliases.get(current);
    if (alias === undefined) return { kind: 'records', records: [] };
    current = alias;
  }
  return null;
}

/** What a record says, by type; null when its bytes make no sense. */
export const DATA = {
  A: ({ message, start, end }: RawRecord): string | null =>
    end - start === 4 ? [...message.subarray(start, end)].join('.') : null,
  AAAA: ({ message, start, end }: RawRecord): string | null => {
    if (end - start !== 16) return null;
    const words = Array.from({ length: 8 }, (_, i) => message.readUInt16BE(start + 2 * i).toString(16));
    return new SocketAddress({ address: words.join(':'), family: 'ipv6' }).address;
  },
  TXT: ({ message, start, end }: RawRecord): readonly string[] | null => {
    const strings: string[] = [];
    for (let at = start; at < end; ) {
      const next = at + 1 + (message[at] ?? 0);
      if (next > end) return null;
      strings.push(message.toString('latin1', at + 1, next));
      at = next;
    }
    return strings;
  },
  MX: ({ message, start, end }: RawRecord): { readonly preference: number; readonly host: string } | null => {
    const host = end - start < 3 ? null : nameText(message, start + 2);
    return host === null ? null : { preference: message.readUInt16BE(start), host };
  },
  PTR: ({ message, start }: RawRecord): string | null => nameText(message, start),
} as const;
