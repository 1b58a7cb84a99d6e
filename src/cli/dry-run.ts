import { createReadStream } from 'node:fs';
import { tmpdir } from 'node:os';
import type { Configuration } from '../control/configuration.ts';
import { MessageWriter } from '../mail/message-writer.ts';
import type { Address } from '../model/address.ts';
import { address } from '../model/address.ts';
import type { Delivery, HopAnswer, Router } from '../model/delivery.ts';
import type { VerdictRecord } from '../model/record.ts';
import type { Reply } from '../model/reply.ts';
import { reply } from '../model/reply.ts';
import type { Conversation } from '../pipeline/conversation.ts';
import type { Services } from '../pipeline/run-stage.ts';
import { normalAddress } from '../smtp/client-address.ts';
import { LineBreakNormaliser } from '../smtp/line-break-normaliser.ts';
import { SMTP } from '../smtp/replies.ts';
import type { CheckOptions } from './options.ts';
import type { Places } from './places.ts';
import { wire } from './wire.ts';

const NOT_SENT: HopAnswer = {
  kind: 'accepted',
  reply: reply(250, '2.0.0', 'not sent: this is a check'),
  hop: 'none',
};

/** A next hop that says yes and does nothing but keep what we would have added. */
class NoDelivery implements Delivery {
  readonly #added: Set<string>;
  #recipients = 0;

  constructor(added: Set<string>) {
    this.#added = added;
  }

  addRecipient(): Promise<HopAnswer> {
    this.#recipients++;
    return Promise.resolve(NOT_SENT);
  }

  send(added: Buffer): Promise<readonly HopAnswer[]> {
    this.#added.add(added.toString('latin1'));
    return Promise.resolve(Array.from({ length: this.#recipients }, () => NOT_SENT));
  }

  abort(): void {}
}

function nowhere(added: Set<string>): Router {
  return { route: () => ({ key: 'check', open: () => new NoDelivery(added) }) };
}

/** What would have become of a message. */
export interface DryRun {
  /** The last answer. */
  readonly reply: Reply;
  readonly records: readonly VerdictRecord[];
  /** The header blocks that the copies would have got, each once; byte strings. */
  readonly added: ReadonlySet<string>;
}

/**
 * Runs the stages of the gateway over a saved message as if a client had brought it; nothing is sent, held or recorded.
 * `services` replaces what the checks are handed. Rejects when the file cannot be read.
 */
export async function dryRun(
  file: string,
  options: CheckOptions,
  configuration: Configuration,
  where: Places,
  services: Partial<Services> = {},
): Promise<DryRun> {
  const records: VerdictRecord[] = [];
  const added = new Set<string>();
  const wired = wire(configuration, where, { write: record => records.push(record) }, 'check', {
    router: () => nowhere(added),
    hold: () => Promise.resolve(),
    keepCopy: () => Promise.resolve('nowhere: this is a check'),
    storageTrouble: () => null,
    services,
  });
  try {
    const conversation = wired.gateway.open({
      ip: normalAddress(options.client),
      port: 0,
      localIp: '127.0.0.1',
      localPort: 25,
      reverseName: options.host ?? null,
      ident: null,
    });
    const said = conversation.denied ? conversation.deny().reply : await talk(conversation, file, options);
    return { reply: said, records, added };
  } finally {
    await wired.close();
  }
}

async function talk(conversation: Conversation, file: string, options: CheckOptions): Promise<Reply> {
  const refused =
    (await conversation.connect(0)) ??
    (await conversation.helo({ verb: 'EHLO', name: bytes(options.helo) }, null));
  if (refused) return refused.reply;
  const sender = options.from === '' || options.from === '<>' ? null : address(bytes(options.from));
  const mail = await conversation.mail(sender, { size: null, body: null, smtputf8: false });
  if (mail.reply.code >= 400) return mail.reply;
  const recipients: Address[] = options.rcpt.map(text => address(bytes(text)));
  let worst = mail.reply;
  for (const recipient of recipients) {
    const answer = await conversation.rcpt(recipient);
    if (answer.reply.code > worst.code) worst = answer.reply;
  }
  if ((conversation.transaction?.accepted ?? 0) === 0) return worst;
  const data = await conversation.data();
  if (data) return data.reply;
  const { headerbytes, databytes } = conversation.settings.values;
  const message = await readMessage(file, headerbytes);
  if (databytes > 0 && message.size - message.lines > databytes) {
    message.release();
    const detail = `more than ${databytes} bytes`;
    return conversation.refuse('message-refused', 'DATABYTES', detail, SMTP.tooBig).reply;
  }
  return (await conversation.message(message)).reply;
}

/** Command-line text as a byte string. */
function bytes(text: string): string {
  return Buffer.from(text).toString('latin1');
}

/** A saved message, whatever its line ends, as it would have come in. */
export async function readMessage(file: string, headerBytes: number) {
  const writer = new MessageWriter({ memoryBytes: 1024 * 1024, folder: tmpdir(), headerBytes });
  const normaliser = new LineBreakNormaliser();
  let eightBit = false;
  for await (const chunk of createReadStream(file) as AsyncIterable<Buffer>) {
    eightBit ||= chunk.some(byte => byte > 127);
    await writer.write(normaliser.push(chunk));
  }
  await writer.write(normaliser.end());
  return writer.finish({ lines: normaliser.lines, dotLines: normaliser.dotLines, eightBit });
}
