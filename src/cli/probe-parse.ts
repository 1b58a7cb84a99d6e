import { tmpdir } from 'node:os';
import { BUILT_IN } from '../control/settings.ts';
import { readMime } from '../mail/mime/read-mime.ts';
import type { Message } from '../model/message.ts';
import type { FileName, MimeFacts } from '../model/mime.ts';
import { mimeLimits } from '../pipeline/mime-limits.ts';

type Json = Readonly<Record<string, unknown>>;

/**
 * The op `parse` of `postern probe`, within the built-in limits (a probe reads no control directory): the leaves of `message` (raw bytes in base64), those of attached messages too,
 * attached messages with a name, and the files inside leaves; each `{filename, type, sha256, size}`, `filename` the
 * name that most readers show, null when there is none. Also `anomalies`: the rules that apply.
 */
export async function parse({ message }: Json): Promise<Json> {
  if (typeof message !== 'string') return { error: 'message is missing' };
  const facts = await readMime(
    inMemory(Buffer.from(message, 'base64')),
    mimeLimits(BUILT_IN, tmpdir()),
    AbortSignal.timeout(60_000),
  );
  return { parts: partsOf(facts), anomalies: [...new Set(facts.anomalies.map(one => one.rule))] };
}

function partsOf({ parts, members }: MimeFacts): Json[] {
  const files = parts.filter(
    part => part.kind === 'leaf' || (part.kind === 'message' && part.names.length > 0),
  );
  return [
    ...files.map(({ names, type, sha256, size }) => ({ filename: shown(names), type, sha256, size })),
    ...members.map(({ names, magic, sha256, size }) => ({
      filename: shown(names),
      type: magic ?? 'application/octet-stream',
      sha256,
      size,
    })),
  ];
}

function shown(names: readonly FileName[]): string | null {
  return names[0]?.text ?? null;
}

function inMemory(bytes: Buffer): Message {
  return {
    size: bytes.length,
    lines: 0,
    crc32: 0,
    eightBit: false,
    dotLines: false,
    header: bytes.subarray(0, 0),
    headerCut: false,
    chunks: () => [bytes],
    release: () => undefined,
  };
}
