import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ScannerAddress } from '../../src/model/scanner-address.ts';
import { showScannerAddress } from '../../src/model/scanner-address.ts';
import type { VerdictRecord } from '../../src/model/record.ts';
import type { ControlFiles, GatewayOptions, RunningGateway } from '../support/gateway.ts';
import { startGateway } from '../support/gateway.ts';
import { envelope, RECEIVED, startQueueRig } from '../support/qmail-rig.ts';
import { waitFor } from '../support/processes.ts';
import { greeted } from './dialogue.ts';

/** An envelope; without a sender it gets one of its own. */
export interface Envelope {
  readonly from?: string;
  readonly to: readonly string[];
  readonly relayClient?: boolean;
}

/** What became of a message. */
export interface Sent {
  readonly said: 'accepted' | 'refused' | 'deferred';
  /** What the sender reads, without status and without our id; `''` for what was accepted. */
  readonly text: string;
  /** What the next hop got, LF line ends. */
  readonly delivered: readonly string[];
  /** From the end of the message to the answer. */
  readonly ms: number;
  /** Its record, once it is in the store. */
  record(): Promise<VerdictRecord>;
}

/** A gateway in one of its two modes, and whoever brings it mail. */
export interface ScannerRig extends AsyncDisposable {
  readonly mode: Mode;
  readonly gateway: RunningGateway;
  /** Brings a message, CRLF line ends. */
  send(message: Buffer, envelope: Envelope): Promise<Sent>;
}

export type Mode = 'relay' | 'behind qmail';

/** The client that is a relay client, where `tcp.smtp` is that of `startRig`. */
const RELAY_CLIENT = '127.0.0.9';

/** Nothing but the scanners decides; nothing asks the DNS. */
const QUIET: ControlFiles = {
  reversename: 'no\n',
  'quarantine-events.txt': '# nothing\n',
  clamtime: '20\n',
  spamtime: '20\n',
};

let serial = 0;

/** Starts a gateway in that mode; `files` on top of what every test of scanners wants. */
export async function startRig(
  mode: Mode,
  files: ControlFiles = {},
  options: GatewayOptions = {},
): Promise<ScannerRig> {
  return mode === 'relay'
    ? await startRelay({ ...QUIET, ...files }, options)
    : await startBehindQmail({ ...QUIET, ...files }, options);
}

/** An address as a control file has it. */
export function at(scanner: { readonly address: ScannerAddress }): string {
  return `${showScannerAddress(scanner.address)}\n`;
}

async function startRelay(files: ControlFiles, options: GatewayOptions): Promise<ScannerRig> {
  const gateway = await startGateway(
    {
      rcpthosts: 'example.com\nelsewhere.example\n',
      'tcp.smtp': `${RELAY_CLIENT}:allow,RELAYCLIENT=""\n:allow\n`,
      ...files,
    },
    options,
  );
  const folder = join(gateway.state, 'Maildir/new');
  const names = (): Promise<string[]> => readdir(folder).catch(() => []);
  const send = async (message: Buffer, { from, to, relayClient = false }: Envelope): Promise<Sent> => {
    const sender = from ?? `sender${++serial}@example.net`;
    const before = await names();
    await using client = await greeted(gateway.port, relayClient ? { from: RELAY_CLIENT } : {});
    const rcpt = await client.envelope(sender, ...to);
    if (!rcpt.startsWith('250')) throw new Error(`the recipient was refused: ${rcpt}`);
    await client.say('DATA');
    const since = performance.now();
    const reply = await client.say(`${stuffed(message)}.`);
    const ms = performance.now() - since;
    const [, code = '', words = '', id = ''] =
      /^(\d{3}) \d\.\d{1,3}\.\d{1,3} (.*) \[([\w.]+)\]$/.exec(reply) ?? [];
    const said = code.startsWith('2') ? 'accepted' : code.startsWith('5') ? 'refused' : 'deferred';
    const after = (await names()).filter(one => !before.includes(one));
    const copies = await Promise.all(after.map(name => readFile(join(folder, name), 'latin1')));
    const delivered = copies.filter(copy => copy.startsWith(`Return-Path: <${sender}>\n`));
    return {
      said,
      text: said === 'accepted' ? '' : words,
      delivered,
      ms,
      record: () => gateway.record(id),
    };
  };
  return {
    mode: 'relay',
    gateway,
    send,
    [Symbol.asyncDispose]: () => gateway[Symbol.asyncDispose](),
  };
}

async function startBehindQmail(files: ControlFiles, options: GatewayOptions): Promise<ScannerRig> {
  const rig = await startQueueRig(files, options);
  const send = async (message: Buffer, { from, to, relayClient = false }: Envelope): Promise<Sent> => {
    const sender = from ?? `sender${++serial}@example.net`;
    const known = ids(rig.gateway);
    const since = performance.now();
    const {
      code,
      texts,
      runs,
      message: delivered,
    } = await rig.bring({
      message: Buffer.concat([Buffer.from(RECEIVED), lf(message)]),
      envelope: envelope(sender, ...to),
      channels: ['w:6'],
      env: relayClient ? { RELAYCLIENT: '' } : {},
    });
    const ms = performance.now() - since;
    const id =
      /\[([\w.]+)\]$/.exec(texts[6] ?? '')?.[1] ?? /^Received: .*? id ([\w.]+)/s.exec(text(delivered))?.[1];
    const [, letter = '', words = ''] =
      /^([DZ])(.*) \(#[45](?:\.\d{1,3}){2}\) \[[\w.]+\]$/.exec(texts[6] ?? '') ?? [];
    if ((code === 0) !== (letter === '')) throw new Error(`exit code ${code}, text ${texts[6]}`);
    return {
      said: code === 0 ? 'accepted' : letter === 'D' ? 'refused' : 'deferred',
      text: words,
      delivered: runs > 0 ? [text(delivered)] : [],
      ms,
      record: async () => {
        if (id !== undefined) return await rig.gateway.record(id);
        const logged = await waitFor('its line in the log', () =>
          ids(rig.gateway, sender).find(one => !known.includes(one)),
        );
        return await rig.gateway.record(logged);
      },
    };
  };
  return {
    mode: 'behind qmail',
    gateway: rig.gateway,
    send,
    [Symbol.asyncDispose]: () => rig[Symbol.asyncDispose](),
  };
}

/** Ids of the messages that the log tells of, of one sender or of all. */
function ids(gateway: RunningGateway, sender?: string): string[] {
  return gateway
    .log()
    .filter(line => line.event.startsWith('message-') && (sender === undefined || line['from'] === sender))
    .map(line => String(line['id']));
}

function text(bytes: Buffer): string {
  return bytes.toString('latin1');
}

/** With LF line ends. */
export function lf(message: Buffer): Buffer {
  return Buffer.from(text(message).replaceAll('\r\n', '\n'), 'latin1');
}

/** As DATA has it, without the final dot. */
function stuffed(message: Buffer): string {
  const whole = text(message);
  const ended = whole === '' || whole.endsWith('\r\n') ? whole : `${whole}\r\n`;
  return ended.replace(/^\./gm, '..');
}
