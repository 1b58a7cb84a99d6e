import type { KeyObject } from 'node:crypto';
import { generateKeyPairSync } from 'node:crypto';
import { sealArc, wantSealDigest } from '../../src/auth/arc-seal.ts';
import { BodyDigests } from '../../src/auth/body-digests.ts';
import { signatureOf } from '../../src/auth/dkim-sign.ts';
import { signDomainKeys } from '../../src/auth/domainkeys-sign.ts';
import { MessageSignatures } from '../../src/auth/message-authentication.ts';
import { relaxedField, SignedHeader } from '../../src/auth/signed-header.ts';
import { headerFields } from '../../src/mail/header.ts';
import type { Dns } from '../../src/model/dns.ts';
import type { Message } from '../../src/model/message.ts';

/** Keys that a test signs with, made when the first test asks. */
export interface TestKeys {
  readonly rsa: KeyObject;
  /** 768 bits: too short for DKIM. */
  readonly short: KeyObject;
  /** PEM of the private RSA key. */
  readonly pem: string;
  /** What its domain publishes. */
  readonly record: string;
  readonly shortRecord: string;
}

let keys: TestKeys | null = null;

export function testKeys(): TestKeys {
  keys ??= makeKeys();
  return keys;
}

function makeKeys(): TestKeys {
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const short = generateKeyPairSync('rsa', { modulusLength: 768 });
  const record = (key: KeyObject) =>
    `v=DKIM1; k=rsa; p=${key.export({ type: 'spki', format: 'der' }).toString('base64')}`;
  return {
    rsa: rsa.privateKey,
    short: short.privateKey,
    pem: rsa.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
    record: record(rsa.publicKey),
    shortRecord: record(short.publicKey),
  };
}

/** Tags that a test sets or changes. */
export type ExtraTags = Readonly<Record<string, string>>;

/**
 * A message with a DKIM-Signature on top (relaxed/relaxed), as a careless or hostile signer might make it: `tags` replace
 * and add what they like; `l=whole` is the length of the body as it is now.
 */
export async function withDkim(
  text: string,
  domain: string,
  selector: string,
  tags: ExtraTags = {},
  key: KeyObject = testKeys().rsa,
): Promise<string> {
  const { header, digests } = await signable(text);
  const digest = digests.get('relaxed', Infinity);
  if (digest === null) throw new Error('no digest');
  const type = key.asymmetricKeyType === 'ed25519' ? 'ed25519-sha256' : 'rsa-sha256';
  const all: Record<string, string> = {
    v: '1',
    a: type,
    c: 'relaxed/relaxed',
    d: domain,
    s: selector,
    h: 'from:date:subject',
    bh: digest.sha256.toString('base64'),
    ...tags,
  };
  if (all['l'] === 'whole') all['l'] = String(digest.length);
  const list = Object.entries(all).map(([name, value]) => `${name}=${value}`);
  const bare = `DKIM-Signature: ${list.join('; ')}; b=`;
  const data = header.signed((all['h'] ?? '').split(':'), 'relaxed') + relaxedField(bare);
  return `${bare}${signatureOf(data, key, type).toString('base64')}\r\n${text}`;
}

/** A message with a DomainKey-Signature on top, as qmail-dk signs. */
export async function withDomainKeys(text: string, domain: string, selector: string): Promise<string> {
  const { message } = await signable(text);
  const signed = await signDomainKeys(message, headerFields(message.header, 2000), {
    key: testKeys().rsa,
    domain,
    selector,
    canonicalization: 'nofws',
    fields: null,
    comment: false,
  });
  if ('refused' in signed) throw new Error(signed.refused);
  return signed.field + text;
}

/** A message with one more ARC set on top. `results`: what the sealer says he saw. */
export async function withArc(
  text: string,
  domain: string,
  selector: string,
  results: string,
  dns: Pick<Dns, 'txt'>,
): Promise<string> {
  const { message, header, digests } = await signable(text);
  const question = {
    message,
    spf: () => {
      throw new Error('nobody asks');
    },
    signatures: 10,
    minBits: 1024,
    lookups: 100,
    seconds: 20,
    headerFields: 2000,
  };
  const chain = await new MessageSignatures(question, dns as Dns, Date.now()).arc();
  const fields = sealArc({
    header,
    digests,
    authservId: domain,
    results,
    chain,
    key: testKeys().rsa,
    domain,
    selector,
    now: Math.floor(Date.now() / 1000),
  });
  return fields + text;
}

async function signable(
  text: string,
): Promise<{ message: Message; header: SignedHeader; digests: BodyDigests }> {
  const message = messageOfBytes(Buffer.from(text, 'latin1'));
  const digests = new BodyDigests(message);
  wantSealDigest(digests);
  await digests.read();
  return { message, header: new SignedHeader(headerFields(message.header, 2000)), digests };
}

/** A message in memory. */
export function messageOfBytes(bytes: Buffer): Message {
  const end = bytes.indexOf('\r\n\r\n');
  return {
    size: bytes.length,
    lines: bytes.toString('latin1').split('\r\n').length - 1,
    crc32: 0,
    eightBit: false,
    dotLines: false,
    header: end < 0 ? bytes : bytes.subarray(0, end + 2),
    headerCut: false,
    chunks: () => [bytes],
    release: () => undefined,
  };
}
