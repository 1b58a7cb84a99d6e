import { createReadStream } from 'node:fs';
import { isIP } from 'node:net';
import { tmpdir } from 'node:os';
import { explainText } from '../journal/explain.ts';
import { MessageWriter } from '../mail/message-writer.ts';
import type { Address } from '../model/address.ts';
import { address } from '../model/address.ts';
import type { Delivery, HopAnswer, Router } from '../model/delivery.ts';
import type { VerdictRecord } from '../model/record.ts';
import { reply } from '../model/reply.ts';
import { normalAddress } from '../smtp/client-address.ts';
import { LineBreakNormaliser } from '../smtp/line-break-normaliser.ts';
import { SMTP } from '../smtp/replies.ts';
import type { CheckOptions } from './options.ts';
import { configure } from './configure.ts';
import type { PlaceOptions } from './places.ts';
import { places } from './places.ts';
import { wire } from './wire.ts';

const NOT_SENT: HopAnswer = {
  kind: 'accepted',
  reply: reply(250, '2.0.0', 'not sent: this is a check'),
  hop: 'none',
};

/** A next hop that says yes and does nothing. */
class NoDelivery implements Delivery {
  #recipients = 0;

  addRecipient(): Promise<HopAnswer> {
    this.#recipients++;
    return Promise.resolve(NOT_SENT);
  }

  send(): Promise<readonly HopAnswer[]> {
    return Promise.resolve(Array.from({ length: this.#recipients }, () => NOT_SENT));
  }

  abort(): void {}
}

const NOWHERE: Router = { route: () => ({ key: 'check', open: () => new NoDelivery() }) };

/**
 * `postern check`: runs the stages of the gateway over a saved message as if `--client` had brought it, prints the
 * record of what would have happened, and sends nothing. Exit code 0: would be accepted; 1: would not; 2: could not
 * be checked.
 */
export async function check(
  file: string,
  options: PlaceOptions & CheckOptions,
  print: (line: string) => void,
): Promise<number> {
  const { configuration, complaints } = await configure(places(options));
  if (configuration === null) {
    for (const complaint of complaints) print(complaint);
    return 2;
  }
  if (isIP(options.client) === 0) {
    print(`${options.client} (--client) is not an IP address`);
    return 2;
  }
  const records: VerdictRecord[] = [];
  const wired = wire(configuration, places(options), { write: record => records.push(record) }, 'check', {
    router: () => NOWHERE,
    hold: () => Promise.resolve(),
    storageTrouble: () => null,
  });
  try {
    const client = {
      ip: normalAddress(options.client),
      port: 0,
      localIp: '127.0.0.1',
      localPort: 25,
      reverseName: options.host ?? null,
      ident: null,
    };
    const conversation = wired.gateway.open(client);
    const code = conversation.denied ? conversation.deny().reply.code : await talk();
    for (const record of records) print(options.json ? JSON.stringify(record) : explainText(record));
    return code < 400 ? 0 : 1;

    async function talk(): Promise<number> {
      const refused =
        (await conversation.connect(0)) ??
        (await conversation.helo({ verb: 'EHLO', name: bytes(options.helo) }, null));
      if (refused) return refused.reply.code;
      const sender = options.from === '' || options.from === '<>' ? null : address(bytes(options.from));
      const mail = await conversation.mail(sender, { size: null, body: null, smtputf8: false });
      if (mail.reply.code >= 400) return mail.reply.code;
      const recipients: Address[] = options.rcpt.map(text => address(bytes(text)));
      let worst = 250;
      for (const recipient of recipients)
        worst = Math.max(worst, (await conversation.rcpt(recipient)).reply.code);
      if ((conversation.transaction?.accepted ?? 0) === 0) return worst;
      const data = await conversation.data();
      if (data) return data.reply.code;
      const { headerbytes, databytes } = conversation.settings.values;
      const message = await readMessage(file, headerbytes);
      if (databytes > 0 && message.size - message.lines > databytes) {
        message.release();
        const detail = `more than ${databytes} bytes`;
        return conversation.refuse('message-refused', 'DATABYTES', detail, SMTP.tooBig).reply.code;
      }
      return (await conversation.message(message)).reply.code;
    }
  } catch (error) {
    print(`${file}: ${error instanceof Error ? error.message : String(error)}`);
    return 2;
  } finally {
    await wired.close();
  }
}

/** Command-line text as a byte string. */
function bytes(text: string): string {
  return Buffer.from(text).toString('latin1');
}

/** A saved message, whatever its line ends, as it would have come in. */
async function readMessage(file: string, headerBytes: number) {
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
