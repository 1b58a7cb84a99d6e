import { mailboxes } from '../mail/mailboxes.ts';
import type { HeaderField, HeaderFields } from '../mail/header.ts';
import { address, unquotedLocal } from '../model/address.ts';
import { asciiDomain } from './ascii-domain.ts';

/** Bytes of a From or Sender that are looked at: taking a megabyte of addresses apart costs a second. */
const MAX_VALUE = 16 * 1024;

/** An address that a DomainKeys signature may be about. Byte strings. */
export interface SigningAddress {
  readonly text: string;
  /** Without its quotes. */
  readonly local: string;
  /** A-labels, lower case. */
  readonly domain: string;
}

/** Whose signature a message may bear: the addresses of its Sender or, without one, of its From. */
export interface SigningAddresses {
  /** The field that they are taken from. */
  readonly field: HeaderField;
  readonly name: 'From' | 'Sender';
  /** At least one, in their order. */
  readonly addresses: readonly [SigningAddress, ...SigningAddress[]];
}

/** Why a message cannot be signed, or its signature not be verified: `SYNTAX` in libdomainkeys. */
export interface Malformed {
  readonly malformed: string;
}

/**
 * Finds the signing addresses as libdomainkeys 0.69 does: there must be one From, anywhere, with an address; a Sender takes
 * precedence if it stands among the fields from index `start` on, where there may be only one. RFC 4870 2.3.
 */
export function signingAddresses(header: HeaderFields, start: number): SigningAddresses | Malformed {
  const authors = header.fields.filter(({ name }) => name === 'from');
  const senders = header.fields.filter(({ name }, index) => name === 'sender' && index >= start);
  const [author] = authors;
  const [sender] = senders;
  if (author === undefined) return { malformed: 'there is no From' };
  if (authors.length > 1) return { malformed: `there are ${authors.length} From fields` };
  if (senders.length > 1) return { malformed: `there are ${senders.length} Sender fields` };
  const from = addressesIn(header, author);
  if (from === null) return { malformed: 'From holds no address' };
  if (sender === undefined) return { field: author, name: 'From', addresses: from };
  const addresses = addressesIn(header, sender);
  if (addresses === null) return { malformed: 'Sender holds no address' };
  return { field: sender, name: 'Sender', addresses };
}

/**
 * What makes qmail-dk 0.54 refuse a message as malformed even when it bears no signature: From is missing, there twice or
 * without an address. Null: nothing.
 */
export function malformedAuthor(header: HeaderFields): string | null {
  const found = signingAddresses(header, header.fields.length);
  return 'malformed' in found ? found.malformed : null;
}

function addressesIn(header: HeaderFields, field: HeaderField): SigningAddresses['addresses'] | null {
  const end = Math.min(field.end, field.valueStart + MAX_VALUE);
  const value = header.block.toString('latin1', field.valueStart, end);
  const [first, ...more] = mailboxes(value)
    .map(address)
    .map(({ text, local, domain }) => ({ text, local: unquotedLocal(local), domain: asciiDomain(domain) }))
    .filter(({ local, domain }) => local !== '' && domain !== '');
  return first === undefined ? null : [first, ...more];
}
