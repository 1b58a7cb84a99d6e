import { mkdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { MessageSignatures } from '../../src/auth/message-authentication.ts';
import { sealMessage } from '../../src/auth/seal-message.ts';
import { signMessage } from '../../src/auth/sign-message.ts';
import { checkSpf } from '../../src/auth/spf.ts';
import { Complaints } from '../../src/control/complaints.ts';
import type { Configuration } from '../../src/control/configuration.ts';
import { loadConfiguration } from '../../src/control/load.ts';
import { address } from '../../src/model/address.ts';
import type { Delivery, DeliveryEnvelope, HopAnswer } from '../../src/model/delivery.ts';
import type { Dns } from '../../src/model/dns.ts';
import type { Message } from '../../src/model/message.ts';
import { complaintText } from '../../src/model/origin.ts';
import type { VerdictRecord } from '../../src/model/record.ts';
import { reply } from '../../src/model/reply.ts';
import type { Client, MailParameters } from '../../src/model/session.ts';
import type { Answer } from '../../src/pipeline/answer.ts';
import type { Conversation } from '../../src/pipeline/conversation.ts';
import type { GatewayParts, Held } from '../../src/pipeline/parts.ts';
import { Gateway } from '../../src/pipeline/gateway.ts';
import type { AnyPlugin, Services } from '../../src/pipeline/run-stage.ts';
import { PLUGINS, pluginNames, ruleNames } from '../../src/plugins/list.ts';
import { bytesOf, storedMessage } from '../mail/stored.ts';
import { ROOT, temporaryFolder } from '../support/processes.ts';

/** What a next hop of the tests does; by default it takes everything. Throwing counts, too. */
export interface HopScript {
  rcpt?(recipient: string): HopAnswer['kind'] | Promise<HopAnswer['kind']>;
  /** One answer a recipient; `signal` is aborted when the delivery is. */
  send?(recipients: readonly string[], signal: AbortSignal): Kinds | Promise<Kinds>;
}

type Kinds = readonly HopAnswer['kind'][];

/** One transaction with one next hop, as the hop saw it. */
export interface HopTransaction {
  readonly hop: string;
  readonly sender: string | null;
  readonly recipients: string[];
  /** Our header block and the message; null when nothing was sent. */
  text: string | null;
  aborted: boolean;
}

const NO_SCANNER = { kind: 'error', fault: 'refused', why: 'this rig has no scanner' } as const;

export interface RigOptions {
  /** What the scanners say. */
  readonly virus?: Services['virus'];
  readonly score?: Services['score'];
  /** Control files besides `me`, `rcpthosts` and `smtproutes`. */
  readonly control?: Readonly<Record<string, string>>;
  /** By domain of the recipient; each domain has a next hop of its own. */
  readonly hops?: Readonly<Record<string, HopScript>>;
  readonly plugins?: readonly AnyPlugin[];
  readonly dns?: Partial<Dns>;
  /** What storing in the quarantine does first. */
  readonly onHold?: (held: Held) => void | Promise<void>;
  readonly ownAddresses?: readonly string[];
  /** In place of the rig's own. */
  readonly parts?: Partial<GatewayParts>;
}

/** A gateway in this process over a real configuration; its next hops, quarantine and journal are lists. */
export interface Rig {
  readonly gateway: Gateway;
  readonly configuration: Configuration;
  readonly records: VerdictRecord[];
  readonly hops: HopTransaction[];
  readonly held: { readonly held: Held; readonly text: string }[];
  /** From now on no mail can be stored, for this reason; null: it can. */
  readonly trouble: (text: string | null) => void;
  /** A conversation with a client that has said its name. */
  readonly converse: (client?: Partial<Client>, helo?: string) => Promise<Conversation>;
}

const NO_RECORDS: Dns = {
  a: () => Promise.resolve({ kind: 'none', nxdomain: true }),
  aaaa: () => Promise.resolve({ kind: 'none', nxdomain: true }),
  txt: () => Promise.resolve({ kind: 'none', nxdomain: true }),
  mx: () => Promise.resolve({ kind: 'none', nxdomain: true }),
  ptr: () => Promise.resolve({ kind: 'none', nxdomain: true }),
};

const SAID: Readonly<Record<HopAnswer['kind'], HopAnswer['reply']>> = {
  accepted: reply(250, '2.0.0', 'hop took it'),
  refused: reply(550, '5.1.1', 'hop refused it'),
  failed: reply(450, '4.2.0', 'hop could not say'),
};

export const CLIENT: Client = {
  ip: '192.0.2.1',
  port: 40_000,
  localIp: '192.0.2.25',
  localPort: 25,
  reverseName: null,
  ident: null,
};

/** Loads a configuration of these control files; fails the test when there is anything wrong with them. */
export async function configurationOf(
  t: TestContext,
  control: Readonly<Record<string, string>>,
  plugins: readonly AnyPlugin[] = PLUGINS,
): Promise<Configuration> {
  const folder = await temporaryFolder();
  t.after(() => folder[Symbol.asyncDispose]());
  const controlDir = join(folder.path, 'control');
  await mkdir(controlDir);
  const files = {
    me: 'mx.example.com',
    rcpthosts: 'example.com\n.example.com',
    smtproutes: ':hop',
    // Tests of bytes and replies want no field of ours more than they ask for.
    spfbehavior: '0',
    dkimverify: '-',
    dmarc: 'no',
    arc: 'no',
    ...control,
  };
  for (const [name, text] of Object.entries(files)) {
    await writeFile(join(controlDir, name), `${text}\n`, 'latin1');
  }
  const complaints = new Complaints();
  const configuration = await loadConfiguration(
    {
      rulesDir: join(ROOT, 'rules'),
      controlDir,
      ruleNames: new Set([...ruleNames(PLUGINS), ...ruleNames(plugins)]),
      pluginNames: new Set([...pluginNames(PLUGINS), ...pluginNames(plugins)]),
    },
    complaints,
  );
  if (complaints.errors > 0) throw new Error(complaints.list.map(complaintText).join('\n'));
  return configuration;
}

export async function rig(t: TestContext, options: RigOptions = {}): Promise<Rig> {
  const plugins = options.plugins ?? PLUGINS;
  const configuration = await configurationOf(t, options.control ?? {}, plugins);
  const records: VerdictRecord[] = [];
  const hops: HopTransaction[] = [];
  const held: { held: Held; text: string }[] = [];
  let ids = 0;
  let trouble: string | null = null;
  const dns = { ...NO_RECORDS, ...options.dns };
  const gateway = new Gateway({
    edge: 'test',
    plugins,
    services: {
      dns,
      spf: question => checkSpf(question, dns),
      authenticate: question => new MessageSignatures(question, dns, Date.now()),
      sign: (message, order, fields) =>
        signMessage(message, order, { folder: tmpdir(), now: Date.now(), headerFields: fields }),
      virus: options.virus ?? (() => Promise.resolve(NO_SCANNER)),
      score: options.score ?? (() => Promise.resolve(NO_SCANNER)),
      seal: (message, order) => sealMessage(message, order, tmpdir(), Date.now()),
      now: Date.now,
    },
    configuration: () => configuration,
    router: () => ({
      route: ({ domain }) => ({
        key: domain,
        open: envelope => delivery(domain, envelope, options.hops?.[domain] ?? {}, hops),
      }),
    }),
    journal: { write: record => void records.push(record) },
    hold: async (copy, added, message) => {
      await options.onHold?.(copy);
      held.push({ held: copy, text: added.toString('latin1') + (await textOf(message)) });
    },
    spoolFolder: tmpdir,
    storageTrouble: () => trouble,
    newId: () => `id${++ids}`,
    isOwnAddress: ip => (options.ownAddresses ?? []).includes(ip),
    ...options.parts,
  });
  return {
    gateway,
    configuration,
    records,
    hops,
    held,
    trouble: text => {
      trouble = text;
    },
    async converse(client = {}, helo = 'client.example') {
      const conversation = gateway.open({ ...CLIENT, ...client });
      t.after(() => conversation.close());
      await conversation.connect(0);
      await conversation.helo({ verb: 'EHLO', name: helo }, null);
      return conversation;
    },
  };
}

function delivery(
  hop: string,
  envelope: DeliveryEnvelope,
  script: HopScript,
  hops: HopTransaction[],
): Delivery {
  const seen: HopTransaction = {
    hop,
    sender: envelope.sender?.text ?? null,
    recipients: [],
    text: null,
    aborted: false,
  };
  hops.push(seen);
  const abort = new AbortController();
  const answer = (kind: HopAnswer['kind']): HopAnswer => ({ kind, reply: SAID[kind], hop: `test ${hop}` });
  return {
    async addRecipient(recipient) {
      const said = answer((await script.rcpt?.(recipient.text)) ?? 'accepted');
      if (said.kind === 'accepted') seen.recipients.push(recipient.text);
      return said;
    },
    async send(added, message) {
      const text = added.toString('latin1') + (await textOf(message));
      const kinds =
        (await script.send?.(seen.recipients, abort.signal)) ??
        seen.recipients.map(() => 'accepted' as const);
      seen.text = text;
      return kinds.map(answer);
    },
    abort() {
      seen.aborted = true;
      abort.abort();
    },
  };
}

async function textOf(message: Message): Promise<string> {
  return (await bytesOf(message)).toString('latin1');
}

/** A reply on one line, as a test wants to read it. */
export function said(answer: Answer | null): string {
  return answer === null
    ? 'nothing'
    : `${answer.reply.code} ${answer.reply.enhanced} ${answer.reply.lines.join(' / ')}`;
}

const PLAIN: MailParameters = { size: null, body: null, smtputf8: false };

export const MAIL =
  'From: a@example.net\r\nDate: Thu, 1 Jan 1970 00:00:00 +0000\r\nSubject: test\r\n\r\nbody\r\n';

/** MAIL and these recipients; their answers. */
export async function envelope(
  conversation: Conversation,
  recipients: readonly string[],
  sender: string | null = 'a@example.net',
): Promise<string[]> {
  const begun = await conversation.mail(sender === null ? null : address(sender), PLAIN);
  if (begun.reply.code !== 250) return [said(begun)];
  const answers: string[] = [];
  for (const recipient of recipients) answers.push(said(await conversation.rcpt(address(recipient))));
  return answers;
}

/** A whole mail; the answer to DATA or to the final dot. */
export async function send(
  conversation: Conversation,
  recipients: readonly string[],
  text = MAIL,
  sender: string | null = 'a@example.net',
): Promise<string> {
  await envelope(conversation, recipients, sender);
  const refused = await conversation.data();
  if (refused !== null) {
    conversation.reset();
    return said(refused);
  }
  return said(await conversation.message(await messageOf(text)));
}

export function messageOf(text: string): Promise<Message> {
  return storedMessage([Buffer.from(text, 'latin1')], {
    memoryBytes: 1_000_000,
    folder: '/nowhere',
    headerBytes: 65_536,
  });
}

/** Rules with their states in a record: `RCPTHOSTS hit`, passes left out. */
export function findings(record: VerdictRecord | undefined): string[] {
  return (record?.findings ?? []).flatMap(f => (f.state === 'pass' ? [] : [`${f.rule} ${f.state}`]));
}
