import type { BodyFacts, SpoolLimits } from '../mail/message-writer.ts';
import { MessageWriter } from '../mail/message-writer.ts';
import type { Message } from '../model/message.ts';
import type { Reply } from '../model/reply.ts';
import { DataReader } from './data-reader.ts';
import { LineBreakNormaliser } from './line-break-normaliser.ts';
import { SMTP } from './replies.ts';

/** Why the edge does not take a message. */
export interface ReceptionRefusal {
  readonly rule: string;
  readonly detail: string;
  readonly reply: Reply;
}

/** One DATA phase: from the wire to a message, or to the reason why not. */
export class MessageReception {
  /** Bytes that have come over the wire. */
  received = 0;
  readonly #reader = new DataReader();
  readonly #writer: MessageWriter;
  readonly #normaliser: LineBreakNormaliser | null;
  readonly #databytes: number;
  #tooBig = false;

  /** `databytes`: largest size with LF line ends, 0: any. */
  constructor(spool: SpoolLimits, databytes: number, normalise: boolean) {
    this.#writer = new MessageWriter(spool);
    this.#databytes = databytes;
    this.#normaliser = normalise ? new LineBreakNormaliser() : null;
  }

  /**
   * `memory`: what `chunk` lies in, when nothing else does: then it may be given back before the message is done.
   * `rest`: what follows the final dot, null before it. `wait`: do not push more before it settles.
   */
  push(
    chunk: Buffer,
    memory: ArrayBuffer | null = null,
  ): { readonly rest: Buffer | null; readonly wait: Promise<void> | null } {
    const piece = this.#reader.push(chunk);
    this.received += chunk.length - (piece.rest?.length ?? 0);
    let { body } = piece;
    if (this.#normaliser) {
      body = this.#normaliser.push(body);
      if (piece.rest !== null) body = Buffer.concat([body, this.#normaliser.end()]);
    }
    if (this.#unwanted()) return { rest: piece.rest, wait: null };
    const wait = this.#writer.write(body, this.#normaliser === null && piece.rest === null ? memory : null);
    if (this.#databytes > 0 && this.#writer.size - this.#facts().lines > this.#databytes) this.#tooBig = true;
    // What is going to be refused need not be kept; it is read to its end all the same, so that the answer is heard.
    if (this.#unwanted() && wait === null) this.#writer.discard();
    return { rest: piece.rest, wait };
  }

  /** After the final dot, and when the last `wait` has settled: the message, or why it is refused. Never rejects. */
  async finish(): Promise<Message | ReceptionRefusal> {
    const refusal = this.#refusal();
    if (refusal === null) {
      // What the spool still had to write may fail, too.
      const message = await this.#writer.finish(this.#facts()).catch(() => null);
      if (message !== null) return message;
    }
    this.#writer.discard();
    return refusal ?? this.#spoolFailed();
  }

  #refusal(): ReceptionRefusal | null {
    const { bareCr, bareLf, nul } = this.#reader;
    if (this.#strays()) {
      const seen = [bareCr && 'bare CR', bareLf && 'bare LF', nul && 'NUL'].filter(Boolean).join(', ');
      return { rule: 'LINE_BREAKS', detail: seen, reply: SMTP.strayLineEnds };
    }
    if (this.#tooBig) {
      return { rule: 'DATABYTES', detail: `more than ${this.#databytes} bytes`, reply: SMTP.tooBig };
    }
    return this.#writer.failure === null ? null : this.#spoolFailed();
  }

  #spoolFailed(): ReceptionRefusal {
    return { rule: 'SPOOL', detail: this.#writer.failure?.message ?? 'unknown', reply: SMTP.spoolFailed };
  }

  discard(): void {
    this.#writer.discard();
  }

  #facts(): BodyFacts {
    const { lines, dotLines } = this.#normaliser ?? this.#reader;
    return { lines, dotLines, eightBit: this.#reader.eightBit };
  }

  #strays(): boolean {
    const { bareCr, bareLf, nul } = this.#reader;
    return this.#normaliser === null && (bareCr || bareLf || nul);
  }

  #unwanted(): boolean {
    return this.#tooBig || this.#strays();
  }
}
