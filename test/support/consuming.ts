import type { Consumed, OpenConsumer, PartConsumer } from '../../src/mail/mime/consumer.ts';

/** Writes `bytes` to a consumer in pieces of `size` bytes, each overwritten afterwards, and ends it. */
export function consume(consumer: PartConsumer, bytes: Buffer, size = Infinity): Consumed {
  for (let at = 0; at < bytes.length; at += size) {
    const piece = Buffer.from(bytes.subarray(at, Math.min(bytes.length, at + size)));
    consumer.write(piece);
    piece.fill(0xaa);
  }
  const consumed = consumer.end();
  if (consumed instanceof Promise) throw new Error('the consumer wants time');
  return consumed;
}

/** Nobody looks inside. */
export const nobody: OpenConsumer = () => null;

/** Best names of the members, with the names round them in front. */
export function memberNames(consumed: Consumed): readonly string[] {
  return consumed.members.map(it => [...it.within, it.names[0]?.text ?? ''].join(' > '));
}
