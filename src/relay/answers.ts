import type { HopAnswer } from '../model/delivery.ts';
import { reply } from '../model/reply.ts';
import type { Reply } from '../model/reply.ts';

/** Bytes of a next hop's text that are passed on, all lines together: with our event id a reply line stays below 512. */
const TEXT_PASSED_ON = 400;

/**
 * Refusals that are about the talk between us and the hop, not about the mail: bad sequence, TLS or a login wanted.
 * They are our operator's trouble, so the client is told to come again.
 */
const OURS_TO_MEND: ReadonlySet<number> = new Set([503, 530, 534, 535, 538]);

/** Why a next hop gave no usable answer. All are temporary: the client keeps its mail and comes again. */
export const TROUBLE = {
  noConnection: (why: string): Reply => reply(451, '4.4.1', `next hop cannot be reached: ${why}`),
  closed: reply(451, '4.4.2', 'next hop closed the connection'),
  lost: (why: string): Reply => reply(451, '4.4.2', `connection to next hop lost: ${why}`),
  silent: reply(451, '4.4.2', 'next hop did not answer in time'),
  garbage: (why: string): Reply => reply(451, '4.5.0', `next hop does not speak the protocol: ${why}`),
  tls: (why: string): Reply => reply(451, '4.7.5', `no TLS with next hop: ${why}`),
  damaged: reply(451, '4.3.0', 'message could not be read back intact'),
  givenUp: reply(451, '4.3.0', 'delivery given up'),
  /** Temporary, since it is our configuration that is wrong: a domain whose MX we are, without a route. */
  ourselves: reply(451, '4.4.6', 'mail for this domain would come back here'),
  noRoute: reply(451, '4.4.0', 'no route to this domain'),
} as const;

/** Refusals of ours on behalf of a hop that lacks an extension. */
export const LACKS = {
  smtputf8: reply(553, '5.6.7', 'next hop does not support SMTPUTF8'),
  eightBit: reply(554, '5.6.3', 'next hop does not take 8-bit messages'),
  size: reply(552, '5.3.4', 'message is larger than the next hop takes'),
} as const;

/**
 * What a hop's reply at MAIL, RCPT, DATA or after the final dot means, and how it is passed on: its own code, status
 * and words, cleaned. 421 becomes 451, for it speaks of the hop's connection and not of the client's. A code that has no place there is `failed`.
 */
export function answerOf(said: Reply, hop: string): HopAnswer {
  const { code } = said;
  if (code >= 200 && code < 300) return { kind: 'accepted', reply: cleaned(said, code), hop };
  if (code >= 400 && code < 500)
    return { kind: 'failed', reply: cleaned(said, code === 421 ? 451 : code), hop };
  if (code >= 500 && code < 600 && !OURS_TO_MEND.has(code)) {
    return { kind: 'refused', reply: cleaned(said, code), hop };
  }
  return { kind: 'failed', reply: TROUBLE.garbage(`unexpected reply ${code}`), hop };
}

/** True when a reply says yes. */
export function isPositive(said: Reply): boolean {
  return said.code >= 200 && said.code < 300;
}

/** `said` in one short printable line, for our own texts and logs. */
export function inOneLine(said: Reply): string {
  const clean = cleaned(said, said.code);
  return [String(said.code), said.enhanced, ...clean.lines].filter(s => s !== '').join(' ');
}

function cleaned(said: Reply, code: number): Reply {
  let room = TEXT_PASSED_ON;
  const lines: string[] = [];
  for (const line of said.lines) {
    if (room <= 0) break;
    const text = printable(line.length > room ? line.slice(0, room) : line);
    lines.push(text);
    room -= text.length;
  }
  const status = said.enhanced === '' ? `${Math.floor(code / 100)}.0.0` : said.enhanced;
  return { code, enhanced: status, lines };
}

/** `text` with control characters as blanks. Bytes above 127 stay: a hop with SMTPUTF8 may answer in UTF-8. */
function printable(text: string): string {
  for (let i = 0; i < text.length; i++) {
    if (isControl(text.charCodeAt(i)))
      return Array.from(text, c => (isControl(c.charCodeAt(0)) ? ' ' : c)).join('');
  }
  return text;
}

function isControl(code: number): boolean {
  return code < 0x20 || code === 0x7f;
}
