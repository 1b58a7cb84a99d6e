import type { Message } from '../model/message.ts';
import { crc32 } from 'node:zlib';
import { createHash } from 'node:crypto';
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
 * The fields that only we may set and that came from outside: `X-Postern-*`, and Authentication-Results that claim to
 * be ours (RFC 8601 5: they must be removed). `authservId` is our own, compared without case.
 */
export function forgedTrustHeaders(header: HeaderFields, authservId: string): Cut[] {
  const cuts: Cut[] = [];
  for (const field of header.fields) {
    const forged =
      field.name.startsWith('x-postern-') ||
      (field.name === 'authentication-results' && namesUs(fieldValue(header, field), authservId));
    if (forged) cuts.push({ start: field.start, end: field.end, name: field.name });
  }
  return cuts;
}

/** The authserv-id is the first token; comments may stand before it (RFC 8601 2.2). */
function namesUs(value: string, authservId: string): boolean {
  let rest = value.trimStart();
  for (let i = 0; i < 10 && rest.startsWith('('); i++) {
    const close = rest.indexOf(')');
    if (close < 0) return true;
    rest = rest.slice(close + 1).trimStart();
  }
  const id = /^"?([^\s;"(]*)/.exec(rest)?.[1] ?? '';
  return id.toLowerCase() === authservId.toLowerCase();
}

/**
 * The same message without the cut bytes. The spool is not rewritten: the cuts are left out when it is read. Reads the
 * message once for its new checksums, which only a message with forged headers has to pay for.
 */
export async function withoutCuts(message: Message, cuts: readonly Cut[]): Promise<Message> {
  const hash = createHash('sha256');
  let crc = 0;
  let size = 0;
  let lines = 0;
  for await (const chunk of kept(message, cuts)) {
    hash.update(chunk);
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
    sha256: hash.digest('hex'),
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
