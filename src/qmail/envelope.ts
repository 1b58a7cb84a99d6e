/** An envelope as qmail-queue(8) has it; byte strings, exactly as they were. */
export interface QueueEnvelope {
  /** `''` is the null sender; `#@[]` that of a double bounce. */
  readonly sender: string;
  readonly recipients: readonly string[];
}

const F = 0x46;
const T = 0x54;

/** Reads `F` sender NUL, `T` recipient NUL …, NUL, in pieces. The last NUL is the caller's word that it means it. */
export class EnvelopeReader {
  /** There were more recipients than are taken; they are passed over. */
  tooMany = false;
  readonly #limit: number;
  readonly #most: number;
  readonly #recipients: string[] = [];
  #sender: string | null = null;
  /** The address that is being read, without its letter; null between two. */
  #open: string | null = null;
  #bytes = 0;
  #over = false;

  /** `limit`: bytes that an envelope may have; `most`: recipients that are kept. */
  constructor(limit: number, most: number) {
    this.#limit = limit;
    this.#most = most;
  }

  /** The next bytes. Throws a RangeError for what is no envelope, or too long a one. */
  push(bytes: Buffer): void {
    this.#bytes += bytes.length;
    if (this.#bytes > this.#limit) throw new RangeError(`an envelope of more than ${this.#limit} bytes`);
    for (let at = 0; at < bytes.length; ) {
      if (this.#over) throw new RangeError('bytes behind the end of the envelope');
      if (this.#open === null) {
        this.#begin(bytes[at] as number);
        at++;
        continue;
      }
      const nul = bytes.indexOf(0, at);
      this.#open += bytes.toString('latin1', at, nul < 0 ? bytes.length : nul);
      if (nul < 0) return;
      at = nul + 1;
      if (this.#sender === null) this.#sender = this.#open;
      else if (this.#recipients.length < this.#most) this.#recipients.push(this.#open);
      else this.tooMany = true;
      this.#open = null;
    }
  }

  /** The envelope; null when its last NUL has not come. */
  finish(): QueueEnvelope | null {
    if (!this.#over || this.#sender === null) return null;
    return { sender: this.#sender, recipients: this.#recipients };
  }

  #begin(letter: number): void {
    if (letter === 0 && this.#sender !== null) this.#over = true;
    else if (letter === (this.#sender === null ? F : T)) this.#open = '';
    else
      throw new RangeError(`an envelope with ${letter} where ${this.#sender === null ? 'F' : 'T'} belongs`);
  }
}

/** The envelope as bytes. */
export function envelopeBytes({ sender, recipients }: QueueEnvelope): Buffer {
  return Buffer.from(`F${sender}\0${recipients.map(one => `T${one}\0`).join('')}\0`, 'latin1');
}
