import { crc32 } from 'node:zlib';
import type { HeldState } from '../model/held-state.ts';
import { isHeldState } from '../model/held-state.ts';
import type { VerdictRecord } from '../model/record.ts';
import type { MailParameters } from '../model/session.ts';

/*
 * A held copy is one file: our fields, the header block that we add on the way out, the message as it came; with LF line
 * ends throughout, so that any mail tool reads it from a Maildir. Every LF of the last two was a CRLF (a message with an
 * LF of another kind is not held), so the bytes come back exactly.
 *
 *   X-Postern-Held: id=mi8k2x9f4qz01.1; version=1; length=00001234; crc32=89abcdef
 *   X-Postern-Content: added=345; added-stored=340; added-crc32=…; size=5678; stored=5600; crc32=…
 *   X-Postern-Envelope: time=2026-11-21T15:00:00.000Z; from=<alice@example.net>; size=5700; body=8BITMIME; …
 *   X-Postern-Recipient: state=held     ; since=2026-11-21T15:00:00.000Z; to=<bob@example.com>; …   (one each)
 *   X-Postern-Record: eyJpZCI6…                                                   (verdict record, JSON in base64)
 *
 * `length` is that of our fields, `crc32` that of all behind the first line, with blanks in place of state and time:
 * these two are the only bytes of a file that ever change, in their place and without changing its length. Values from
 * outside are xtext (RFC 3461 4), so they hold no blank and no line end, and `; ` ends each of them. Fields of these
 * names that came in with a message were taken out before it got here; those that count are the first `length` bytes.
 */

const VERSION = '1';
const STATE_WIDTH = 9;
/** `held     ; since=2026-11-21T15:00:00.000Z` */
const CHANGING_WIDTH = STATE_WIDTH + '; since='.length + 24;
const RECIPIENT_FIELD = 'X-Postern-Recipient: state=';
const FIRST_LINE =
  /^X-Postern-Held: id=([\w.-]+); version=([0-9]+); length=([0-9]{8}); crc32=([0-9a-f]{8})\n/;
/** No first line is longer: an id has 200 bytes at the most. */
const FIRST_LINE_BYTES = 300;
/** Our fields are never longer: a thousand recipients with a record of two megabytes are well below. */
export const MAX_PREFIX_BYTES = 32 * 1024 * 1024;

/** The part of the file that follows our fields. */
export interface HeldContent {
  /** Bytes of our header block, CRLF line ends counted as two; as stored; its CRC-32 with CRLF. */
  readonly added: number;
  readonly addedStored: number;
  readonly addedCrc32: number;
  /** The same of the message. */
  readonly size: number;
  readonly stored: number;
  readonly crc32: number;
}

/** A recipient in the file. Addresses are byte strings. */
export interface HeldFileRecipient {
  readonly address: string;
  /** What the next hop is asked for. */
  readonly forwarded: string;
  readonly rule: string;
  readonly verdict: string;
  readonly state: HeldState;
  /** When it got there, epoch milliseconds. */
  readonly since: number;
}

/** What our fields say. Byte strings, unless they are our own words. */
export interface HeldHead {
  readonly id: string;
  /** Epoch milliseconds. */
  readonly time: number;
  /** null: the null sender. */
  readonly sender: string | null;
  readonly parameters: MailParameters;
  /** null: a local submission. */
  readonly clientIp: string | null;
  readonly helo: string | null;
  readonly recipients: readonly HeldFileRecipient[];
  readonly content: HeldContent;
  readonly record: VerdictRecord;
}

/** A file in the quarantine that cannot be used: damaged, cut short, or not one of ours. The message is for the administrator. */
export class HeldFileError extends Error {
  override readonly name = 'HeldFileError';
}

/** Where in the file state and time of recipient `n` stand, and what to write there for a new state. */
export interface StatePlace {
  readonly offset: number;
  readonly bytes: (state: HeldState, since: number) => Buffer;
}

