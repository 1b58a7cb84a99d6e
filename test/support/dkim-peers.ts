import type { KeyObject } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { mailDkimSign, mailDkimVerify } from './mail-dkim.ts';
import { ROOT, run, temporaryFolder } from './processes.ts';

export interface DkimPeerVerdict {
  readonly holds: boolean;
  readonly detail: string;
}

export interface DkimPeerSigning {
  /** CRLF line ends. */
  readonly message: Buffer;
  readonly key: KeyObject;
  /** `relaxed/simple` and the like. */
  readonly method: string;
  readonly domain: string;
  readonly selector: string;
}

/** What signers publish. */
export interface PublishedKeys {
  /** A name server at 127.0.0.1 that knows them. */
  readonly port: number;
  /** Names and texts of the key records. */
  readonly records: Readonly<Record<string, string>>;
}

/** Another implementation of DKIM. It rejects when it cannot be run, or refuses to sign. */
export interface DkimPeer {
  readonly name: string;
  /** Debian's Mail::DKIM has no Ed25519. */
  readonly ed25519: boolean;
  /** About the topmost signature of each message. */
  verify(messages: readonly Buffer[], keys: PublishedKeys): Promise<readonly DkimPeerVerdict[]>;
  /** A signature field, CRLF line ends, for the top of each message. */
  sign(signings: readonly DkimPeerSigning[]): Promise<readonly string[]>;
}

/** Mail::DKIM 1.2. */
export const mailDkim: DkimPeer = {
  name: 'Mail::DKIM',
  ed25519: false,
  verify: async (messages, { port }) => {
    const verdicts = await mailDkimVerify(messages, port);
    return verdicts.map(({ result, detail }) => ({ holds: result === 'pass', detail }));
  },
  sign: signings =>
    mailDkimSign(signings.map(signing => ({ kind: 'dkim', algorithm: 'rsa-sha256', ...signing }))),
};

/** dkimpy 1.1. */
export const dkimpy: DkimPeer = {
  name: 'dkimpy',
  ed25519: true,
  verify: (messages, { port }) =>
    ask(messages.map(message => ({ do: 'verify', port, message: message.toString('base64') }))),
  sign: async signings => {
    const requests = signings.map(({ key, message, ...rest }) => ({
      do: 'sign',
      ...rest,
      algorithm: algorithmOf(key),
      key: key.asymmetricKeyType === 'rsa' ? key.export({ type: 'pkcs1', format: 'pem' }) : seedOf(key),
      message: message.toString('base64'),
    }));
    return (await ask<{ readonly field: string }>(requests)).map(({ field }) => field);
  },
};

/**
 * opendkim 2.11 in its test mode, which is fed a file in place of a milter's calls: a blank before a colon, blanks at the
 * end of a field, a NUL and a last line without its end are lost on the way.
 */
export const opendkim: DkimPeer = {
  name: 'opendkim',
  ed25519: true,
  verify: async (messages, { records }) => {
    await using folder = await temporaryFolder();
    const published = Object.entries(records).map(([name, record]) => `${name} ${record}\n`);
    await writeFile(join(folder.path, 'keys'), published);
    const config = ['Mode v', `TestPublicKeys ${join(folder.path, 'keys')}`];
    const { stdout, stderr } = await opendkimTest(folder.path, config, messages);
    const lines = `${stdout}${stderr}`.split('\n').filter(line => line.startsWith('opendkim: '));
    return messages.map((_, i) => {
      const detail =
        lines.find(line => line.includes(`/${i}.eml: `) && !line.includes(' returned ')) ?? 'no answer';
      return { holds: detail.endsWith(' succeeded'), detail };
    });
  },
  sign: async signings => {
    await using folder = await temporaryFolder();
    const fields: string[] = [];
    for (const [i, { message, key, method, domain, selector }] of signings.entries()) {
      const path = join(folder.path, `${i}.pem`);
      await writeFile(path, key.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
      const config = [
        'Mode s',
        `KeyFile ${path}`,
        'RequireSafeKeys no',
        `Domain ${domain}`,
        `Selector ${selector}`,
        `Canonicalization ${method}`,
        `SignatureAlgorithm ${algorithmOf(key)}`,
      ];
      const { stdout, stderr } = await opendkimTest(folder.path, config, [message], `${i}-`);
      const value = /hname='DKIM-Signature' hvalue='([^']*)'/.exec(stdout)?.[1];
      if (value === undefined) throw new Error(`opendkim: ${stdout}${stderr}`);
      fields.push(`DKIM-Signature: ${value.replace(/\r?\n/g, '\r\n')}\r\n`);
    }
    return fields;
  },
};

async function opendkimTest(
  folder: string,
  config: readonly string[],
  messages: readonly Buffer[],
  prefix = '',
): Promise<{ readonly stdout: string; readonly stderr: string }> {
  const files = messages.map((_, i) => join(folder, `${prefix}${i}.eml`));
  await Promise.all(files.map((file, i) => writeFile(file, messages[i] as Buffer)));
  const path = join(folder, `${prefix}opendkim.conf`);
  await writeFile(path, config.map(line => `${line}\n`).join(''));
  const done = await run('opendkim', ['-x', path, '-vv', '-t', files.join(',')]);
  return { stdout: done.stdout.toString('latin1'), stderr: done.stderr.toString('latin1') };
}

function algorithmOf(key: KeyObject): string {
  return key.asymmetricKeyType === 'rsa' ? 'rsa-sha256' : 'ed25519-sha256';
}

/** The 32 bytes of a private Ed25519 key, in base64. */
function seedOf(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'der' }).subarray(-32).toString('base64');
}

async function ask<T>(requests: readonly object[]): Promise<readonly T[]> {
  const input = requests.map(request => `${JSON.stringify(request)}\n`).join('');
  const done = await run('/usr/bin/python3', [join(ROOT, 'test/support/dkim-peer.py')], { input });
  const answers = done.stdout
    .toString()
    .split('\n')
    .slice(0, -1)
    .map(line => JSON.parse(line) as T & { readonly error?: string });
  const error = answers.find(answer => answer.error !== undefined)?.error;
  if (done.code !== 0 || answers.length !== requests.length || error !== undefined)
    throw new Error(`dkimpy: ${error ?? done.stderr.toString()}`);
  return answers;
}
