import { isIP } from 'node:net';
import { address } from '../model/address.ts';
import type { Client, Helo, Tls } from '../model/session.ts';

/** What the environment and the topmost Received field say of who brought the message. */
export interface Bringer {
  /** Null for a message that came over no network. */
  readonly client: Client | null;
  readonly helo: Helo | null;
  readonly tls: Tls | null;
  /**
   * The user has proved who he is: qmail-smtpd says so in the field that it writes (RFC 3848: `ESMTPA`, `ESMTPSA`), or, as
   * qmail-dkim has it, by AUTHINFO.
   */
  readonly authenticated: boolean;
}

/** The Received field that qmail-smtpd, or qpsmtpd 0.94, has just written (qmail-queue.md 2.1), unfolded. */
const BY_QMAIL_SMTPD =
  /^Received: from (\S+)( \(HELO ([^)]*)\))? \((?:[^)]*@)?([^)@]+)\)\s+by \S+(?: \(qpsmtpd[^)]*\))? with (\S+)(?: encrypted)?;/;

/**
 * Who brought a message: the client from the environment that tcpserver has made (tcp-environ(5)), HELO from the field
 * that qmail-smtpd has written on top. The field counts only when it names the address that the environment names: below
 * qmail-inject, what stands on top is somebody else's. `header`: the message's header block, a byte string, CRLF lines.
 */
export function bringer(variables: ReadonlyMap<string, string>, header: string): Bringer {
  const told = variables.get('TCPREMOTEIP') ?? '';
  const ip = told.replace(/%.*$/s, '');
  if (isIP(ip) === 0) return { client: null, helo: null, tls: null, authenticated: false };
  const client: Client = {
    ip: ip.replace(/^::ffff:(?=[0-9.]+$)/i, '').toLowerCase(),
    port: portOf(variables.get('TCPREMOTEPORT')),
    localIp: variables.get('TCPLOCALIP') ?? '',
    localPort: portOf(variables.get('TCPLOCALPORT')),
    reverseName: variables.get('TCPREMOTEHOST') || null,
    ident: variables.get('TCPREMOTEINFO') || null,
  };
  const known = (variables.get('AUTHINFO') ?? '') !== '';
  const field = /^.*(?:\r\n[ \t].*)*/.exec(header)?.[0].replaceAll('\r\n', '') ?? '';
  const [, host = '', , name, shownIp, protocol = ''] = BY_QMAIL_SMTPD.exec(field) ?? [];
  if (shownIp === undefined || !sameAddress(shownIp, told))
    return { client, helo: null, tls: null, authenticated: known };
  const verb = /^E|^UTF8/i.test(protocol) ? 'EHLO' : 'HELO';
  const authenticated = known || /^(?:UTF8)?E?SMTPS?A$/i.test(protocol);
  const encrypted = /^(?:UTF8)?E?SMTPS/i.test(protocol);
  return {
    client,
    // The name is left out when it is the reverse name.
    helo: { verb, name: name ?? host },
    tls: encrypted
      ? { protocol: variables.get('SSL_PROTOCOL') ?? 'TLS', cipher: variables.get('SSL_CIPHER') ?? '' }
      : null,
    authenticated,
  };
}

/** qmail-smtpd writes `?` for bytes that it does not like, which an address has none of. */
function sameAddress(shown: string, ip: string): boolean {
  return address(shown).text.toLowerCase() === ip.toLowerCase();
}

function portOf(text: string | undefined): number {
  const port = Number(text);
  return Number.isInteger(port) && port > 0 && port < 65_536 ? port : 0;
}
