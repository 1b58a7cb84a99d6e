import type { Message } from '../../model/message.ts';
import type { MimeFacts, MimeLimits } from '../../model/mime.ts';
import type { OpenConsumer } from './consumer.ts';
import { consumersFor } from './consumers.ts';
import { mergeReadings, numbered } from './part-node.ts';
import { BLOCK, Reading } from './reading.ts';
import { Walker } from './walker.ts';

/** Milliseconds of work after which others get their turn. */
const TURN_MS = 6;

/** A block that took longer than so many milliseconds is followed by small ones. */
const SLOW_MS = 2;
const SMALLEST_BLOCK = 512;
const FIRST_BLOCK = 1024;

/** A message in memory up to this size is read without a pause. */
const AT_ONCE = 64 * 1024;

/**
 * Takes a message apart. At once when it is small and in memory; else a promise, with pauses so that no other client
 * waits longer than some milliseconds. Rejects when the bytes cannot be read or `signal` is aborted. `consumers` says who
 * looks into files: called for each pass over the message, of which there are two where readers differ on base64.
 */
export function readMime(
  message: Pick<Message, 'size' | 'chunks'>,
  limits: MimeLimits,
  signal: AbortSignal,
  consumers: Consumers = consumersFor,
): MimeFacts | Promise<MimeFacts> {
  const chunks = message.chunks();
  const reading = new Reading(limits, consumers(limits), false);
  if (message.size > AT_ONCE || !(Symbol.iterator in chunks))
    return readSlowly(message, reading, consumers, signal);
  signal.throwIfAborted();
  const walker = rootWalker(reading);
  let last: Buffer | null = null;
  for (const chunk of chunks) {
    if (last !== null) walker.write(last);
    last = chunk;
  }
  if (last === null) walker.end();
  else walker.end(last);
  if (reading.unfinished.length > 0 || reading.wentOnAfterPadding)
    return finish(message, reading, consumers, signal);
  return factsOf([reading]);
}

type Consumers = (limits: MimeLimits) => OpenConsumer;
type Bytes = Pick<Message, 'chunks'>;

async function readSlowly(
  message: Bytes,
  reading: Reading,
  consumers: Consumers,
  signal: AbortSignal,
): Promise<MimeFacts> {
  return finish(message, await pass(message, reading, signal), consumers, signal);
}

/** Waits for who is still reading, and reads again where readers differ on where base64 ends. */
async function finish(
  message: Bytes,
  reading: Reading,
  consumers: Consumers,
  signal: AbortSignal,
): Promise<MimeFacts> {
  try {
    await settled(reading, signal);
    if (!reading.wentOnAfterPadding) return factsOf([reading]);
    const { limits } = reading;
    const other = await pass(message, new Reading(limits, consumers(limits), true), signal);
    await settled(other, signal);
    return factsOf([reading, other]);
  } finally {
    reading.abandon();
  }
}

/** One pass over the bytes. */
async function pass(message: Bytes, reading: Reading, signal: AbortSignal): Promise<Reading> {
  const walker = rootWalker(reading);
  reading.block = FIRST_BLOCK;
  let turn = performance.now();
  try {
    for await (const chunk of message.chunks()) {
      for (let at = 0; at < chunk.length; ) {
        const before = performance.now();
        const piece = reading.block;
        walker.write(at === 0 && chunk.length <= piece ? chunk : chunk.subarray(at, at + piece));
        at += piece;
        const pause = reading.pause();
        if (pause !== null) await pause;
        const now = performance.now();
        // Dense mail: less of it at a time.
        if (now - before > SLOW_MS) reading.block = SMALLEST_BLOCK;
        else if (reading.block < BLOCK && now - before < SLOW_MS / 8) reading.block *= 2;
        if (now - turn > TURN_MS) {
          await new Promise<void>(resolve => setImmediate(resolve));
          turn = performance.now();
        }
        signal.throwIfAborted();
      }
    }
    walker.end();
    return reading;
  } catch (error) {
    reading.abandon();
    throw error;
  }
}

async function settled(reading: Reading, signal: AbortSignal): Promise<void> {
  try {
    await Promise.all(reading.unfinished);
    signal.throwIfAborted();
  } catch (error) {
    reading.abandon();
    throw error;
  }
}

function rootWalker(reading: Reading): Walker {
  return new Walker(reading, {
    entity: { parent: null, place: '1', inDigest: false },
    checksLines: true,
  });
}

/** What these readings of one message saw, each thing once. */
function factsOf(readings: readonly Reading[]): MimeFacts {
  const all = readings.flatMap(reading => reading.roots);
  const roots = readings.length > 1 || readings.some(reading => reading.forked) ? mergeReadings(all) : all;
  const anomalies = readings.length === 1 ? (readings[0]?.anomalies ?? []) : merged(readings);
  return { ...numbered(roots), anomalies };
}

function merged(readings: readonly Reading[]): MimeFacts['anomalies'] {
  const seen = new Map(
    readings.flatMap(reading => reading.anomalies).map(one => [`${one.rule} ${one.place}`, one]),
  );
  return [...seen.values()];
}
