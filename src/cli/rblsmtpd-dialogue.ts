import { fstatSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';

/** rblsmtpd 0.88 cuts list texts here, before it replaces bytes. */
const MAX_TEXT_BYTES = 200;
/** Longer than any verb that is answered with something else than the refusal. */
const VERB_BYTES = 8;
/** Input taken at once: each byte may be a line, and each line is answered with up to 206 bytes. */
const SLICE_BYTES = 4096;
/** setTimeout takes no more milliseconds than this. */
const MAX_TIMER_MS = 2 ** 31 - 1;

const GREETING = '220 rblsmtpd.local\r\n';
const OK = '250 rblsmtpd.local\r\n';
const BYE = '221 rblsmtpd.local\r\n';
const HARMLESS = new Set(['helo', 'ehlo', 'mail', 'rset', 'noop']);

/** The refusal without its line end: code and text, 200 bytes of it, `?` for every byte below 32 or above 126. */
export function refusalLine(code: 451 | 553, text: string): string {
  return `${code} ${text.slice(0, MAX_TEXT_BYTES).replace(/[^\x20-\x7e]/g, '?')}`;
}

/**
 * The commands of a refused client, byte by byte: HELO, EHLO, MAIL, RSET and NOOP are answered 250, QUIT 221, everything
 * else with the refusal. Lines end at LF, a CR before it is dropped, the verb ends at the first space.
 */
export class RefusalDialogue {
  readonly greeting = GREETING;
  readonly #refusal: string;
  #verb = '';
  #length = 0;
  #quit = false;

  constructor(refusal: string) {
    this.#refusal = `${refusal}\r\n`;
  }

  /** True once the client has said QUIT: nothing after it is read. */
  get quit(): boolean {
    return this.#quit;
  }

  /** What to answer to the next bytes; `''` when no line is complete. */
  feed(bytes: Uint8Array): string {
    let answer = '';
    for (const byte of bytes) {
      if (this.#quit) break;
      if (byte === 0x0a) answer += this.#line();
      else if (++this.#length <= VERB_BYTES) this.#verb += String.fromCharCode(byte);
    }
    return answer;
  }

  #line(): string {
    const whole =
      this.#length <= VERB_BYTES && this.#verb.endsWith('\r') ? this.#verb.slice(0, -1) : this.#verb;
    // djb's strings end at a NUL as well.
    // oxlint-disable-next-line no-control-regex
    const verb = whole.split(/[ \0]/, 1)[0]?.toLowerCase() ?? '';
    this.#verb = '';
    this.#length = 0;
    if (HARMLESS.has(verb)) return OK;
    if (verb !== 'quit') return this.#refusal;
    this.#quit = true;
    return BYE;
  }
}

/**
 * Holds the conversation with a refused client on descriptors 0 and 1 and exits 0: after QUIT, at the end of the input,
 * when the client is gone, or without a word after `timeoutSeconds` in all. With 0 seconds the refusal is the only line.
 */
export function refuseOnStdio(refusal: string, timeoutSeconds: number): void {
  const output = outputOn(1);
  if (timeoutSeconds === 0) {
    output.end(`${refusal}\r\n`);
    return;
  }
  setTimeout(() => process.exit(0), Math.min(timeoutSeconds * 1000, MAX_TIMER_MS));
  const dialogue = new RefusalDialogue(refusal);
  output.write(dialogue.greeting, () => {});
  const input = process.stdin;
  const answer = (bytes: Buffer): void => {
    const text = dialogue.feed(bytes.subarray(0, SLICE_BYTES));
    if (dialogue.quit) {
      input.destroy();
      output.end(text);
      return;
    }
    // The next bytes are read when these answers are on their way: who does not read gets none stored up.
    input.pause();
    output.write(text, () =>
      bytes.length > SLICE_BYTES ? answer(bytes.subarray(SLICE_BYTES)) : input.resume(),
    );
  };
  input.on('data', answer);
  input.on('end', () => output.end(''));
  input.on('error', () => process.exit(0));
}

interface Output {
  write(text: string, written: () => void): void;
  /** Writes and exits. */
  end(text: string): void;
}

/** Descriptor `fd` for writing without blocking: process.stdout would block on a client that does not read, and the timer with it. */
function outputOn(fd: number): Output {
  const kind = fstatSync(fd);
  if (!kind.isSocket() && !kind.isFIFO()) {
    return {
      write: (text, written) => {
        writeSync(fd, text, null, 'latin1');
        written();
      },
      end: text => {
        writeSync(fd, text, null, 'latin1');
        process.exit(0);
      },
    };
  }
  const socket = new Socket({ fd, readable: false, writable: true });
  socket.on('error', () => process.exit(0));
  return {
    write: (text, written) => void (text === '' ? written() : socket.write(text, 'latin1', () => written())),
    end: text => void socket.write(text, 'latin1', () => process.exit(0)),
  };
}
