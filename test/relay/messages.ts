import { crc32 } from 'node:zlib';
import { address } from '../../src/model/address.ts';
import type { DeliveryEnvelope } from '../../src/model/delivery.ts';
import type { Message } from '../../src/model/message.ts';

/** A message of `body`; `overrides` makes it lie. `piece`: given out in pieces of this size, one at a time, as from a file. */
export function messageOf(body: Buffer | string, overrides: Partial<Message> = {}, piece?: number): Message {
  const bytes = typeof body === 'string' ? Buffer.from(body, 'latin1') : body;
  return {
    size: bytes.length,
    lines: bytes.toString('latin1').split('\r\n').length - 1,
    crc32: crc32(bytes),
    eightBit: bytes.some(b => b > 127),
    dotLines: /(^|\r\n)\./.test(bytes.toString('latin1')),
    header: Buffer.alloc(0),
    headerCut: false,
    chunks: () => (piece === undefined ? [bytes] : inPieces(bytes, piece)),
    release: () => undefined,
    ...overrides,
  };
}

/** Hands out pieces in one buffer that is used again for each, as the contract of Message allows. */
async function* inPieces(bytes: Buffer, piece: number): AsyncGenerator<Buffer> {
  const shared = Buffer.alloc(piece);
  for (let at = 0; at < bytes.length; at += piece) {
    await Promise.resolve();
    const length = bytes.copy(shared, 0, at, at + piece);
    yield shared.subarray(0, length);
  }
}

export function envelopeOf(
  sender: string | null,
  parameters: Partial<DeliveryEnvelope['parameters']> = {},
): DeliveryEnvelope {
  return {
    sender: sender === null ? null : address(sender),
    parameters: { size: null, body: null, smtputf8: false, ...parameters },
    eventId: 'e1',
  };
}

/** Waits until `condition` holds; fails after `ms`. */
export async function until(condition: () => boolean, ms = 5000): Promise<void> {
  const end = performance.now() + ms;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`not within ${ms} ms: ${condition.toString()}`);
    await new Promise(resolve => {
      setTimeout(resolve, 5);
    });
  }
}
