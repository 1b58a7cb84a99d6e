import type { BodyKind } from '../message.ts';
import type { Program } from '../processes.ts';

/**
 * What a gateway does besides relaying: nothing, the checks of the envelope and the client, those of the content, those of
 * SPF and signatures, or asking clamd and spamd.
 */
export type Duty = 'relay' | 'checks' | 'content' | 'auth' | 'scan';

/** What a gateway must refuse, as proof that it does the work it is measured at. */
export interface Forbidden {
  readonly what: string;
  readonly body: BodyKind;
  /** Envelope sender; otherwise the generator's. */
  readonly sender?: string;
  /** The client that the PROXY header names, where there is one; otherwise the first of the load. */
  readonly client?: string;
  /** What the reply must be. */
  readonly reply: RegExp;
}

const PROGRAM: Forbidden = { what: 'a message with an .exe', body: 'mime-exe', reply: /^5/ };

/** Signed as all mail of the row, so that only SPF can refuse it. Shared address space (RFC 6598), which Haraka takes for public. */
const SPF_FAILS: Forbidden = {
  what: 'mail of a client that SPF does not name',
  body: 'signed',
  client: '100.64.0.9',
  reply: /^550[ -]/,
};

/** The sender has no SPF record and the signature does not fit, so that nothing stands behind From. */
export const NOBODY_STANDS_BEHIND: Forbidden = {
  what: 'a forged message whose From has the policy to reject',
  body: 'forged',
  sender: 'bounces@elsewhere.example',
  reply: /^550 5\.7\.26 /,
};

/** A score from which on every gateway that asks spamd refuses. */
export const REFUSED_SCORE = 10;

const VIRUS: Forbidden = { what: 'EICAR', body: 'eicar', reply: /^55[04][ -].*(?:virus|infected)/i };

const SPAM: Forbidden = { what: 'GTUBE', body: 'gtube', reply: /^55[04][ -].*spam/i };

/** A header field that a gateway writes about the mail it passes. */
export interface Note {
  readonly field: string;
  /** What must be among its words, which end at blanks, commas and semicolons. */
  readonly words: readonly string[];
}

/** What follows from a duty. */
export interface DutyFacts {
  /** Written behind the name of a program: in keys and in words. */
  readonly key: string;
  readonly name: string;
  /** What such a gateway is warmed up with. */
  readonly warmUp: BodyKind;
  /** Its connections begin with a PROXY header that names another client each time, which checks can be made of. */
  readonly proxied: boolean;
  /** What every such gateway must refuse. */
  readonly refuses: readonly Forbidden[];
  /** What it must say about mail of the kind it is warmed up with; null: no field is asked for. */
  readonly notes: Note | null;
}

export const DUTIES: Readonly<Record<Duty, DutyFacts>> = {
  relay: { key: '', name: '', warmUp: 'text', proxied: false, refuses: [], notes: null },
  checks: { key: '-checks', name: ' with checks', warmUp: 'text', proxied: true, refuses: [], notes: null },
  content: {
    key: '-content',
    name: ' with content rules',
    warmUp: 'mime',
    proxied: false,
    refuses: [PROGRAM],
    notes: null,
  },
  auth: {
    key: '-auth',
    name: ' with sender authentication',
    warmUp: 'signed',
    proxied: true,
    refuses: [SPF_FAILS],
    notes: { field: 'Authentication-Results', words: ['spf=pass', 'dkim=pass'] },
  },
  scan: {
    key: '-scan',
    name: ' with scanners',
    warmUp: 'text',
    proxied: false,
    refuses: [VIRUS, SPAM],
    notes: { field: 'X-Spam-Status', words: ['No', 'required=5.0'] },
  },
};

/** Whom a gateway may ask. */
export interface Peers {
  /** Port of a DNS server on 127.0.0.1. */
  readonly dnsPort: number;
  /** Unix sockets. */
  readonly clamd: string;
  readonly spamd: string;
}

/** Where a gateway is to send its mail, and whom it may ask. */
export interface Surroundings extends Peers {
  /** Port of the sink on 127.0.0.1. */
  readonly sinkPort: number;
  /** An empty folder for configuration, state and log. */
  readonly folder: string;
}

/** Something that can be measured: it listens on 127.0.0.1 and passes every message on to the sink. */
export interface Gateway {
  readonly port: number;
  /** Null for the sink itself, whose cost is not asked for. */
  readonly program: Program | null;
}

/** A kind of gateway. */
export interface GatewayKind {
  /** Its name in options and in JSON. */
  readonly key: string;
  readonly name: string;
  readonly duty: Duty;
  /** Its connections begin with a PROXY header. */
  readonly proxied: boolean;
  /** What it must refuse, before it is measured. */
  readonly refuses: readonly Forbidden[];
  /** Why it cannot be measured here, or null. May install what is missing. */
  unavailable(): Promise<string | null>;
  /** Starts it; ready when this resolves. */
  start(surroundings: Surroundings): Promise<Gateway>;
}

/** The lists that every gateway with checks asks, in this order. */
export const DNS_LISTS: readonly string[] = ['zen.bench.example', 'bl.bench.example', 'psbl.bench.example'];

/** A few entries for the lists of refused senders, recipients and names; nothing that the generator sends. */
export const REFUSED = {
  senders: ['spammer@refused.example', '@refused-domain.example', 'offers@client.example'],
  recipients: ['nobody@sink.example', 'closed@sink.example'],
  names: ['friend', 'localhost.localdomain', 'refused.example'],
} as const;

/** Ends of attachment names that every gateway with content rules refuses; nothing that the generator sends. */
export const REFUSED_EXTENSIONS: readonly string[] = [
  'bat',
  'cmd',
  'com',
  'cpl',
  'exe',
  'js',
  'lnk',
  'pif',
  'scr',
  'vbs',
];
