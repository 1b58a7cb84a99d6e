import type { KeyObject } from 'node:crypto';
import { join } from 'node:path';
import { ROOT, run } from './processes.ts';

/** What a peer makes of an ARC chain: `none`, `pass` or `fail`; `''` is dkimpy's word for a chain sealed as failed. */
export interface ArcPeerVerdict {
  readonly result: string;
  readonly detail: string;
}

export interface ArcPeerSealing {
  /** CRLF line ends. */
  readonly message: Buffer;
  /** RSA: neither peer seals with Ed25519. */
  readonly key: KeyObject;
  readonly domain: string;
  readonly selector: string;
  /** Whose Authentication-Results are sealed, and whose `arc=` in them is believed. */
  readonly authservId: string;
}

/** Another implementation of ARC. Both reject when it cannot be run, or refuses. */
export interface ArcPeer {
  readonly name: string;
  /** Asks the name server at 127.0.0.1:`port`. */
  verify(messages: readonly Buffer[], port: number): Promise<readonly ArcPeerVerdict[]>;
  /** The new set as CRLF lines; `''`: it seals nothing. */
  seal(sealing: ArcPeerSealing): Promise<string>;
}

/** dkimpy 1.1. */
export const dkimpy = peer('dkimpy', '/usr/bin/python3', 'arc-peer.py');
/** Mail::DKIM 1.2. */
export const mailDkim = peer('Mail::DKIM', 'perl', 'arc-peer.pl');

function peer(name: string, program: string, script: string): ArcPeer {
  const ask = async <T>(requests: readonly object[]): Promise<readonly T[]> => {
    const input = requests.map(request => `${JSON.stringify(request)}\n`).join('');
    const done = await run(program, [join(ROOT, 'test/support', script)], { input });
    const answers = done.stdout
      .toString()
      .split('\n')
      .slice(0, -1)
      .map(line => JSON.parse(line) as T & { readonly error?: string });
    const error = answers.find(answer => answer.error !== undefined)?.error;
    if (done.code !== 0 || answers.length !== requests.length || error !== undefined)
      throw new Error(`${name}: ${error ?? done.stderr.toString()}`);
    return answers;
  };
  return {
    name,
    verify: (messages, port) =>
      ask(messages.map(message => ({ do: 'verify', port, message: message.toString('base64') }))),
    seal: async ({ message, key, ...sealing }) => {
      const pem = key.export({ type: 'pkcs1', format: 'pem' });
      const request = { do: 'seal', key: pem, message: message.toString('base64'), ...sealing };
      return (await ask<{ readonly headers: string }>([request]))[0]?.headers ?? '';
    },
  };
}
