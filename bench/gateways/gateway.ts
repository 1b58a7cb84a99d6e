import type { BodyKind } from '../message.ts';
import type { Program } from '../processes.ts';

/** What a gateway does besides relaying: nothing, the checks of the envelope and the client, or those of the content. */
export type Duty = 'relay' | 'checks' | 'content';

/** What follows from a duty. */
export interface DutyFacts {
  /** Written behind the name of a program: in keys and in words. */
  readonly key: string;
  readonly name: string;
  /** What such a gateway is warmed up with. */
  readonly warmUp: BodyKind;
  /** What it must refuse, as proof that it does the work it is measured at; null: nothing. */
  readonly refuses: BodyKind | null;
}

export const DUTIES: Readonly<Record<Duty, DutyFacts>> = {
  relay: { key: '', name: '', warmUp: 'text', refuses: null },
  checks: { key: '-checks', name: ' with checks', warmUp: 'text', refuses: null },
  content: { key: '-content', name: ' with content rules', warmUp: 'mime', refuses: 'mime-exe' },
};

/** Where a gateway is to send its mail, and whom it may ask. */
export interface Surroundings {
  /** Port of the sink on 127.0.0.1. */
  readonly sinkPort: number;
  /** Port of a DNS server on 127.0.0.1. */
  readonly dnsPort: number;
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
  /** Its connections begin with a PROXY header that names a client which DNS lists can be asked about. */
  readonly proxied: boolean;
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
