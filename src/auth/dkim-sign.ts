import type { KeyObject } from 'node:crypto';
import { hash, sign } from 'node:crypto';
import type { BodyCanonicalization } from '../mail/body-hash.ts';
import { relaxedField } from './signed-header.ts';
import type { SignedHeader } from './signed-header.ts';

/** What a signature is to say. */
export interface DkimSigning {
  readonly key: KeyObject;
  readonly algorithm: 'rsa-sha256' | 'ed25519-sha256';
  readonly domain: string;
  readonly selector: string;
  /** `i=`; null: left out. */
  readonly identity: string | null;
  readonly header: BodyCanonicalization;
  readonly body: BodyCanonicalization;
  /** SHA-256 of the canonical body. */
  readonly bodyHash: Buffer;
  /** Seconds since the epoch: `t=` and `x=`; null: left out. */
  readonly timestamp: number | null;
  readonly expires: number | null;
  /** With `q=dns/txt`, which is what its absence means, too. */
  readonly queryMethod: boolean;
  /** Fields that are not to be signed, lower case. */
  readonly excluded: ReadonlySet<string>;
}

/**
 * Fields that tell who says what to whom (RFC 6376 5.4.1), signed when they are there. Trace fields and what lists and
 * filters change are not among them.
 */
const SIGNED_FIELDS = [
  'from',
  'sender',
  'reply-to',
  'subject',
  'date',
  'message-id',
  'to',
  'cc',
  'in-reply-to',
  'references',
  'mime-version',
  'content-type',
  'content-transfer-encoding',
  'content-id',
  'content-description',
  'resent-date',
  'resent-from',
  'resent-sender',
  'resent-to',
  'resent-cc',
  'resent-message-id',
  'list-id',
  'list-help',
  'list-unsubscribe',
  'list-unsubscribe-post',
  'list-subscribe',
  'list-post',
  'list-owner',
  'list-archive',
] as const;

/** Of each that there are more of than this, none is a field of honest mail. */
const MAX_SAME = 20;

const LINE = 76;

/**
 * A DKIM-Signature for the message, as CRLF lines (RFC 6376 5, RFC 8463). From is signed once more than it occurs, so that
 * nobody can put a second one in (8.15). The key must fit the algorithm.
 */
export function signDkim(header: SignedHeader, signing: DkimSigning): string {
  const fields = signedFields(header, signing.excluded);
  const tags = [
    'v=1',
    `a=${signing.algorithm}`,
    `c=${signing.header}/${signing.body}`,
    `d=${signing.domain}`,
    `s=${signing.selector}`,
    ...(signing.identity === null ? [] : [`i=${signing.identity}`]),
    ...(signing.queryMethod ? ['q=dns/txt'] : []),
    ...(signing.timestamp === null ? [] : [`t=${signing.timestamp}`]),
    ...(signing.expires === null ? [] : [`x=${signing.expires}`]),
  ];
  const bare =
    `DKIM-Signature: ${foldedTags(tags, 'DKIM-Signature: '.length)};\r\n\th=${folded(fields.join(':'), ':', LINE - 4)};` +
    `\r\n\tbh=${signing.bodyHash.toString('base64')};\r\n\tb=`;
  const own = signing.header === 'simple' ? bare : relaxedField(bare);
  const data = header.signed(fields, signing.header) + own;
  const signature = signatureOf(data, signing.key, signing.algorithm).toString('base64');
  return `${bare}${folded(signature, '', LINE - 4)}\r\n`;
}

/** The signature of `data` (a byte string). */
export function signatureOf(
  data: string,
  key: KeyObject,
  algorithm: 'rsa-sha256' | 'ed25519-sha256',
): Buffer {
  const bytes = Buffer.from(data, 'latin1');
  if (algorithm === 'rsa-sha256') return sign('sha256', bytes, key);
  return sign(null, hash('sha256', bytes, 'buffer'), key);
}

/** Names for `h=`: each as often as it is there, From once more. */
export function signedFields(header: SignedHeader, excluded: ReadonlySet<string>): string[] {
  const names: string[] = [];
  for (const name of SIGNED_FIELDS) {
    if (excluded.has(name) && name !== 'from') continue;
    const count = Math.min(header.count(name), MAX_SAME) + (name === 'from' ? 1 : 0);
    for (let i = 0; i < count; i++) names.push(name);
  }
  return names;
}

/** Tags on lines that are not too long, the first behind `column` other bytes. */
export function foldedTags(tags: readonly string[], column: number): string {
  let text = '';
  let line = column;
  for (const tag of tags) {
    const separator = text === '' ? '' : line + tag.length + 3 > LINE ? ';\r\n\t' : '; ';
    line = separator.includes('\n') ? tag.length + 8 : line + separator.length + tag.length;
    text += separator + tag;
  }
  return text;
}

/** `text` cut behind `separator` (`''`: anywhere) into folded lines of at most `width` bytes. */
export function folded(text: string, separator: string, width: number): string {
  const lines: string[] = [];
  let rest = text;
  while (rest.length > width) {
    const at = separator === '' ? width : rest.lastIndexOf(separator, width - 1) + 1;
    const end = at > 0 ? at : width;
    lines.push(rest.slice(0, end));
    rest = rest.slice(end);
  }
  return [...lines, rest].join('\r\n\t ');
}
