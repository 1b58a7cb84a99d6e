/**
 * What a client reads. The edges render it: SMTP as `code enhanced text [id]`, QMAILQUEUE as an exit code.
 * Texts of the classic tools are kept byte for byte, trailing `(#5.7.1)` included, since bounces and log readers know
 * them.
 */
export interface Reply {
  /** SMTP reply code. */
  readonly code: number;
  /** RFC 3463 enhanced status, `5.7.1`; `''` for replies that carry none (banner, EHLO, 354). */
  readonly enhanced: string;
  /** One line of text for each line of the reply. */
  readonly lines: readonly string[];
  /** The answer ends the session. */
  readonly close?: boolean;
}

/** A one-line reply. */
export function reply(code: number, enhanced: string, text: string): Reply {
  return { code, enhanced, lines: [text] };
}

/** A one-line reply after which the connection is closed. */
export function closing(code: number, enhanced: string, text: string): Reply {
  return { code, enhanced, lines: [text], close: true };
}
