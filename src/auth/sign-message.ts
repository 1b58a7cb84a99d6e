import { basename, dirname } from 'node:path';
import type { HeaderFields } from '../mail/header.ts';
import { headerFields } from '../mail/header.ts';
import type { DkimSignOptions, SigningOrder, SigningOutcome, SigningResult } from '../model/dkim-signing.ts';
import { dkimSignOptions } from '../model/dkim-signing.ts';
import type { Message } from '../model/message.ts';
import { isSameOrBelow } from './ascii-domain.ts';
import { BodyDigests } from './body-digests.ts';
import { signDkim } from './dkim-sign.ts';
import { authorDomains } from './dmarc-authors.ts';
import { signingAddresses } from './domainkeys-address.ts';
import { signDomainKeys } from './domainkeys-sign.ts';
import { findSigningKey, isSigningDomain } from './signing-keys.ts';
import { SignedHeader } from './signed-header.ts';

/** Where a message is signed, and when. */
export interface SigningPlace {
  /** Folder where relative paths of keys begin. */
  readonly folder: string;
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly headerFields: number;
}

/** A field above the message, and what to say of it. */
interface Signed {
  readonly field: string;
  readonly result: SigningResult;
}

type DkimKey = Awaited<ReturnType<typeof findSigningKey>>;

/**
 * Signs a message as it goes out: DKIM by dkimkeys or DKIMSIGN, with a second signature where DKIMSIGNEXTRA asks for it, and
 * DomainKeys by DKSIGN. DKIM signs for the domain of From; where the key lies in a folder that is called like a domain, for
 * that domain, and only mail of it. Rejects when the message cannot be read.
 */
export async function signMessage(
  message: Message,
  order: SigningOrder,
  place: SigningPlace,
): Promise<SigningOutcome> {
  const fields = headerFields(message.header, place.headerFields);
  const dkim = await dkimSignatures(message, fields, order, place);
  const signed = [...dkim, ...(await domainKeysSignature(message, fields, order, place))];
  return {
    fields: signed.map(({ field }) => field).join(''),
    results: signed.map(({ result }) => result),
  };
}

async function dkimSignatures(
  message: Message,
  fields: HeaderFields,
  order: SigningOrder,
  place: SigningPlace,
): Promise<Signed[]> {
  if (order.dkimSign === null && order.dkimKeys === null) return [];
  const say = (kind: 'unsigned' | 'malformed' | 'trouble', why: string): Signed => ({
    field: '',
    result: { kind, protocol: 'DKIM', why },
  });
  const [author, ...others] = authorDomains(fields);
  if (author === undefined) return [say('malformed', 'it has no From with an address')];
  if (others.length > 0) return [say('malformed', 'its From has several domains')];
  if (fields.cut || message.headerCut) return [say('malformed', 'its header is too big')];
  const ask = { keys: order.dkimKeys, domain: author, folder: place.folder, withoutPercent: true };
  const first = await findSigningKey({ ...ask, pattern: order.dkimSign });
  if (first.kind !== 'key') return [say(first.kind, first.why)];
  const words = { ...order.words, ...first.line?.words };
  const keys: [DkimKey, DkimSignOptions][] = [[first, dkimSignOptions(order.words, first.line?.words)]];
  if (words.extraKey !== undefined) {
    const signsAs = first.line?.signsAs ?? null;
    const line =
      signsAs === null ? null : { path: words.extraKey, signsAs, words, place: first.line?.place ?? '' };
    const keysOfLine = { find: () => line };
    const second = await findSigningKey({ ...ask, keys: keysOfLine, pattern: words.extraKey });
    const options = words.extraOptions === undefined ? words : { ...words, options: words.extraOptions };
    keys.push([second, dkimSignOptions(options)]);
  }
  const header = new SignedHeader(fields);
  const digests = new BodyDigests(message);
  for (const [, { body }] of keys) digests.want(body, Infinity);
  await digests.read();
  return keys.map(([key, options]) => {
    if (key.kind !== 'key') return say(key.kind, key.why);
    const domain = key.line === null ? keyDomain(key.key.path, key.domain) : key.domain;
    if (domain === null) return say('unsigned', `the key ${key.key.path} is not for ${author}`);
    const bodyHash = digests.get(options.body, Infinity)?.sha256;
    if (bodyHash === undefined) throw new Error('the body was not hashed');
    const now = Math.floor(place.now / 1000);
    const { selector } = key;
    const algorithm = key.key.type === 'rsa' ? 'rsa-sha256' : 'ed25519-sha256';
    const field = signDkim(header, {
      key: key.key.key,
      algorithm,
      domain,
      selector,
      identity: identityFor(options.identity, domain),
      header: options.header,
      body: options.body,
      bodyHash,
      timestamp: options.timestamp ? now : null,
      expires: options.expireSeconds === null ? null : now + options.expireSeconds,
      queryMethod: options.queryMethod,
      excluded: order.excluded,
    });
    const note = key.key.worldReadable ? `everybody can read ${key.key.path}` : '';
    return { field, result: { kind: 'signed', protocol: 'DKIM', domain, selector, note } };
  });
}

async function domainKeysSignature(
  message: Message,
  fields: HeaderFields,
  { dkSign, dkComment }: SigningOrder,
  { folder }: SigningPlace,
): Promise<Signed[]> {
  if (dkSign === null) return [];
  const say = (kind: 'unsigned' | 'malformed' | 'trouble', why: string): Signed[] => [
    { field: '', result: { kind, protocol: 'DomainKeys', why } },
  ];
  const found = signingAddresses(fields, 0);
  if ('malformed' in found) return say('malformed', found.malformed);
  const [{ domain: signer }] = found.addresses;
  const key = await findSigningKey({
    pattern: dkSign,
    keys: null,
    domain: signer,
    folder,
    withoutPercent: false,
  });
  if (key.kind !== 'key') return say(key.kind, key.why);
  const domain = keyDomain(key.key.path, signer);
  if (domain === null) return say('unsigned', `the key ${key.key.path} is not for ${signer}`);
  const { selector } = key;
  const result = await signDomainKeys(message, fields, {
    key: key.key.key,
    domain,
    selector,
    canonicalization: 'nofws',
    fields: null,
    comment: dkComment,
  });
  if ('field' in result) {
    const note = key.key.worldReadable ? `everybody can read ${key.key.path}` : '';
    return [
      { field: result.field, result: { kind: 'signed', protocol: 'DomainKeys', domain, selector, note } },
    ];
  }
  const kind = { signed: 'unsigned', malformed: 'malformed', key: 'trouble' } as const;
  return say(kind[result.why], result.refused);
}

/** `d=` for a key at `path`: the folder, where it is called like a domain; null when that is not the author's. */
function keyDomain(path: string, author: string): string | null {
  const folder = basename(dirname(path)).toLowerCase();
  if (!folder.includes('.') || !isSigningDomain(folder)) return author;
  return isSameOrBelow(author, folder) ? folder : null;
}

/** `i=` must belong to `d=` (RFC 6376 3.5). */
function identityFor(identity: string | null, domain: string): string | null {
  if (identity === null) return null;
  return isSameOrBelow(identity.slice(identity.lastIndexOf('@') + 1).toLowerCase(), domain) ? identity : null;
}
