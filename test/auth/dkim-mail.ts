import type { KeyObject } from 'node:crypto';
import { createHash, createPublicKey, generateKeyPairSync, sign } from 'node:crypto';
import { MessageSignatures } from '../../src/auth/message-authentication.ts';
import { MessageWriter } from '../../src/mail/message-writer.ts';
import type { DkimOutcome, SignatureOutcome } from '../../src/model/authentication.ts';
import type { AuthenticationQuestion } from '../../src/model/authentication-question.ts';
import type { Dns } from '../../src/model/dns.ts';
import type { Message } from '../../src/model/message.ts';
import { dnsOf } from './asking.ts';
import type { Names } from './asking.ts';

/** Keys that sign where the test does not care which. */
export const RSA: KeyObject = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey;
export const ED25519: KeyObject = generateKeyPairSync('ed25519').privateKey;

/** `p=` of the public half: SubjectPublicKeyInfo, or the bare key of Ed25519. */
export function published(key: KeyObject): string {
  const der = createPublicKey(key).export({ type: 'spki', format: 'der' });
  return (key.asymmetricKeyType === 'rsa' ? der : der.subarray(-32)).toString('base64');
}

export function recordOf(key: KeyObject, tags = ''): string {
  return `v=DKIM1; k=${key.asymmetricKeyType ?? ''}; ${tags}p=${published(key)}`;
}

/** What example.com publishes at selector `s`. */
export function keyNames(record: string = recordOf(RSA)): Names {
  return { 'TXT s._domainkey.example.com': [record] };
}

export const MAIL =
  'From: Jane <jane@example.com>\r\nTo: joe@example.net\r\nSubject:  a  subject\t\r\n  on two lines\r\n\r\nHello,  world \r\n\r\n';

export interface Signing {
  readonly key?: KeyObject;
  /** Set, or with null left out, in place of what is right. */
  readonly tags?: Readonly<Record<string, string | null>>;
  /** Names of tags, those that come first. */
  readonly order?: readonly string[];
  readonly separator?: string;
  readonly fieldName?: string;
  /** Folds the signature, or does worse to it. */
  readonly wrap?: (signature: string) => string;
}

/** The message with a signature on top, made by the letter of RFC 6376 3.4, 3.7 and with nothing of ours. */
export function signed(text: string, signing: Signing = {}): string {
  const { key = RSA, order = [], separator = '; ', fieldName = 'DKIM-Signature', wrap = s => s } = signing;
  const all = new Map<string, string | null>([
    ['v', '1'],
    ['a', `${key.asymmetricKeyType ?? ''}-sha256`],
    ['c', 'relaxed/relaxed'],
    ['d', 'example.com'],
    ['s', 's'],
    ['h', 'from:to:subject'],
    ['b', ''],
    ...Object.entries(signing.tags ?? {}),
  ]);
  const [head, body] = canonicalizations(all.get('c') ?? 'simple');
  const [fields, content] = parts(text);
  const limit = all.get('l');
  const canonical = naiveBody(content, body).slice(0, limit ? Number(limit) : undefined);
  if (!all.has('bh')) all.set('bh', sha256(canonical).toString('base64'));
  const tags = [...all].flatMap(([name, value]) => (value === null ? [] : [name]));
  tags.sort((a, b) => rank(order, a) - rank(order, b));
  const field = (signature: string) =>
    `${fieldName}: ${tags.map(name => `${name}=${name === 'b' ? signature : all.get(name)}`).join(separator)}`;
  const names = (all.get('h') ?? '').toLowerCase().split(':');
  // "Including all surrounding white space" (3.7): that before the next semicolon, too.
  const bare = field('').replace(/([;\s]b=)\s+(?=;)/, '$1');
  const data = naiveSigned(fields, names, head) + naiveField(bare, head);
  return `${field(wrap(signatureOf(data, key).toString('base64')))}\r\n${text}`;
}

function rank(order: readonly string[], tag: string): number {
  const at = order.indexOf(tag);
  return at < 0 ? order.length : at;
}