/** Our fields. Throws an Error for an id that makes no file name and for fields that would be too long. */
export function encodeHead(head: HeldHead): Buffer {
  if (!isHeldId(head.id)) throw new Error('the id does not make a file name');
  const { content, parameters } = head;
  const rest = [
    field('Content', {
      added: String(content.added),
      'added-stored': String(content.addedStored),
      'added-crc32': hex(content.addedCrc32),
      size: String(content.size),
      stored: String(content.stored),
      crc32: hex(content.crc32),
    }),
    field('Envelope', {
      time: new Date(head.time).toISOString(),
      from: head.sender === null ? 'none' : angle(head.sender),
      size: parameters.size === null ? null : String(parameters.size),
      body: parameters.body,
      smtputf8: parameters.smtputf8 ? 'yes' : null,
      client: head.clientIp === null ? null : xtext(head.clientIp),
      helo: head.helo === null ? null : xtext(head.helo),
    }),
    ...head.recipients.map(
      r =>
        `${RECIPIENT_FIELD}${changing(r.state, r.since)}; to=${angle(r.address)}; forwarded=${angle(r.forwarded)}; ` +
        `rule=${xtext(r.rule)}; verdict=${xtext(r.verdict)}\n`,
    ),
    `X-Postern-Record:\n${folded(Buffer.from(JSON.stringify(head.record)).toString('base64'))}`,
  ].join('');
  const first = (length: number, crc: number) =>
    `X-Postern-Held: id=${head.id}; version=${VERSION}; length=${String(length).padStart(8, '0')}; crc32=${hex(crc)}\n`;
  const length = first(0, 0).length + rest.length;
  if (length > MAX_PREFIX_BYTES)
    throw new Error(`envelope and record are too long to be held: ${length} bytes`);
  return Buffer.from(first(length, crc32(withoutStates(rest))) + rest, 'latin1');
}

/** How long our fields are, from the first FIRST_LINE_BYTES of a file. Throws a HeldFileError when it is no file of ours. */
export function prefixLength(beginning: Buffer): number {
  const [, , version = '', length = ''] = firstLine(beginning);
  if (version !== VERSION)
    throw new HeldFileError(`has format version ${version}; this Postern knows version ${VERSION}`);
  const bytes = Number(length);
  if (bytes > MAX_PREFIX_BYTES) throw new HeldFileError(`claims ${bytes} bytes of fields`);
  return bytes;
}

/** Reads our fields back; `prefix` is all of them. Throws a HeldFileError when a byte of them is not as it was written. */
export function parseHead(prefix: Buffer): HeldHead {
  const [line = '', id = '', , length = '', crc = ''] = firstLine(prefix);
  if (prefix.length !== Number(length)) throw new HeldFileError('is cut short within our fields');
  const rest = prefix.toString('latin1', line.length);
  if (hex(crc32(withoutStates(rest))) !== crc)
    throw new HeldFileError('our fields are damaged: their CRC-32 differs');
  // The sum is right, so what follows is what encodeHead wrote.
  const lines = rest.split('\n');
  const content = values(lines[0] ?? '');
  const envelope = values(lines[1] ?? '');
  const { from, size, body } = envelope;
  return {
    id,
    time: Date.parse(envelope['time'] ?? ''),
    sender: from === undefined || from === 'none' ? null : unangle(from),
    parameters: {
      size: size === undefined ? null : Number(size),
      body: body === '7BIT' || body === '8BITMIME' ? body : null,
      smtputf8: envelope['smtputf8'] === 'yes',
    },
    clientIp: envelope['client'] === undefined ? null : unxtext(envelope['client']),
    helo: envelope['helo'] === undefined ? null : unxtext(envelope['helo']),
    recipients: lines.filter(l => l.startsWith(RECIPIENT_FIELD)).map(recipient),
    content: {
      added: Number(content['added']),
      addedStored: Number(content['added-stored']),
      addedCrc32: Number.parseInt(content['added-crc32'] ?? '', 16),
      size: Number(content['size']),
      stored: Number(content['stored']),
      crc32: Number.parseInt(content['crc32'] ?? '', 16),
    },
    record: recordOf(lines),
  };
}

