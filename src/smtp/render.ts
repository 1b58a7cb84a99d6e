import type { Reply } from '../model/reply.ts';

/** How replies look; see the setting `replies`. */
export type ReplyStyle = 'enhanced' | 'classic';

/** Longest text of a reply line: RFC 5321 4.5.3.1.5 allows 512 bytes with code and CRLF. */
const MAX_TEXT = 500;

/**
 * A reply as bytes for the client, CRLF lines. `enhanced` puts the enhanced status in front and the event id behind;
 * `classic` gives code and text alone, as qmail-smtpd did. Text is made printable ASCII: nothing in it can end the
 * line.
 */
export function renderReply(reply: Reply, style: ReplyStyle, eventId: string | null): string {
  const status = style === 'enhanced' && reply.enhanced !== '' ? `${reply.enhanced} ` : '';
  const id = style === 'enhanced' && eventId !== null ? ` [${eventId}]` : '';
  const lines = reply.lines.length > 0 ? reply.lines : [''];
  const last = lines.length - 1;
  let out = '';
  for (const [i, line] of lines.entries()) {
    const text = status + line.replace(/[^\x20-\x7e]/g, '?');
    const tail = i === last ? id : '';
    out += `${reply.code}${i === last ? ' ' : '-'}${text.slice(0, MAX_TEXT - tail.length)}${tail}\r\n`;
  }
  return out;
}
