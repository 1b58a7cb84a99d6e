import { tmpdir } from 'node:os';
import { BUILT_IN } from '../../../src/control/settings.ts';
import { readMime } from '../../../src/mail/mime/read-mime.ts';
import type { Message } from '../../../src/model/message.ts';
import type { MimeFacts, MimeLimits } from '../../../src/model/mime.ts';
import { mimeLimits } from '../../../src/pipeline/mime-limits.ts';

export const LIMITS = mimeLimits(BUILT_IN, tmpdir());

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
