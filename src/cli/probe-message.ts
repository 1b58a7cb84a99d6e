import { tmpdir } from 'node:os';
import { BodyDigests } from '../auth/body-digests.ts';
import { KeyFinder } from '../auth/key-finder.ts';
import { MessageLookups } from '../auth/lookups.ts';
import { SignedHeader } from '../auth/signed-header.ts';
import { createResolver } from '../dns/resolver.ts';
import { headerFields } from '../mail/header.ts';
import type { HeaderFields } from '../mail/header.ts';
import { MessageWriter } from '../mail/message-writer.ts';
import type { Message } from '../model/message.ts';

type Json = Readonly<Record<string, unknown>>;

/** A message whose signatures are to be looked at, and the DNS that knows the keys. */
export interface Signed {
  readonly message: Message;
  readonly fields: HeaderFields;
  readonly header: SignedHeader;
  readonly digests: BodyDigests;
  readonly lookups: MessageLookups;
  readonly keys: KeyFinder;
  readonly shown: string[];
}

/** Of a header that we are asked about, everything is looked at. */
const HEADER_BYTES = 1024 * 1024;
const HEADER_FIELDS = 10_000;
/** As the settings authlookups and authtime have it. */
const LOOKUPS = 50;
const LOOKUP_MS = 20_000;

/** What may be spent on a message, as the settings have it. */
export const AUTHENTICATION_LIMITS = {
  signatures: 10,
  minBits: 1024,
  lookups: LOOKUPS,
  seconds: LOOKUP_MS / 1000,
  headerFields: HEADER_FIELDS,
} as const;

/**
 * Runs `work` on the `message` (raw bytes in base64) of a request to `postern probe`, with the name server `dns`. A message
 * without any CRLF, as Unix keeps it, gets them.
 */
export async function withSigned(
  { message, dns }: Json,
  work: (signed: Signed) => Promise<Json>,
): Promise<Json> {
  if (typeof message !== 'string') return { error: 'message is missing' };
  if (typeof dns !== 'string') return { error: 'dns is missing' };
  const stored = await storedMessage(message);
  const resolver = createResolver({ servers: [dns] });
  try {
    const fields = headerFields(stored.header, HEADER_FIELDS);
    const lookups = new MessageLookups(resolver, LOOKUPS, LOOKUP_MS);
    const shown: string[] = [];
    return await work({
      message: stored,
      fields,
      header: new SignedHeader(fields),
      digests: new BodyDigests(stored),
      lookups,
      keys: new KeyFinder(lookups, shown),
      shown,
    });
  } finally {
    resolver.close();
    stored.release();
  }
}

/** A message in memory, from its raw bytes in base64. Without any CRLF, as Unix keeps it, it gets them. */
export function storedMessage(base64: string): Promise<Message> {
  const bytes = Buffer.from(base64, 'base64');
  const raw = bytes.includes('\r\n')
    ? bytes
    : Buffer.from(bytes.toString('latin1').replaceAll('\n', '\r\n'), 'latin1');
  const writer = new MessageWriter({ memoryBytes: Infinity, folder: tmpdir(), headerBytes: HEADER_BYTES });
  void writer.write(raw);
  return writer.finish({ lines: 0, eightBit: false, dotLines: false });
}
