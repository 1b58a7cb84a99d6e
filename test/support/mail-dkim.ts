import type { KeyObject } from 'node:crypto';
import { join } from 'node:path';
import { ROOT, run } from './processes.ts';

/** What Mail::DKIM finds in a message: `pass`, `fail`, `invalid`, `temperror` or `none`, with its reason in brackets. */
export interface MailDkimVerdict {
  readonly result: string;
  readonly detail: string;
  readonly signatures: readonly {
    readonly kind: 'dkim' | 'domainkeys';
    readonly domain: string;
    readonly selector: string;
    readonly result: string;
    readonly detail: string;
  }[];
}

export interface MailDkimSigning {
  readonly kind: 'dkim' | 'domainkeys';
  /** CRLF line ends. */
  readonly message: Buffer;
  /** RSA: Debian's Mail::DKIM has no Ed25519. */
  readonly key: KeyObject;
  /** `rsa-sha1` or `rsa-sha256`. */
  readonly algorithm: string;
  /** `relaxed/simple` and the like; of DomainKeys `nofws` or `simple`. */
  readonly method: string;
  readonly domain: string;
  readonly selector: string;
  /** `h=`; without it DKIM signs what Mail::DKIM thinks should be, DomainKeys has no `h=`. */
  readonly fields?: string;
}

/** Verifies all signatures of each message (CRLF line ends) with Mail::DKIM; it asks the name server at 127.0.0.1:`port`. */
export async function mailDkimVerify(
  messages: readonly Buffer[],
  port: number,
): Promise<readonly MailDkimVerdict[]> {
  return ask(messages.map(message => ({ do: 'verify', port, message: message.toString('base64') })));
}

/** The signature fields, with their final CRLF, that Mail::DKIM puts on top of each message. */
export async function mailDkimSign(signings: readonly MailDkimSigning[]): Promise<readonly string[]> {
  const answers = await ask<{ readonly field: string }>(
    signings.map(signing => ({
      do: 'sign',
      ...signing,
      message: signing.message.toString('base64'),
      key: signing.key.export({ type: 'pkcs1', format: 'der' }).toString('base64'),
    })),
  );
  return answers.map(answer => answer.field);
}

async function ask<T>(requests: readonly object[]): Promise<readonly T[]> {
  const input = requests.map(request => `${JSON.stringify(request)}\n`).join('');
  const done = await run('perl', [join(ROOT, 'test/support/mail-dkim.pl')], { input });
  const answers = done.stdout
    .toString()
    .split('\n')
    .slice(0, -1)
    .map(line => JSON.parse(line) as T & { readonly error?: string });
  const failed = answers.find(answer => answer.error !== undefined);
  if (done.code !== 0 || answers.length !== requests.length || failed !== undefined)
    throw new Error(`Mail::DKIM: ${failed?.error ?? done.stderr.toString()}`);
  return answers;
}
