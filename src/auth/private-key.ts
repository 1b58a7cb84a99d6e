import type { BigIntStats } from 'node:fs';
import { constants } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import type { KeyObject } from 'node:crypto';
import { createPrivateKey } from 'node:crypto';

export type KeyType = 'rsa' | 'ed25519';

/** A private key that may sign. */
export interface PrivateKey {
  readonly kind: 'found';
  readonly path: string;
  readonly key: KeyObject;
  readonly type: KeyType;
  /** Of the modulus; 256 for Ed25519. */
  readonly bits: number;
  /** Every account of the machine can read it. */
  readonly worldReadable: boolean;
}

/** What a path has come to. `why` never holds anything of what stands in the file. */
export type PrivateKeyAnswer =
  | PrivateKey
  | { readonly kind: 'missing'; readonly path: string }
  | { readonly kind: 'unreadable'; readonly path: string; readonly why: string };

export interface PrivateKeyOptions {
  /** A monotonic clock in milliseconds. */
  readonly now?: () => number;
  /** Paths remembered. */
  readonly max?: number;
}

/** Milliseconds between two looks at the same file. */
const CHECK_MS = 1000;
/** A path is made of the domain of a message: senders choose how many there are. */
const MAX_FILES = 1000;
/** Bytes; RSA keys of 16384 bits have 13 KiB. */
const MAX_BYTES = 64 * 1024;

/** PKCS#8 of an Ed25519 key without the key itself (RFC 8410). */
const ED25519_INFO = Buffer.from('302e020100300506032b657004220420', 'hex');

const WANTED = 'wanted a PEM file such as `postern dkim keygen` or `openssl genrsa` writes';

interface Look {
  /** Changes whenever the file does; null: there was none, or it could not be looked at. */
  readonly identity: string | null;
  readonly answer: PrivateKeyAnswer;
}

interface Known {
  readonly lookedAt: number;
  readonly look: Promise<Look>;
  done: boolean;
}

/**
 * Private keys by the paths of their files. A file is looked at when it is asked for, at most once a second, and read
 * again when it has changed: a key that is replaced signs within a second. The 1000 paths used last are remembered,
 * missing ones too.
 */
export class PrivateKeyFiles {
  readonly #now: () => number;
  readonly #max: number;
  readonly #known = new Map<string, Known>();

  constructor(options: PrivateKeyOptions = {}) {
    this.#now = options.now ?? (() => performance.now());
    this.#max = options.max ?? MAX_FILES;
  }

