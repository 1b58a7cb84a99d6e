import type { HeloFacts } from '../model/session.ts';

const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** RFC 5322 3.3 date-time, always in UTC, as qmail writes it. */
export function mailDate(ms: number): string {
  const d = new Date(ms);
  const two = (n: number) => String(n).padStart(2, '0');
  const time = `${two(d.getUTCHours())}:${two(d.getUTCMinutes())}:${two(d.getUTCSeconds())}`;
  return `${DAYS[d.getUTCDay()]}, ${d.getUTCDate()} ${MONTHS[d.getUTCMonth()]} ${d.getUTCFullYear()} ${time} -0000`;
}

/**
 * Our Received field (RFC 5321 4.4), CRLF lines. `recipient` is named only when it is the only one, so that nobody
 * learns of blind copies. What the client said is cleaned: it can add neither lines nor comments.
 */
export function receivedField(
  facts: HeloFacts & { readonly smtputf8: boolean },
  me: string,
  eventId: string,
  now: number,
  recipient: string | null,
): string {
  const { client, helo, tls } = facts;
  const base = facts.smtputf8 ? 'UTF8SMTP' : helo?.verb === 'EHLO' ? 'ESMTP' : 'SMTP';
  const protocol = `${base}${tls ? 'S' : ''}`;
  const said = clean(helo?.name ?? '') || 'unknown';
  const from =
    client === null
      ? ''
      : ` from ${said} (${clean(client.reverseName ?? '') || 'unknown'} [${addressLiteral(client.ip)}])\r\n`;
  const secured = tls ? ` (${clean(tls.protocol)} ${clean(tls.cipher)})` : '';
  const forWhom = recipient === null ? '' : `\r\n for <${clean(recipient)}>`;
  return `Received:${from} by ${me} with ${protocol}${secured} id ${eventId}${forWhom};\r\n ${mailDate(now)}\r\n`;
}

/** Our Received field behind qmail-smtpd, which has written one with the client in it: who we are, and the event. CRLF lines. */
export function queuedField(me: string, eventId: string, now: number): string {
  return `Received: by ${me} (Postern, before the queue) id ${eventId};\r\n ${mailDate(now)}\r\n`;
}

function addressLiteral(ip: string): string {
  return ip.includes(':') ? `IPv6:${ip}` : ip;
}

/** Letters, digits and the punctuation of names and addresses; everything else becomes `?` (as qmail does). */
function clean(text: string): string {
  return text.slice(0, 255).replace(/[^A-Za-z0-9.@=:%+/_\-[\]]/g, '?');
}
