import { MessageWriter } from '../../src/mail/message-writer.ts';
import type { SpoolLimits } from '../../src/mail/message-writer.ts';
import type { Message } from '../../src/model/message.ts';

/** A message of these pieces, written as it would come in. */
export async function storedMessage(pieces: readonly Buffer[], limits: SpoolLimits): Promise<Message> {
  const writer = new MessageWriter(limits);
  for (const piece of pieces) await writer.write(piece);
  const text = Buffer.concat(pieces).toString('latin1');
  return writer.finish({
    lines: text.split('\r\n').length - 1,
    eightBit: /[\x80-\xff]/.test(text),
    dotLines: /(?:^|\r\n)\./.test(text),
  });
}

/** The bytes of a message; pieces are copied before the next is asked for, as the contract wants. */
export async function bytesOf(message: Pick<Message, 'chunks'>): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of message.chunks()) pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces);
}
