/**
 * What postern-queue and the daemon say to each other: frames of one letter, a length (four bytes, big-endian) and that
 * many bytes. ARCHITECTURE.md says which there are, and in what order.
 */
export interface Frame {
  readonly type: string;
  readonly payload: Buffer;
}

/** No frame is longer. */
export const MAX_PAYLOAD = 65_536;

const HEAD_BYTES = 5;

/** Frames as bytes. `bytes` longer than a frame may be become several. */
export function frames(type: string, bytes: Buffer = Buffer.alloc(0)): Buffer[] {
  const made: Buffer[] = [];
  for (let at = 0; at < bytes.length || made.length === 0; at += MAX_PAYLOAD) {
    const payload = bytes.subarray(at, at + MAX_PAYLOAD);
    const head = Buffer.allocUnsafe(HEAD_BYTES);
    head.write(type, 0, 1, 'latin1');
    head.writeUInt32BE(payload.length, 1);
    made.push(head, payload);
  }
  return made;
}

/** Takes frames out of a stream that arrives in pieces. Memory: one frame. */
export class FrameReader {
  #held: Buffer[] = [];
  #heldBytes = 0;
  /** Bytes that have to be here before anything can be done. */
  #wanted = HEAD_BYTES;

  /** The frames that are complete with `piece`; throws a RangeError when one is longer than a frame may be. */
  *push(piece: Buffer): Generator<Frame, void, void> {
    this.#held.push(piece);
    this.#heldBytes += piece.length;
    while (this.#heldBytes >= this.#wanted) {
      const bytes = this.#held.length === 1 ? (this.#held[0] as Buffer) : Buffer.concat(this.#held);
      const length = bytes.readUInt32BE(1);
      if (length > MAX_PAYLOAD) throw new RangeError(`a frame of ${length} bytes`);
      const end = HEAD_BYTES + length;
      this.#held = [bytes];
      if (bytes.length < end) {
        this.#wanted = end;
        return;
      }
      const rest = bytes.subarray(end);
      this.#held = rest.length > 0 ? [rest] : [];
      this.#heldBytes = rest.length;
      this.#wanted = HEAD_BYTES;
      yield { type: bytes.toString('latin1', 0, 1), payload: bytes.subarray(HEAD_BYTES, end) };
    }
  }
}
