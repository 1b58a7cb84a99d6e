import { lowerAscii } from '../model/address.ts';
import type { Message } from '../model/message.ts';
import { crc32 } from 'node:zlib';
import type { HeaderFields } from './header.ts';
import { fieldValue } from './header.ts';

/** A run of bytes of the message that does not go on to the next hop. */
export interface Cut {
  readonly start: number;
  readonly end: number;
  /** Name of the field, for the record. */
  readonly name: string;
}

/**
 * The fields that only we may set and that came from outside: `X-Postern-*`, Authentication-Results that claim to
 * be ours (RFC 8601 5: they must be removed), and whatever begins like one of `told` (lower case), which we add ourselves.
 * `authservId` is our own, compared without case.
 */
export function forgedTrustHeaders(
  header: HeaderFields,
  authservId: string,
  told: readonly string[] = [],
): Cut[] {
  const cuts: Cut[] = [];
  for (const field of header.fields) {
    const forged =
      field.name.startsWith('x-postern-') ||
      told.some(beginning => field.name.startsWith(beginning)) ||
      (field.name === 'authentication-results' &&
        mayNameUs(fieldValue(header, field, field.end), authservId));
    if (forged) cuts.push({ start: field.start, end: field.end, name: field.name });
  }
  return cuts;
}

/**
 * The authserv-id comes first, as token or quoted string, behind white space and comments, which may be nested (RFC 8601
 * 2.2). Where it cannot be made out, somebody might read ours.
 */
function mayNameUs(value: string, authservId: string): boolean {
  const rest = withoutComments(value);
  const quoted = /^"((?:[^"\\]|\\[\s\S])*)"/.exec(rest)?.[1]?.replace(/\\([\s\S])/g, '$1');
  const id = (quoted ?? /^[^\s;"()]*/.exec(rest)?.[0] ?? '').replace(/\.$/, '');
  return id === '' || lowerAscii(id) === lowerAscii(authservId);
}

/** `value` from its first byte that is neither white space nor in a comment; `''` when a comment has no end. */
function withoutComments(value: string): string {
  let depth = 0;
  for (let i = 0; i < value.length; i++) {
    const c = value[i] as string;
    if (c === '(') depth++;
    else if (depth === 0 && !/\s/.test(c)) return value.slice(i);
    else if (c === ')') depth--;
    else if (c === '\\') i++;
  }
  return '';
}

/**
 * The same message without the cut bytes. The spool is not rewritten: the cuts are left out when it is read. Reads the
 * message once for its new checksums, which only a message with forged headers has to pay for.
 */
export async function withoutCuts(message: Message, cuts: readonly Cut[]): Promise<Message> {
  let crc = 0;
  let size = 0;
  let lines = 0;
  for await (const chunk of kept(message, cuts)) {
    crc = crc32(chunk, crc);
    size += chunk.length;
    for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) lines++;
  }
  let header = message.header;
  for (const cut of cuts.toReversed()) {
    header = Buffer.concat([
      header.subarray(0, cut.start),
      header.subarray(Math.min(cut.end, header.length)),
    ]);
  }
  return {
    ...message,
    size,
    lines,
    crc32: crc,
    header,
    chunks: () => kept(message, cuts),
    release: () => message.release(),
  };
}

async function* kept(message: Message, cuts: readonly Cut[]): AsyncIterable<Buffer> {
  let offset = 0;
  for await (const chunk of message.chunks()) {
    let from = 0;
    for (const cut of cuts) {
      const start = Math.max(cut.start - offset, from);
      const end = Math.min(cut.end - offset, chunk.length);
      if (end <= from || start >= chunk.length) continue;
      if (start > from) yield chunk.subarray(from, start);
      from = end;
    }
    if (from < chunk.length) yield chunk.subarray(from);
    offset += chunk.length;
  }
}
