/** The verbs that have a message looked at; what comes back in the answer's body differs. */
export type SpamdScanVerb = 'CHECK' | 'SYMBOLS' | 'REPORT' | 'HEADERS' | 'PROCESS';

export type SpamdRequest =
  | {
      readonly verb: SpamdScanVerb;
      /** Exact number of message bytes that will follow. */
      readonly size: number;
      /** Whose preferences count, a byte string; null: none is named. */
      readonly user: string | null;
    }
  | {
      readonly verb: 'TELL';
      readonly size: number;
      readonly user: string | null;
      /** What the message is, for the Bayes data base. */
      readonly as: 'spam' | 'ham';
    }
  | { readonly verb: 'PING' };

/**
 * Longest user name that is sent, bytes: a mailbox has at most 254 (RFC 5321 4.5.3.1.3), and nobody's preferences are
 * under a longer name.
 */
export const USER_LIMIT = 320;

/**
 * What goes before the message in a spamd request, SPAMC/1.5 (SpamAssassin 4.0.1, spamd/PROTOCOL). Header names are in
 * the letter case that spamd insists on. Throws a RangeError for a size that is no number of bytes: a bug of the caller.
 */
export function spamdRequestHead(request: SpamdRequest): Buffer {
  const lines = [`${request.verb} SPAMC/1.5`];
  if (request.verb !== 'PING') {
    if (!Number.isSafeInteger(request.size) || request.size < 0) throw new RangeError(`size ${request.size}`);
    lines.push(`Content-length: ${request.size}`);
    const user = spamdUser(request.user);
    if (user !== null) lines.push(`User: ${user}`);
    if (request.verb === 'TELL') lines.push(`Message-class: ${request.as}`, 'Set: local');
  }
  // From 1.5 on PING too is followed by an empty line (SpamAssassin bug 6187).
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
}

/**
 * The user as spamd can be told, or null when it can't: empty, too long, or with a control character. Such a name would be
 * refused by spamd, or would end the header line; the message is then scored with the service's own preferences, so
 * that no sender gets around the scan by an odd recipient address.
 */
export function spamdUser(user: string | null): string | null {
  if (user === null || user.length > USER_LIMIT || !/^[\x20-\x7e\x80-\xff]+$/.test(user)) return null;
  const trimmed = user.trim();
  return trimmed === '' ? null : trimmed;
}
