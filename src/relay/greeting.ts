import net from 'node:net';
import type tls from 'node:tls';
import type { Reply } from '../model/reply.ts';
import { inOneLine, isPositive, TROUBLE } from './answers.ts';
import { Connection, NO_FEATURES } from './connection.ts';
import type { Features, Place } from './connection.ts';

export type Protocol = 'smtp' | 'lmtp';

/**
 * `off`: never. `opportunistic`: when the hop offers it, unverified, and in clear when it fails, since clear is what
 * one would have had without. `required`: verified against the hop's name, or no delivery.
 */
export type TlsUse = 'off' | 'opportunistic' | 'required';

/** How long a hop may take, in milliseconds. */
export interface Timeouts {
  /** To establish a connection. */
  readonly connect: number;
  /** For each reply but the last, and for each piece of the message to be taken. */
  readonly reply: number;
  /** For the reply to the final dot, when the hop may be scanning (RFC 5321 4.5.3.2.6 wants 10 minutes). */
  readonly final: number;
}

/** How to open a conversation with a hop. */
export interface Manner {
  readonly protocol: Protocol;
  readonly tls: TlsUse;
  /** The name we give ourselves. */
  readonly ourName: string;
  readonly timeouts: Timeouts;
  /** Certificates to trust for `required` in place of the built-in ones, PEM. */
  readonly ca?: string;
}

/** The verbs in which LMTP differs (RFC 2033 section 4.1); it has nothing to fall back to. */
const GREETINGS = {
  smtp: { extended: 'EHLO', plain: 'HELO' },
  lmtp: { extended: 'LHLO', plain: null },
} as const;

/**
 * Connects to `place`, waits for the banner, says EHLO (HELO, LHLO) and STARTTLS as wanted. Gives a connection ready for
 * MAIL, or the temporary answer to hand on. A 5xx banner counts as trouble too: it refuses us, not a recipient.
 * @param host the name to show in TLS and to verify
 * @param hop the hop in words
 */
export async function openConnection(
  place: Place,
  host: string,
  hop: string,
  manner: Manner,
): Promise<Connection | Reply> {
  const first = await greet(place, hop, manner);
  if (!(first instanceof Connection) || manner.tls === 'off') return first;
  if (!first.features.startTls) {
    if (manner.tls === 'opportunistic') return first;
    void first.quit();
    return TROUBLE.tls('not offered');
  }
  const trouble = await startTls(first, host, manner);
  if (trouble === null) return first;
  first.destroy(trouble);
  return manner.tls === 'opportunistic' ? greet(place, hop, manner) : trouble;
}

/** Banner and EHLO in clear. */
async function greet(place: Place, hop: string, manner: Manner): Promise<Connection | Reply> {
  const { timeouts } = manner;
  const connection = new Connection(place, hop);
  if (!(await connection.connected(timeouts.connect))) return connection.trouble ?? TROUBLE.closed;
  connection.expect(1);
  const banner = await connection.read(timeouts.reply);
  if (banner === null) return connection.trouble ?? TROUBLE.closed;
  if (banner.code !== 220) return turnedAway(connection, banner);
  const refusal = await hello(connection, manner);
  return refusal === null ? connection : turnedAway(connection, refusal);
}

/** Says EHLO and notes the features; null, or the reply that is not a yes. */
async function hello(connection: Connection, manner: Manner): Promise<Reply | null> {
  const { extended, plain } = GREETINGS[manner.protocol];
  connection.command(`${extended} ${manner.ourName}\r\n`);
  const said = await connection.read(manner.timeouts.reply);
  if (said === null) return connection.trouble ?? TROUBLE.closed;
  if (isPositive(said)) {
    connection.features = features(said);
    return null;
  }
  if (plain === null || said.code < 500 || !connection.usable) return said;
  connection.features = NO_FEATURES;
  connection.command(`${plain} ${manner.ourName}\r\n`);
  const second = await connection.read(manner.timeouts.reply);
  if (second === null) return connection.trouble ?? TROUBLE.closed;
  return isPositive(second) ? null : second;
}

/** STARTTLS and EHLO again, for what was said in clear does not count (RFC 3207 section 4.2); null when all is well. */
async function startTls(connection: Connection, host: string, manner: Manner): Promise<Reply | null> {
  const { timeouts } = manner;
  connection.command('STARTTLS\r\n');
  const said = await connection.read(timeouts.reply);
  if (said === null) return connection.trouble ?? TROUBLE.closed;
  if (said.code !== 220) return TROUBLE.tls(inOneLine(said));
  if (!(await connection.secure(tlsOptions(host, manner), timeouts.reply))) {
    const why = connection.trouble?.lines[0] ?? '';
    return connection.trouble?.enhanced === '4.7.5' ? connection.trouble : TROUBLE.tls(why);
  }
  const refusal = await hello(connection, manner);
  return refusal === null ? null : TROUBLE.tls(inOneLine(refusal));
}

function tlsOptions(host: string, manner: Manner): tls.ConnectionOptions {
  return {
    host,
    // RFC 6066 section 3: no IP addresses in SNI.
    ...(net.isIP(host) === 0 ? { servername: host } : {}),
    rejectUnauthorized: manner.tls === 'required',
    ...(manner.ca === undefined ? {} : { ca: manner.ca }),
  };
}

function turnedAway(connection: Connection, said: Reply): Reply {
  if (connection.trouble === null) void connection.quit();
  if (said === connection.trouble) return said;
  return TROUBLE.noConnection(`it said ${inOneLine(said)}`);
}

/** The keywords of an EHLO reply that matter here. */
export function features(said: Reply): Features {
  let { pipelining, eightBitMime, smtputf8, startTls, size, sizeLimit } = NO_FEATURES;
  for (const line of said.lines.slice(1)) {
    const [keyword = '', parameter = ''] = line.trim().split(/[ =]+/, 2);
    switch (keyword.toUpperCase()) {
      case 'PIPELINING':
        pipelining = true;
        break;
      case '8BITMIME':
        eightBitMime = true;
        break;
      case 'SMTPUTF8':
        smtputf8 = true;
        break;
      case 'STARTTLS':
        startTls = true;
        break;
      case 'SIZE':
        size = true;
        sizeLimit = /^\d{1,15}$/.test(parameter) ? Number(parameter) : 0;
        break;
      default:
    }
  }
  return { pipelining, eightBitMime, smtputf8, startTls, size, sizeLimit };
}
