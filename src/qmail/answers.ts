import type { Reply } from '../model/reply.ts';
import type { QueueEnvelope } from './envelope.ts';
import { envelopeBytes } from './envelope.ts';
import { frames } from './frames.ts';

/** Exit codes for callers that take no text (qmail-queue.md 3): permanently and temporarily refused. */
const REFUSED = 31;
const REFUSED_FOR_NOW = 71;

/** Room that postern-queue has for our header block, bytes. */
export const MAX_HEADER_BLOCK = 60_000;

/** Bytes of a text that postern-queue uses. */
const MAX_TEXT = 240;

/** Yes: what goes in front of the message (LF lines), who gets it, and the program that queues it. */
export function yes(headerBlock: Buffer, next: string, envelope: QueueEnvelope): Buffer[] {
  return [
    ...frames('H', headerBlock),
    ...frames('N', Buffer.from(next, 'latin1')),
    ...frames('R', envelopeBytes(envelope)),
    ...frames('Y'),
  ];
}

/** Nobody is left to get the message, and all of it has been seen to. */
export function allSeenTo(): Buffer[] {
  return frames('A');
}

/** No, with the reply's own text; qmail-smtpd puts 554 or 451 in front. */
export function no(reply: Reply, eventId: string | null): Buffer[] {
  const permanent = reply.code >= 500;
  const id = eventId === null ? '' : ` [${eventId}]`;
  const said = reply.lines.join(' ');
  // The status at the end of the text is all that qmail-smtpd passes on of it.
  const status =
    reply.enhanced === '' || said.includes(`(#${reply.enhanced})`) ? '' : ` (#${reply.enhanced})`;
  const text = `${said.slice(0, MAX_TEXT - id.length - status.length)}${status}${id}`;
  const code = permanent ? REFUSED : REFUSED_FOR_NOW;
  return frames('X', Buffer.from(`${String.fromCharCode(code)}${permanent ? 'D' : 'Z'}${text}`, 'latin1'));
}
