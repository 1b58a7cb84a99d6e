/** Where the reader is within a line. */
const START = 0;
const MID = 1;
const AFTER_CR = 2;
const AFTER_DOT = 3;
const AFTER_DOT_CR = 4;

const CR = 13;
const LF = 10;
const DOT = 46;

/** What one chunk of the DATA phase gave. */
export interface DataPiece {
  /** Message bytes, dots removed; usually part of the chunk itself. May be empty. */
  readonly body: Buffer;
  /** What came after the final dot; null while the message goes on. */
  readonly rest: Buffer | null;
}

/**
 * Reads the DATA phase (RFC 5321 4.5.2): finds its end, which is CRLF `.` CRLF and nothing else, and takes out the
 * dots that were stuffed. Notes bare CR, bare LF and NUL but changes nothing about them: every variant of an end of
 * data that some other server might believe in is one of those.
 *
 * Works in place: chunks given to `push` belong to the reader. One pass, no allocation for ordinary text.
 */
export class DataReader {
  lines = 0;
  bareCr = false;
  bareLf = false;
  nul = false;
  /** Some line begins with a dot after unstuffing. */
  dotLines = false;
  #state = START;
  #bits = 0;

  /** Some byte is above 127. */
  get eightBit(): boolean {
    return (this.#bits & 0x80) !== 0;
  }

  push(chunk: Buffer): DataPiece {
    const length = chunk.length;
    let state = this.#state;
    let bits = this.#bits;
    /** Next byte to read, and next to write; equal until a dot has been taken out of this chunk. */
    let at = 0;
    let to = 0;
    let lead: Buffer | null = null;
    while (at < length) {
      if (state === MID) {
        let byte = 0;
        if (to === at) {
          while (at < length && (byte = chunk[at] as number) > CR) {
            bits |= byte;
            at++;
          }
          to = at;
        } else {
          while (at < length && (byte = chunk[at] as number) > CR) {
            bits |= byte;
            chunk[to++] = byte;
            at++;
          }
        }
        if (at >= length) break;
        chunk[to++] = byte;
        at++;
        if (byte === CR) state = AFTER_CR;
        else if (byte === LF) this.bareLf = true;
        else if (byte === 0) this.nul = true;
        continue;
      }
      const byte = chunk[at] as number;
      if (state === START) {
        // Lines that are nothing but a dot, one after the other: dear in any byte loop, so sent by those who want that.
        const from = at;
        while (
          at + 3 < length &&
          chunk[at] === DOT &&
          chunk[at + 1] === DOT &&
          chunk[at + 2] === CR &&
          chunk[at + 3] === LF
        ) {
          chunk[to] = DOT;
          chunk[to + 1] = CR;
          chunk[to + 2] = LF;
          to += 3;
          at += 4;
        }
        if (at > from) {
          this.lines += (at - from) / 4;
          this.dotLines = true;
        } else if (byte === DOT) {
          state = AFTER_DOT;
          at++;
        } else state = MID;
      } else if (state === AFTER_CR) {
        if (byte === LF) {
          this.lines++;
          chunk[to++] = byte;
          at++;
          state = START;
        } else {
          this.bareCr = true;
          state = MID;
        }
      } else if (state === AFTER_DOT) {
        if (byte === CR) {
          state = AFTER_DOT_CR;
          at++;
        } else {
          if (byte === DOT) this.dotLines = true;
          state = MID;
        }
      } else if (byte === LF) {
        this.#state = START;
        this.#bits = bits;
        return { body: joined(lead, chunk.subarray(0, to)), rest: chunk.subarray(at + 1) };
      } else {
        // A line of one dot that a bare CR ends: the CR belongs to the text.
        this.bareCr = true;
        state = MID;
        if (to < at) chunk[to++] = CR;
        else lead = Buffer.from([CR]);
      }
    }
    this.#state = state;
    this.#bits = bits;
    return { body: joined(lead, chunk.subarray(0, to)), rest: null };
  }
}

function joined(lead: Buffer | null, body: Buffer): Buffer {
  return lead === null ? body : Buffer.concat([lead, body]);
}