function canonicalizations(c: string): [head: string, body: string] {
  const [head = '', body = 'simple'] = c.split('/');
  return [head, body];
}

function parts(text: string): [fields: string[], body: string] {
  if (text.startsWith('\r\n')) return [[], text.slice(2)];
  const end = text.indexOf('\r\n\r\n');
  const header = end < 0 ? text.replace(/\r\n$/, '') : text.slice(0, end);
  return [header.split(/\r\n(?![ \t])/), end < 0 ? '' : text.slice(end + 4)];
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text, 'latin1').digest();
}

function signatureOf(data: string, key: KeyObject): Buffer {
  if (key.asymmetricKeyType === 'rsa') return sign('sha256', Buffer.from(data, 'latin1'), key);
  return sign(null, sha256(data), key);
}

/** The fields that `names` (lower case) say, from the bottom up, each with its CRLF. */
export function naiveSigned(fields: readonly string[], names: readonly string[], head: string): string {
  const left = [...fields];
  let text = '';
  for (const name of names) {
    const at = left.findLastIndex(field => nameOf(field) === name);
    if (at >= 0) text += `${naiveField(left.splice(at, 1)[0] ?? '', head)}\r\n`;
  }
  return text;
}

function nameOf(field: string): string {
  return field
    .slice(0, field.indexOf(':'))
    .replace(/[ \t]+$/, '')
    .toLowerCase();
}

/** RFC 6376 3.4.1 and 3.4.2, word by word. */
export function naiveField(field: string, head: string): string {
  if (head === 'simple') return field;
  const value = field
    .slice(field.indexOf(':') + 1)
    .replace(/\r\n/g, '')
    .replace(/[ \t]+/g, ' ')
    .replace(/^ /, '')
    .replace(/ $/, '');
  return `${nameOf(field)}:${value}`;
}

/** RFC 6376 3.4.3 and 3.4.4, word by word. */
function naiveBody(body: string, canonicalization: string): string {
  const lines = body.split('\r\n');
  const relaxed = lines.map(line => line.replace(/[ \t]+/g, ' ').replace(/ $/, ''));
  const text = (canonicalization === 'relaxed' ? relaxed : lines).join('\r\n').replace(/(?:\r\n)+$/, '');
  return text === '' && canonicalization === 'relaxed' ? '' : `${text}\r\n`;
}

/** A message out of a byte string. */
export async function messageOf(text: string, headerBytes = 4_000_000): Promise<Message> {
  const writer = new MessageWriter({ memoryBytes: Infinity, folder: '/nowhere', headerBytes });
  void writer.write(Buffer.from(text, 'latin1'));
  return writer.finish({ lines: 0, eightBit: false, dotLines: false });
}

export interface Verifying extends Partial<AuthenticationQuestion> {
  /** Seconds since the epoch. */
  readonly at?: number;
  readonly headerBytes?: number;
}

/** What one message is asked about; SPF is none. */
export async function signatures(
  text: string,
  dns: Dns | Names = keyNames(),
  { at = 1_800_000_000, headerBytes, ...question }: Verifying = {},
): Promise<MessageSignatures> {
  const asked: AuthenticationQuestion = {
    message: await messageOf(text, headerBytes),
    spf: () => {
      throw new Error('nobody asks');
    },
    signatures: 10,
    minBits: 1024,
    lookups: 30,
    seconds: 20,
    headerFields: 10_000,
    ...question,
  };
  return new MessageSignatures(asked, 'txt' in dns ? (dns as Dns) : dnsOf(dns), at * 1000);
}

/** What comes of the signatures of a message (a byte string). */
export async function verify(text: string, dns?: Dns | Names, options?: Verifying): Promise<DkimOutcome> {
  return (await signatures(text, dns, options)).dkim();
}

/** ... of its only one. */
export async function verifyOne(
  text: string,
  dns?: Dns | Names,
  options?: Verifying,
): Promise<SignatureOutcome> {
  const outcome = await verify(text, dns, options);
  const [first, ...others] = outcome.signatures;
  if (first === undefined || others.length > 0) throw new Error(`${others.length + 1} signatures`);
  return first;
}
