import type { Address } from './address.ts';
import type { SpfOutcome } from './spf.ts';

/** Who is connected. Absent (`null` in Session) for a local submission that came over no network. */
export interface Client {
  /** Normalised text form: dotted IPv4 (mapped addresses too), or compressed lower-case IPv6. */
  readonly ip: string;
  readonly port: number;
  /** Our end of the connection. */
  readonly localIp: string;
  readonly localPort: number;
  /** Reverse name as DNS gave it (case kept), or null when there is none or nobody asked. */
  readonly reverseName: string | null;
  /** RFC 1413 answer, or null. */
  readonly ident: string | null;
}

/** The program that queued a message through us, by its process. */
export interface Caller {
  readonly uid: number;
  readonly gid: number;
  readonly pid: number;
  /** Of the one that started it: qmail-smtpd, qmail-inject. */
  readonly ppid: number;
}

/** TLS as negotiated on this connection. */
export interface Tls {
  readonly protocol: string;
  readonly cipher: string;
}

export interface Helo {
  readonly verb: 'HELO' | 'EHLO';
  /** The argument as sent, a byte string; may be empty. */
  readonly name: string;
}

/** What is known when the `connect` checks run. */
export interface ConnectFacts {
  /** Id of the connection: in every log line, and the beginning of every event id of the session. */
  readonly sessionId: string;
  readonly client: Client | null;
  /** True for clients that may relay: RELAYCLIENT is set, or (later) the user is authenticated. */
  readonly relayClient: boolean;
  /** When the session began, milliseconds since the epoch. */
  readonly startedAt: number;
  /** How the client spoke before its turn: bytes it sent before the banner, or 0. */
  readonly earlyBytes: number;
}

/** ... when the `helo` checks run. A client may say MAIL without HELO; then `helo` is null. */
export interface HeloFacts extends ConnectFacts {
  readonly helo: Helo | null;
  readonly tls: Tls | null;
}

/** MAIL parameters that change how a message is treated; unknown ones never get this far. */
export interface MailParameters {
  /** SIZE=n, bytes, as the client announced it. */
  readonly size: number | null;
  readonly body: '7BIT' | '8BITMIME' | null;
  readonly smtputf8: boolean;
  /** The client wants an answer for each recipient after the message (PRDR, draft-hall-prdr-00). */
  readonly prdr?: boolean;
}

/** ... when the `mail` checks run. */
export interface MailFacts extends HeloFacts {
  /** The envelope sender; null is the null sender `<>` of bounces (RFC 5321 4.5.5). */
  readonly sender: Address | null;
  readonly parameters: MailParameters;
  /** SPF of the client for this sender: evaluated for the first who asks, and never when there is no client. */
  spf(): SpfOutcome | Promise<SpfOutcome>;
}

/** ... when the `rcpt` checks run, once for each recipient. */
export interface RcptFacts extends MailFacts {
  readonly recipient: Address;
  /** The client gave no domain; the one in `recipient` is ours. */
  readonly unqualified: boolean;
  /** RCPT commands since MAIL, refused ones and this one included. */
  readonly attempts: number;
  /** Recipients accepted so far in this transaction, this one not included. */
  readonly accepted: number;
}

/** ... when the `data` checks run. */
export interface DataFacts extends MailFacts {
  readonly recipients: readonly Address[];
}