/** The places of the recipients' states in a file with these fields, in their order. */
export function statePlaces(prefix: Buffer): readonly StatePlace[] {
  const places: StatePlace[] = [];
  const needle = `\n${RECIPIENT_FIELD}`;
  for (let at = prefix.indexOf(needle); at >= 0; at = prefix.indexOf(needle, at + 1)) {
    places.push({
      offset: at + needle.length,
      bytes: (state, since) => Buffer.from(changing(state, since), 'latin1'),
    });
  }
  return places;
}

/** True for what may be the id of a held copy: it is the name of its file. */
export function isHeldId(id: string): boolean {
  return /^[\w-][\w.-]{0,199}$/.test(id);
}

function firstLine(beginning: Buffer): RegExpExecArray {
  const match = FIRST_LINE.exec(beginning.toString('latin1', 0, FIRST_LINE_BYTES));
  if (match === null) throw new HeldFileError('does not begin as a held copy does');
  return match;
}

function changing(state: HeldState, since: number): string {
  return `${state.padEnd(STATE_WIDTH)}; since=${new Date(since).toISOString()}`;
}

/** The text with blanks in the place of what may change. */
function withoutStates(rest: string): Buffer {
  const bytes = Buffer.from(rest, 'latin1');
  for (const { offset } of statePlaces(bytes)) bytes.fill(0x20, offset, offset + CHANGING_WIDTH);
  return bytes;
}

function recipient(line: string): HeldFileRecipient {
  const fixed = values(line);
  const word = (fixed['state'] ?? '').trimEnd();
  const since = Date.parse(fixed['since'] ?? '');
  return {
    address: unangle(fixed['to'] ?? ''),
    forwarded: unangle(fixed['forwarded'] ?? ''),
    rule: unxtext(fixed['rule'] ?? ''),
    verdict: unxtext(fixed['verdict'] ?? ''),
    // A power cut may have caught it between two states: nobody sends it without being told that it may arrive twice.
    state: isHeldState(word) ? word : 'releasing',
    since: Number.isNaN(since) ? 0 : since,
  };
}

function recordOf(lines: readonly string[]): VerdictRecord {
  const at = lines.indexOf('X-Postern-Record:');
  return JSON.parse(Buffer.from(lines.slice(at + 1).join(''), 'base64').toString()) as VerdictRecord;
}

function field(name: string, parts: Readonly<Record<string, string | null>>): string {
  const said = Object.entries(parts).flatMap(([key, value]) => (value === null ? [] : [`${key}=${value}`]));
  return `X-Postern-${name}: ${said.join('; ')}\n`;
}

/** The `key=value` parts of a line. */
function values(line: string): Readonly<Record<string, string>> {
  const parts = line.slice(line.indexOf(': ') + 2).split('; ');
  return Object.fromEntries(
    parts.map(part => {
      const equals = part.indexOf('=');
      return [part.slice(0, equals), part.slice(equals + 1)] as const;
    }),
  );
}

function folded(base64: string): string {
  return base64.replace(/.{1,76}/g, ' $&\n');
}

function hex(crc: number): string {
  return crc.toString(16).padStart(8, '0');
}

function angle(address: string): string {
  return `<${xtext(address)}>`;
}

function unangle(text: string): string {
  return unxtext(text.slice(1, -1));
}

/** RFC 3461 4: bytes outside `!` to `~`, `+` and `=` as `+HH`. */
function xtext(bytes: string): string {
  return bytes.replace(
    /[^!-*,-<>-~]/g,
    char => `+${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  );
}

function unxtext(text: string): string {
  return text.replace(/\+([0-9A-F]{2})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 16)),
  );
}
