import type { KeyObject } from 'node:crypto';
import { generateKeyPairSync } from 'node:crypto';
import { signDkim } from '../src/auth/dkim-sign.ts';
import { SignedHeader } from '../src/auth/signed-header.ts';
import { BodyHash } from '../src/mail/body-hash.ts';
import { headerFields } from '../src/mail/header.ts';
import type { TextRecords } from './dns.ts';

/** The domain that the generator writes for: in From, as envelope sender and at EHLO. */
export const SENDER_DOMAIN = 'client.example';
const SELECTOR = 'bench';

/** The clients that the domain sends from: all that a PROXY header of the benchmark names (RFC 2544). */
const CLIENTS = '198.18.0.0/15';

/** Fields that differ between the messages of a template, so that one signature is good for all of them. */
const UNSIGNED = new Set(['message-id']);

const MAX_FIELDS = 100;

interface Keys {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

let keys: Keys | null = null;

/** RSA with 2048 bits, made when this process first needs it: no key lies about in the source. */
function senderKeys(): Keys {
  keys ??= generateKeyPairSync('rsa', { modulusLength: 2048 });
  return keys;
}

/** What the domain publishes: SPF, which names {@link CLIENTS} and nobody else, the key of this process, and a DMARC policy. */
export function senderRecords(): TextRecords {
  const key = senderKeys().publicKey.export({ type: 'spki', format: 'der' }).toString('base64');
  return {
    [SENDER_DOMAIN]: `v=spf1 ip4:${CLIENTS} -all`,
    [`${SELECTOR}._domainkey.${SENDER_DOMAIN}`]: `v=DKIM1; k=rsa; p=${key}`,
    [`_dmarc.${SENDER_DOMAIN}`]: 'v=DMARC1; p=reject',
  };
}

/**
 * A DKIM-Signature (rsa-sha256, relaxed/relaxed) with its final CRLF, for a message with the fields of `header` (whole
 * lines) and `body`. It holds for every Message-ID and whatever fields DKIM does not sign. Always the same length.
 */
export function dkimSignature(header: string, body: Buffer): string {
  const hash = new BodyHash('relaxed');
  hash.write(body);
  return signDkim(new SignedHeader(headerFields(Buffer.from(header, 'latin1'), MAX_FIELDS)), {
    key: senderKeys().privateKey,
    algorithm: 'rsa-sha256',
    domain: SENDER_DOMAIN,
    selector: SELECTOR,
    identity: null,
    header: 'relaxed',
    body: 'relaxed',
    bodyHash: hash.digest().sha256,
    timestamp: null,
    expires: null,
    queryMethod: false,
    excluded: UNSIGNED,
  });
}
