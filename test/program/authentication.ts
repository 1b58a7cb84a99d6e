import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { RecordedFinding } from '../../src/model/finding.ts';
import type { VerdictRecord } from '../../src/model/record.ts';
import type { DnsServer, Zone } from '../support/dns-server.ts';
import { startDnsServer } from '../support/dns-server.ts';
import type { ControlFiles, GatewayOptions, RunningGateway } from '../support/gateway.ts';
import { startGateway } from '../support/gateway.ts';
import { temporaryFolder } from '../support/processes.ts';
import { testKeys } from '../support/signed-mail.ts';
import type { Dialogue } from './dialogue.ts';
import { greeted } from './dialogue.ts';

/** Sender authentication as it is shipped, asking `dns` alone. */
export function asShipped(dns: DnsServer): ControlFiles {
  return {
    dnsservers: `${dns.address}\n`,
    spfbehavior: null,
    dkimverify: null,
    dmarc: null,
    arc: null,
  };
}

/** A gateway with sender authentication as shipped, and the DNS that it asks. */
export interface Verifying extends AsyncDisposable {
  readonly dns: DnsServer;
  readonly gateway: RunningGateway;
}

/** Starts both. Clients come through a proxy on this host: see `clientFrom`. */
export async function startVerifying(
  zone: Zone,
  files: ControlFiles = {},
  options: GatewayOptions = {},
): Promise<Verifying> {
  const dns = await startDnsServer(zone);
  const usual = { ...asShipped(dns), proxyfrom: '127.0.0.1\n' };
  const gateway = await startGateway({ ...usual, ...files }, options).catch(async (error: unknown) => {
    await dns.close();
    throw error;
  });
  return {
    dns,
    gateway,
    [Symbol.asyncDispose]: async () => {
      await gateway[Symbol.asyncDispose]();
      await dns.close();
    },
  };
}

/** A client from elsewhere: a proxy on this host says who it is. */
export function clientFrom(gateway: Pick<RunningGateway, 'port'>, ip: string): Promise<Dialogue> {
  const first = ip.includes(':')
    ? `PROXY TCP6 ${ip} ::1 40000 25\r\n`
    : `PROXY TCP4 ${ip} 192.0.2.25 40000 25\r\n`;
  return greeted(gateway.port, { first });
}

/** One message from a client at `ip`; the answer to RCPT when that is a refusal, else the one to the final dot. */
export async function sendFrom(
  gateway: Pick<RunningGateway, 'port'>,
  ip: string,
  text: string,
  from = 'a@sender.example',
  ...to: readonly string[]
): Promise<string> {
  await using client = await clientFrom(gateway, ip);
  const reply = await client.envelope(from, ...to);
  return reply.startsWith('2') ? await client.message(text) : reply;
}

/** A message by `author`, CRLF lines. */
export function letter(author: string, body = 'hello\r\n'): string {
  return `From: ${author}\r\nTo: me@example.com\r\nDate: Sat, 21 Nov 2026 10:00:00 +0000\r\nMessage-ID: <${Math.random().toString(36).slice(2)}@example.com>\r\nSubject: a letter\r\n\r\n${body}`;
}

/** With the line ends of the network. */
export function toCrlf(bytes: Buffer): Buffer {
  return Buffer.from(bytes.toString('latin1').replaceAll('\n', '\r\n'), 'latin1');
}

/** Each field on one line; LF lines. */
export function unfolded(text: string): string {
  return text.replace(/\n[ \t]+/g, ' ');
}

/** The findings of a rule: its state and detail. */
export function findingsOf({ findings }: VerdictRecord, rule: string): readonly RecordedFinding[] {
  return findings.filter(finding => finding.rule === rule);
}

/** A folder of private keys, `FOLDER/DOMAIN/SELECTOR`. */
export interface KeyFolder extends AsyncDisposable {
  readonly path: string;
  /** Puts a key there; the RSA key of the tests by default. */
  put(domain: string, selector: string, pem?: string): Promise<string>;
}

export async function keyFolder(): Promise<KeyFolder> {
  const folder = await temporaryFolder();
  return {
    path: folder.path,
    put: async (domain, selector, pem = testKeys().pem) => {
      const path = join(folder.path, domain, selector);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, pem, { mode: 0o600 });
      return path;
    },
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}