  /** The key at `path`, of any form that `readPrivateKey` takes. Never rejects. */
  async load(path: string): Promise<PrivateKeyAnswer> {
    const before = this.#known.get(path);
    this.#known.delete(path);
    // A disk that hangs is waited for once, however many ask.
    const current =
      before !== undefined && (!before.done || this.#now() - before.lookedAt < CHECK_MS)
        ? before
        : this.#look(path, before?.look);
    this.#known.set(path, current);
    if (this.#known.size > this.#max)
      for (const oldest of this.#known.keys()) {
        this.#known.delete(oldest);
        break;
      }
    return (await current.look).answer;
  }

  #look(path: string, before: Promise<Look> | undefined): Known {
    const look = lookAt(path, before).finally(() => {
      known.done = true;
    });
    const known: Known = { lookedAt: this.#now(), look, done: false };
    return known;
  }
}

const files = new PrivateKeyFiles();

/** As `PrivateKeyFiles.load`, of the one set of files that a process has. */
export function loadPrivateKey(path: string): Promise<PrivateKeyAnswer> {
  return files.load(path);
}

async function lookAt(path: string, before: Promise<Look> | undefined): Promise<Look> {
  const known = await before;
  try {
    if (known?.identity && identityOf(await stat(path, { bigint: true })) === known.identity) return known;
    // A FIFO would wait for its writer.
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      return await readFrom(file, path);
    } finally {
      await file.close();
    }
  } catch (error) {
    return { identity: null, answer: troubleOf(path, error) };
  }
}

async function readFrom(file: FileHandle, path: string): Promise<Look> {
  const found = await file.stat({ bigint: true });
  const identity = identityOf(found);
  const unreadable = (why: string): Look => ({ identity, answer: { kind: 'unreadable', path, why } });
  if (!found.isFile()) return unreadable('it is no file');
  if (found.size > MAX_BYTES) return unreadable(`it has more than ${MAX_BYTES} bytes; ${WANTED}`);
  const read = readPrivateKey(await contents(file));
  if ('why' in read) return unreadable(read.why);
  const worldReadable = (found.mode & 0o004n) !== 0n;
  return { identity, answer: { kind: 'found', path, worldReadable, ...read } };
}

/** A file that grows while it is read is cut off. */
async function contents(file: FileHandle): Promise<string> {
  const bytes = Buffer.alloc(MAX_BYTES);
  let length = 0;
  while (length < MAX_BYTES) {
    const { bytesRead } = await file.read(bytes, length, MAX_BYTES - length, length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return bytes.toString('latin1', 0, length);
}

function identityOf({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return [dev, ino, size, mtimeNs, ctimeNs].join(' ');
}

function troubleOf(path: string, error: unknown): PrivateKeyAnswer {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ENAMETOOLONG') return { kind: 'missing', path };
  const denied = code === 'EACCES' || code === 'EPERM';
  return { kind: 'unreadable', path, why: denied ? 'permission denied' : `it cannot be read (${code})` };
}

/**
 * The key in the text of a file (a byte string): the first PEM block of a private key, PKCS#1 or PKCS#8, RSA or Ed25519,
 * whatever stands around it; or the 32 bytes of an Ed25519 key in base64, as dkimpy's dknewkey writes them. Blank lines
 * and lines that begin with `#` are skipped, as qmail's list reader does. Never throws.
 */
export function readPrivateKey(
  text: string,
): { readonly key: KeyObject; readonly type: KeyType; readonly bits: number } | { readonly why: string } {
  const lines = text
    .split('\n')
    .map(line => line.trimEnd())
    .filter(line => line !== '' && !line.startsWith('#'));
  const block = pemBlock(lines);
  if ('why' in block) return block;
  try {
    const key =
      'pem' in block
        ? createPrivateKey(block.pem)
        : createPrivateKey({ key: block.pkcs8, format: 'der', type: 'pkcs8' });
    const type = key.asymmetricKeyType;
    if (type === 'ed25519') return { key, type, bits: 256 };
    if (type === 'rsa') return { key, type, bits: key.asymmetricKeyDetails?.modulusLength ?? 0 };
    return { why: `it holds a key of type ${type ?? 'unknown'}; wanted rsa or ed25519` };
  } catch {
    // OpenSSL's own words are of no use, and nobody promises that they hold nothing of the key.
    return { why: `its private key is damaged; ${WANTED}` };
  }
}

function pemBlock(
  lines: readonly string[],
): { readonly pem: string } | { readonly pkcs8: Buffer } | { readonly why: string } {
  const begin = lines.findIndex(line => /^-----BEGIN (?:[A-Z0-9]+ )?PRIVATE KEY-----$/.test(line));
  const [first = ''] = lines;
  if (begin < 0) {
    if (lines.length === 0) return { why: `it is empty; ${WANTED}` };
    if (lines.length === 1 && /^[A-Za-z0-9+/]{43}=$/.test(first))
      return { pkcs8: Buffer.concat([ED25519_INFO, Buffer.from(first, 'base64')]) };
    const isPublic = lines.some(line => /^-----BEGIN (?:RSA )?PUBLIC KEY-----/.test(line));
    return { why: `it holds ${isPublic ? 'a public key and no' : 'no'} private key; ${WANTED}` };
  }
  const opening = lines[begin] ?? '';
  const end = lines.indexOf(opening.replace('BEGIN', 'END'), begin);
  const block = lines.slice(begin, end + 1);
  if (opening.includes('BEGIN OPENSSH '))
    return { why: 'its key is in the form of OpenSSH; `ssh-keygen -p -m PKCS8` turns it into PEM' };
  if (opening.includes('BEGIN ENCRYPTED ') || lines.some(line => /^Proc-Type:.*ENCRYPTED/.test(line)))
    return {
      why: 'its key is encrypted, and nobody is there to type the passphrase; `openssl pkey` decrypts it',
    };
  if (end < 0) return { why: 'its private key is cut off: there is no END line' };
  return { pem: `${block.join('\n')}\n` };
}
