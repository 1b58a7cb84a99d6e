import type { Message } from '../../model/message.ts';
import type { MimeFacts, MimeLimits } from '../../model/mime.ts';

/**
 * Takes a message apart. At once when it is small and in memory; else a promise, with pauses so that no other client
 * waits longer than some milliseconds. Rejects when the bytes cannot be read or `signal` is aborted.
 */
export function readMime(
  _message: Message,
  _limits: MimeLimits,
  _signal: AbortSignal,
): MimeFacts | Promise<MimeFacts> {
  return { parts: [], members: [], anomalies: [], archives: [] };
}
