import type { KeyObject } from 'node:crypto';
import { generateKeyPair, randomUUID } from 'node:crypto';
import { link, lstat, mkdir, realpath, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { moveDurable, remove, syncDirectory, writeDurably, writeFully } from '../mail/durable-file.ts';
import { isSelector, isSigningDomain } from '../model/signing-name.ts';
import { bindForm, dkimRecord, plainForm, recordName, tinydnsForm } from './dkim-record.ts';

export interface KeygenOptions {
  /** Bits, as typed; 2048 without it and without `ed25519`. */
  readonly rsa?: string;
  readonly ed25519?: boolean;
  /** The folder of keys. */
  readonly out: string;
  readonly force: boolean;
}

/** Where results go, and what is wrong or deserves a word. */
export interface DkimOutput {
  readonly print: (line: string) => void;
  readonly complain: (line: string) => void;
}

/** Where keys have been since qmail-dk. */
export const KEY_FOLDER = '/etc/domainkeys';

const MIN_BITS = 1024;
const MAX_BITS = 8192;
/** Longest name that can be asked for. */
const MAX_NAME = 253;

const generate = promisify(generateKeyPair);

/**
 * `postern dkim keygen`: makes a key, writes it to OUT/DOMAIN/SELECTOR, and prints the record to publish in the forms of
 * BIND and tinydns and in one line. The file appears whole or not at all, 0600, in PEM: RSA as PKCS#1, which Mail::DKIM
 * and libdomainkeys insist on, Ed25519 as PKCS#8. With `force` an existing file is replaced and keeps its owner and its
 * group's right to read. 0: written; 1: nothing was written.
 */
export async function dkimKeygen(
  domain: string,
  selector: string,
  options: KeygenOptions,
  { print, complain }: DkimOutput,
): Promise<number> {
  const name = domain.toLowerCase();
  const bits = /^[0-9]{1,5}$/.test(options.rsa ?? '2048') ? Number(options.rsa ?? 2048) : 0;
  const wrong =
    nameFault(name, selector) ??
    (bits < MIN_BITS || bits > MAX_BITS
      ? `--rsa ${options.rsa}: wanted ${MIN_BITS} to ${MAX_BITS} bits`
      : null);
  if (wrong !== null) {
    complain(`postern: ${wrong}`);
    return 1;
  }
  const file = join(resolve(options.out), name, selector);
  try {
    const old = await lstat(file).catch(() => null);
    if (old !== null && !options.force) throw new Error('it exists; --force replaces it');
    const type = options.ed25519 === true ? 'ed25519' : 'rsa';
    const { privateKey } =
      type === 'rsa' ? await generate('rsa', { modulusLength: bits }) : await generate('ed25519');
    const mode = await writeKey(file, pemOf(privateKey, type), options.force);
    const record = dkimRecord(name, selector, type, privateKey);
    print(`${file}: ${type === 'rsa' ? `rsa, ${bits} bits` : type}, mode 0${mode.toString(8)}`);
    for (const [form, text] of [
      ['BIND', bindForm(record)],
      ['tinydns', tinydnsForm(record)],
      ['plain', plainForm(record)],
    ])
      print(`\n${form}:\n${text}`);
    if (type === 'rsa') for (const warning of sizeWarnings(bits)) complain(`warning: ${warning}`);
    if (old !== null)
      complain('warning: the key it replaces is gone; what it has signed fails once DNS has the new one');
    return 0;
  } catch (error) {
    complain(`postern: ${file} was not written: ${error instanceof Error ? error.message : String(error)}`);
    return 1;
  }
}

/** What is wrong with the names on a command line, or null. `domain` is in lower case. */
export function nameFault(domain: string, selector: string): string | null {
  if (!isSigningDomain(domain))
    return `"${domain}" is no domain; wanted example.com, or xn-- names for other letters`;
  if (!isSelector(selector)) return `"${selector}" is no selector; wanted letters, digits and inner hyphens`;
  const name = recordName(domain, selector);
  return name.length > MAX_NAME ? `${name} is longer than a DNS name may be` : null;
}

/** What is to be said of the size of an RSA key (RFC 8301 3.2). */
export function sizeWarnings(bits: number): string[] {
  if (bits < MIN_BITS) return [`${bits} bits: verifiers refuse keys of less than ${MIN_BITS} bits`];
  if (bits < 2048) return [`${bits} bits are few: 2048 are what signers should have`];
  if (bits > 4096) return [`${bits} bits: verifiers need not take more than 4096, and DNS answers get long`];
  return [];
}

function pemOf(key: KeyObject, type: 'rsa' | 'ed25519'): Buffer {
  return Buffer.from(key.export({ format: 'pem', type: type === 'rsa' ? 'pkcs1' : 'pkcs8' }));
}

/** Gives the mode of the file. Rejects with the system's error, and then nothing has changed but folders. */
async function writeKey(file: string, pem: Buffer, force: boolean): Promise<number> {
  await mkdir(dirname(file), { recursive: true, mode: 0o755 });
  const target = force ? await realpath(file).catch(() => file) : file;
  const old = force ? await stat(target).catch(() => null) : null;
  if (old !== null && !old.isFile()) throw new Error('what stands there is no file');
  const mode = 0o600 | ((old?.mode ?? 0) & 0o040);
  const folder = dirname(target);
  const temporary = join(folder, `.${randomUUID()}.new`);
  await writeDurably(temporary, async handle => {
    if (old !== null) await handle.chown(old.uid, old.gid);
    await handle.chmod(mode);
    await writeFully(handle, pem);
  });
  if (force) await moveDurable(temporary, target);
  else {
    // Unlike rename(2), link(2) replaces nothing, whoever was faster.
    try {
      await link(temporary, target);
    } finally {
      await remove(temporary);
    }
  }
  await syncDirectory(folder);
  await syncDirectory(dirname(folder));
  return mode;
}
