import type { KeyObject } from 'node:crypto';
import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { beginArc } from '../../src/auth/arc.ts';
import { sealArc, wantSealDigest } from '../../src/auth/arc-seal.ts';
import { BodyDigests } from '../../src/auth/body-digests.ts';
import { KeyFinder } from '../../src/auth/key-finder.ts';
import { MessageLookups } from '../../src/auth/lookups.ts';
import { SignedHeader } from '../../src/auth/signed-header.ts';
import { headerFields } from '../../src/mail/header.ts';
import { MessageWriter } from '../../src/mail/message-writer.ts';
import type { ArcOutcome } from '../../src/model/authentication.ts';
import type { Dns } from '../../src/model/dns.ts';
import type { Zone } from '../support/dns-server.ts';
import type { Names } from './asking.ts';

/** Somebody who seals, with selector `s`. */
export interface Sealer {
  readonly domain: string;
  readonly key: KeyObject;
}

export function sealer(domain: string, type: 'rsa' | 'ed25519' = 'rsa', modulusLength = 1024): Sealer {
  const { privateKey } =
    type === 'rsa' ? generateKeyPairSync('rsa', { modulusLength }) : generateKeyPairSync('ed25519');
  return { domain, key: privateKey };
}

/** What the sealers publish. */
export function zoneOf(...sealers: readonly Sealer[]): Zone {
  return Object.fromEntries(sealers.map(one => [`s._domainkey.${one.domain}`, [{ TXT: [recordOf(one)] }]]));
}

/** The same for a DNS in memory. */
export function namesOf(...sealers: readonly Sealer[]): Names {
  return Object.fromEntries(sealers.map(one => [`TXT s._domainkey.${one.domain}`, [recordOf(one)]]));
}

export function recordOf({ key }: Sealer): string {
  const der = createPublicKey(key).export({ type: 'spki', format: 'der' });
  if (key.asymmetricKeyType === 'rsa') return `v=DKIM1; k=rsa; p=${der.toString('base64')}`;
  return `v=DKIM1; k=ed25519; p=${der.subarray(-32).toString('base64')}`;
}

export const MAIL = [
  'From: Jane <jane@author.example>',
  'To: list@list.example',
  'Subject: a  subject',
  'Date: Sat, 21 Nov 2026 12:00:00 +0000',
  'Message-ID: <1@author.example>',
  'DKIM-Signature: v=1; a=rsa-sha256; d=author.example; s=x; h=from; bh=AAAA; b=AAAA',
  'MIME-Version: 1.0',
  'Content-Type: text/plain',
  '',
  'Hello,  world ',
  '',
  '-- ',
  'Jane',
  '',
  '',
].join('\r\n');

export interface Verifying {
  /** Look-ups that the message may cost. */
  readonly lookups?: number;
  readonly lookupMs?: number;
  readonly now?: number;
  readonly maxFields?: number;
  readonly headerBytes?: number;
}

/** What comes of the chain of a message (a byte string). */
export async function verify(text: string, dns: Dns, options: Verifying = {}): Promise<ArcOutcome | null> {
  const { pending, digests, shown } = await begin(text, dns, options);
  await digests.read();
  return (await pending?.outcome(shown)) ?? null;
}

const NONE: ArcOutcome = {
  result: 'none',
  instances: 0,
  sets: [],
  domain: '',
  selector: '',
  detail: '',
  lookups: [],
};

/** The message with a set on top, its chain verified first; `chain` says that another came of it. */
export async function sealed(
  text: string,
  by: Sealer,
  dns: Dns,
  results = 'spf=pass smtp.mailfrom=author.example; dkim=pass header.d=author.example; dmarc=pass',
  chain: Partial<ArcOutcome> = {},
): Promise<string> {
  return (await newSet(text, by, dns, results, chain)) + text;
}

export async function newSet(
  text: string,
  by: Sealer,
  dns: Dns,
  results: string,
  chain: Partial<ArcOutcome> = {},
): Promise<string> {
  const { pending, digests, shown, header } = await begin(text, dns, {});
  wantSealDigest(digests);
  await digests.read();
  const outcome = (await pending?.outcome(shown)) ?? NONE;
  return sealArc({
    header,
    digests,
    authservId: `mx.${by.domain}`,
    results,
    chain: { ...outcome, ...chain },
    key: by.key,
    domain: by.domain,
    selector: 's',
    now: 1_700_000_000,
  });
}

async function begin(text: string, dns: Dns, options: Verifying) {
  const {
    lookups = 100,
    lookupMs = 5000,
    now = 1_700_000_000,
    maxFields = 10_000,
    headerBytes = 4_000_000,
  } = options;
  const writer = new MessageWriter({ memoryBytes: Infinity, folder: '/nowhere', headerBytes });
  void writer.write(Buffer.from(text, 'latin1'));
  const message = await writer.finish({ lines: 0, eightBit: false, dotLines: false });
  const fields = headerFields(message.header, maxFields);
  const header = new SignedHeader(fields);
  const digests = new BodyDigests(message);
  const shown: string[] = [];
  const keys = new KeyFinder(new MessageLookups(dns, lookups, lookupMs), shown);
  const whole = !message.headerCut;
  const pending = beginArc(header, fields, whole ? digests : null, keys, { now, minBits: 1024 });
  return { pending, digests, shown, header };
}
