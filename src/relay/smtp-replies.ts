import type { Reply } from '../model/reply.ts';

/** Longest reply line that is read, in bytes. RFC 5321 4.5.3.1.5 allows 512; some hops paste whole bounces. */
export const LINE_LIMIT = 4096;
/** Bytes of a line's text that are kept. */
export const TEXT_KEPT = 512;
/** Lines of one reply. An EHLO reply has some twenty. */
export const LINES_LIMIT = 100;

/** What of an unfinished line is worth keeping: code, separator, text. */
const LINE_KEPT = 4 + TEXT_KEPT;

const LF = 0x0a;
const DIGIT_0 = 0x30;
const DIGIT_9 = 0x39;

/**
 * Reads the replies of an SMTP or LMTP server (RFC 5321 4.2) out of bytes that come in pieces of any size. Complete
 * replies are handed out by `take`; the first thing that is not a reply, or is past a limit, sets `error`, after which
 * further bytes are ignored. Texts are byte strings; an enhanced status (RFC 2034) at the start of each line is split
 * off. A bare LF ends a line too, since nothing can be smuggled in a reply.
 */
export class ReplyReader {
  /** What was wrong, for the operator; null as long as everything read was a reply. */
  error: string | null = null;
  readonly #complete: Reply[] = [];
  /** The unfinished line, cut at LINE_KEPT, and its true length so far. */
  #partial = '';
  #length = 0;
  /** The unfinished reply; code 0 when none was begun. */
  #code = 0;
  #enhanced = '';
  #lines: string[] = [];

  /** Takes the next bytes. They are not kept: the caller may use the buffer again. */
  push(bytes: Buffer, end = bytes.length): void {
    let at = 0;
    while (at < end && this.error === null) {
      let lf = bytes.indexOf(LF, at);
      if (lf < 0 || lf > end) lf = end;
      const room = LINE_KEPT - this.#partial.length;
      if (room > 0 && lf > at) this.#partial += bytes.toString('latin1', at, Math.min(lf, at + room));
      this.#length += lf - at;
      at = lf + 1;
      if (this.#length > LINE_LIMIT) this.error = `reply line longer than ${LINE_LIMIT} bytes`;
      else if (lf < end) this.#endLine();
    }
  }

  /** The next complete reply, oldest first; undefined when there is none. */
  take(): Reply | undefined {
    return this.#complete.shift();
  }

  /** True when nothing is left over: no reply to take and none begun. */
  get empty(): boolean {
    return this.#complete.length === 0 && this.#code === 0 && this.#length === 0;
  }

  #endLine(): void {
    const whole = this.#length <= LINE_KEPT && this.#partial.endsWith('\r');
    const line = whole ? this.#partial.slice(0, -1) : this.#partial;
    this.#partial = '';
    this.#length = 0;

    const code = replyCode(line);
    const separator = line.length > 3 ? line[3] : ' ';
    if (code === 0 || (separator !== ' ' && separator !== '-')) {
      this.error = 'not an SMTP reply';
      return;
    }
    let text = line.slice(4);
    if (this.#code === 0) {
      this.#code = code;
      this.#enhanced = enhancedStatus(text, code);
    } else if (code !== this.#code) {
      this.error = `reply code changes from ${this.#code} to ${code} within a reply`;
      return;
    } else if (this.#lines.length >= LINES_LIMIT) {
      this.error = `reply of more than ${LINES_LIMIT} lines`;
      return;
    }
    const status = this.#enhanced;
    if (
      status !== '' &&
      text.startsWith(status) &&
      (text.length === status.length || text[status.length] === ' ')
    ) {
      text = text.slice(status.length + 1);
    }
    this.#lines.push(text);
    if (separator === '-') return;
    this.#complete.push({ code, enhanced: status, lines: this.#lines });
    this.#code = 0;
    this.#enhanced = '';
    this.#lines = [];
  }
}

/** The code that begins `line`, 200 to 599, or 0. */
function replyCode(line: string): number {
  if (line.length < 3) return 0;
  for (let i = 0; i < 3; i++) {
    const c = line.charCodeAt(i);
    if (c < DIGIT_0 || c > DIGIT_9) return 0;
  }
  const code = Number(line.slice(0, 3));
  return code >= 200 && code < 600 ? code : 0;
}

/** The enhanced status that begins `text`, when its class is that of `code` (RFC 2034 section 4); else `''`. */
function enhancedStatus(text: string, code: number): string {
  const match = /^([245])\.\d{1,3}\.\d{1,3}(?= |$)/.exec(text);
  return match !== null && Number(match[1]) === Math.floor(code / 100) ? match[0] : '';
}
