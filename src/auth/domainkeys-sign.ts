import type { KeyObject } from 'node:crypto';
import { createSign } from 'node:crypto';
import type { HeaderField, HeaderFields } from '../mail/header.ts';
import { isSameOrBelow } from './ascii-domain.ts';
import { folded } from './dkim-sign.ts';
import { MAX_SIGNED_FIELDS } from './domainkeys.ts';
import { signingAddresses } from './domainkeys-address.ts';
import type { DomainKeysCanonicalization, DomainKeysMessage } from './domainkeys-canonical.ts';
import { canonicalize, DomainKeysCanonicalizer } from './domainkeys-canonical.ts';
import { withoutSpace } from './tag-list.ts';

/** What a signature is to say. */
export interface DomainKeysSigning {
  /** `d=`: the domain of Sender or From, or one above it, whose key it is; null: that of Sender or From, as qmail-dk has it. */
  readonly domain: string | null;
  /** RSA; OpenSSL signs SHA-1 with no less than 368 bits. */
  readonly key: KeyObject;
  readonly selector: string;
  readonly canonicalization: DomainKeysCanonicalization;
  /**
   * Names of the fields to sign, separated by `:`; Sender or From, whichever counts, always is. Null: no `h=`, which covers
   * all fields, as qmail-dk signs.
   */
  readonly fields: string | null;
  /** Whether the `Comment` field of qmail-dk stands above the signature. */
  readonly comment: boolean;
}

/** Why there is no signature: it bears one already, it is malformed, or the key cannot be used. */
export interface SigningRefused {
  readonly refused: string;
  readonly why: 'signed' | 'malformed' | 'key';
}

/** Labels of a domain or a selector that can be asked for. */
const LABELS = /^[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*$/;

const COMMENT = 'Comment: DomainKeys? See http://antispam.yahoo.com/domainkeys\r\n';

/** Bytes of a line; RFC 5322 2.1.1 allows 998. */
const LINE = 72;
const LONG_LINE = 900;

/**
 * The DomainKey-Signature of a message in the very form of qmail-dk 0.54, as CRLF lines to be put on top of `header`, which
 * are all fields below it; they need not be those of `message`, whose body is read. Refused as
 * qmail-dk refuses (domainkeys-dkim.md 1.2): no From or two of From or Sender; one of them without an address; a signature
 * without a Sender above it. Rejects when the message cannot be read.
 */
export async function signDomainKeys(
  message: DomainKeysMessage,
  header: HeaderFields,
  signing: DomainKeysSigning,
): Promise<{ readonly field: string } | SigningRefused> {
  const { key, selector, canonicalization } = signing;
  if (header.cut || message.headerCut) return malformed('the header is longer than what is read of it');
  const found = signingAddresses(header, 0);
  if ('malformed' in found) return malformed(found.malformed);
  const [{ domain: author }] = found.addresses;
  const domain = signing.domain ?? author;
  if (!isSameOrBelow(author, domain)) return malformed(`${author} does not belong to ${domain}`);
  if (!LABELS.test(domain)) return malformed(`the domain of ${found.name} cannot have a key`);
  if (isSigned(header))
    return { refused: 'it bears a DomainKey-Signature, and no Sender above it', why: 'signed' };
  if (!LABELS.test(selector)) return { refused: `${selector} is no selector`, why: 'key' };
  if (key.asymmetricKeyType !== 'rsa') return { refused: 'DomainKeys needs an RSA key', why: 'key' };

  const fields = signing.fields === null ? header.fields : listed(header, signing.fields, found.field.name);
  const list = fields.map(field => nameOf(header, field)).join(':');
  if (signing.fields !== null && list.length > MAX_SIGNED_FIELDS)
    return malformed('it has too many of the fields that are to be signed');
  const signer = createSign('sha1');
  const canonicalizer = new DomainKeysCanonicalizer(canonicalization, data => signer.update(data));
  if (!(await canonicalize(canonicalizer, header, fields, message)))
    return malformed('a line ends with LF alone');
  let signature: string;
  try {
    signature = signer.sign(key, 'base64');
  } catch {
    return { refused: 'the key cannot sign', why: 'key' };
  }
  const h = signing.fields === null ? '' : `  h=${folded(list, ':', LINE)};\r\n`;
  return {
    field:
      (signing.comment ? COMMENT : '') +
      `DomainKey-Signature: a=rsa-sha1; q=dns; c=${canonicalization};\r\n` +
      `  s=${selector}; d=${domain};\r\n${h}  b=${folded(signature, '', LONG_LINE)}  ;\r\n`,
  };
}

function malformed(refused: string): SigningRefused {
  return { refused, why: 'malformed' };
}

/** libdomainkeys signs a second time only who passes the message on: then a Sender stands above the signature. */
function isSigned(header: HeaderFields): boolean {
  const signature = header.fields.findIndex(({ name }) => name === 'domainkey-signature');
  if (signature < 0) return false;
  const sender = header.fields.findIndex(({ name }) => name === 'sender');
  return sender < 0 || sender > signature;
}

/** The fields that are named, every occurrence, in the order of the message. */
function listed(header: HeaderFields, fields: string, own: string): readonly HeaderField[] {
  const names = new Set([...withoutSpace(fields).toLowerCase().split(':'), own]);
  return header.fields.filter(({ name }) => name !== '' && names.has(name));
}

/** The name as it is written. */
function nameOf(header: HeaderFields, { name, start }: HeaderField): string {
  return header.block.toString('latin1', start, start + name.length);
}
