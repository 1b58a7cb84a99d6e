import { isAscii } from 'node:buffer';
import { toCrLf } from '../mail/line-ends.ts';
import type { SpoolLimits } from '../mail/message-writer.ts';
import { MessageWriter } from '../mail/message-writer.ts';
import type { Message } from '../model/message.ts';

const LF = 10;
const DOT = 46;
const LF_DOT = Buffer.from('\n.');

/**
 * A message as it comes to qmail-queue, with LF line ends; inside we have CRLF. Each LF gets a CR, whatever stands before
 * it, so that the way back gives every byte as it was.
 */
export class QueueMessage {
  readonly #writer: MessageWriter;
  #lines = 0;
  #eightBit = false;
  #dotLines = false;
  /** The last byte so far. */
  #last = LF;

  constructor(spool: SpoolLimits) {
    this.#writer = new MessageWriter(spool);
  }

  /** The error that writing to the spool file ended with. */
  get failure(): Error | null {
    return this.#writer.failure;
  }

  /** The next bytes. A promise when the next should wait for it; never rejects. */
  write(bytes: Buffer): Promise<void> | null {
    if (bytes.length === 0) return null;
    if (!this.#dotLines) this.#dotLines = (this.#last === LF && bytes[0] === DOT) || bytes.includes(LF_DOT);
    this.#eightBit ||= !isAscii(bytes);
    this.#last = bytes[bytes.length - 1] as number;
    const text = toCrLf(bytes);
    this.#lines += text.length - bytes.length;
    return this.#writer.write(text);
  }

  /** The message. Rejects when the spool failed. */
  finish(): Promise<Message> {
    return this.#writer.finish({
      lines: this.#lines,
      eightBit: this.#eightBit,
      dotLines: this.#dotLines,
    });
  }

  discard(): void {
    this.#writer.discard();
  }
}
