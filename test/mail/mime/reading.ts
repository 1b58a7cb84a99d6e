import { tmpdir } from 'node:os';
import { readMime } from '../../../src/mail/mime/read-mime.ts';
import type { Message } from '../../../src/model/message.ts';
import type { MimeFacts, MimeLimits } from '../../../src/model/mime.ts';

export const LIMITS: MimeLimits = {
  depth: 64,
  parts: 2000,
  headerBytes: 256 * 1024,
  headerFields: 2000,
  archiveDepth: 8,
  archiveEntries: 5000,
  archiveBytes: 200 * 1024 * 1024,
  archiveRatio: 200,
  spoolFolder: tmpdir(),
};

/** A message in memory, in these pieces. */
export function messageOf(pieces: readonly Buffer[]): Message {
  return {
    size: pieces.reduce((total, piece) => total + piece.length, 0),
    lines: 0,
    crc32: 0,
    eightBit: false,
    dotLines: false,
    header: Buffer.alloc(0),
    headerCut: false,
    chunks: () => pieces,
    release: () => undefined,
  };
}

/** Reads a message that is in memory in these pieces. */
export async function factsOf(
  pieces: readonly Buffer[],
  limits: Partial<MimeLimits> = {},
): Promise<MimeFacts> {
  return readMime(messageOf(pieces), { ...LIMITS, ...limits }, new AbortController().signal);
}

/** Every name of every part and of every file inside one. */
export function allNames({ parts, members }: MimeFacts): string[] {
  return [...parts, ...members].flatMap(one => one.names.map(name => name.text));
}
