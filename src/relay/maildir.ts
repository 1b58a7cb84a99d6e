import { randomBytes } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { hostname } from 'node:os';
import path from 'node:path';
import { crc32 } from 'node:zlib';
import type { Address } from '../model/address.ts';
import type { Delivery, DeliveryEnvelope, HopAnswer } from '../model/delivery.ts';
import type { Message } from '../model/message.ts';
import { reply } from '../model/reply.ts';
import type { Reply } from '../model/reply.ts';
import { answerOf, TROUBLE } from './answers.ts';
import {
  makeDirectory,
  moveDurable,
  remove,
  syncDirectory,
  writeDurably,
  writeFully,
} from '../mail/durable-file.ts';
import { LineEnds } from '../mail/line-ends.ts';

const RECIPIENT_OK = reply(250, '2.1.5', 'ok');
const STORED = reply(250, '2.0.0', 'ok, stored');
const BAD_ADDRESS = reply(553, '5.1.3', 'address holds bytes that no header can carry');

/** The host part of file names, with the bytes that mean something in a Maildir replaced (maildir(5)). */
const HOST = hostname().replaceAll('/', '\\057').replaceAll(':', '\\072');

/** Files named by this process. */
let count = 0;

/**
 * A Maildir as next hop: one file for each recipient, LF line ends, with Return-Path and Delivered-To on top as
 * qmail-local writes them. `accepted` means: the file is on the disk under its final name. States of a file: in `tmp`
 * it promises nothing; in `new`, and `new` synced, it is delivered.
 */
export class MaildirDelivery implements Delivery {
  readonly #folder: string;
  readonly #hop: string;
  readonly #envelope: DeliveryEnvelope;
  readonly #recipients: string[] = [];
  #ended = false;

  /** @param shown the folder as the operator wrote it, for the record */
  constructor(folder: string, shown: string, envelope: DeliveryEnvelope) {
    this.#folder = folder;
    this.#hop = `maildir ${shown}`;
    this.#envelope = envelope;
  }

  addRecipient(recipient: Address): Promise<HopAnswer> {
    if (/[\r\n\0]/.test(recipient.text) || /[\r\n\0]/.test(this.#envelope.sender?.text ?? '')) {
      return Promise.resolve(answerOf(BAD_ADDRESS, this.#hop));
    }
    this.#recipients.push(recipient.text);
    return Promise.resolve(answerOf(RECIPIENT_OK, this.#hop));
  }

  async send(added: Buffer, message: Message): Promise<readonly HopAnswer[]> {
    const written: (string | Reply)[] = [];
    for (const recipient of this.#recipients) written.push(await this.#write(recipient, added, message));
    const results: Reply[] = [];
    for (const result of written)
      results.push(typeof result === 'string' ? await this.#publish(result) : result);
    this.#ended = true;

    let synced: Reply = STORED;
    if (results.includes(STORED)) {
      try {
        await syncDirectory(path.join(this.#folder, 'new'));
      } catch (error) {
        synced = notStored(error);
      }
    }
    return results.map(result => answerOf(result === STORED ? synced : result, this.#hop));
  }

  abort(): void {
    this.#ended = true;
  }

  /** Writes the file of one recipient into tmp; its name, or the answer when that fails. */
  async #write(recipient: string, added: Buffer, message: Message): Promise<string | Reply> {
    const top = `Return-Path: <${this.#envelope.sender?.text ?? ''}>\nDelivered-To: ${recipient}\n`;
    const name = uniqueName();
    const write = (): Promise<void> =>
      writeDurably(path.join(this.#folder, 'tmp', name), file =>
        fill(file, Buffer.from(top, 'latin1'), added, message),
      );
    try {
      await write().catch(async (error: unknown) => {
        if (errorCode(error) !== 'ENOENT') throw error;
        // tmp last: whoever finds it may write, and what is written goes to new.
        for (const sub of ['new', 'cur', 'tmp']) await makeDirectory(path.join(this.#folder, sub));
        await write();
      });
      return name;
    } catch (error) {
      return error instanceof Damaged ? TROUBLE.damaged : notStored(error);
    }
  }

  /** Moves a written file from tmp to new, unless the delivery was given up meanwhile. */
  async #publish(name: string): Promise<Reply> {
    const from = path.join(this.#folder, 'tmp', name);
    if (this.#ended) {
      await remove(from);
      return TROUBLE.givenUp;
    }
    try {
      await moveDurable(from, path.join(this.#folder, 'new', name));
      return STORED;
    } catch (error) {
      return notStored(error);
    }
  }
}

/** The bytes that were read are not the ones that were received. */
class Damaged extends Error {}

async function fill(file: FileHandle, top: Buffer, added: Buffer, message: Message): Promise<void> {
  const lineEnds = new LineEnds();
  let head: Buffer | null = Buffer.concat([top, lineEnds.toLf(added)]);
  let crc = 0;
  for await (const chunk of message.chunks()) {
    crc = crc32(chunk, crc);
    const piece = lineEnds.toLf(chunk);
    await writeFully(file, head === null ? piece : Buffer.concat([head, piece]));
    head = null;
  }
  await writeFully(file, head === null ? lineEnds.end() : Buffer.concat([head, lineEnds.end()]));
  if (crc !== message.crc32) throw new Damaged('CRC-32 differs');
}

/**
 * `seconds.MmicrosecondsPpidQcountRrandom.host` (maildir(5)). The random part is for containers, where many processes
 * of one name have the same pid.
 */
function uniqueName(): string {
  const now = performance.timeOrigin + performance.now();
  const seconds = Math.floor(now / 1000);
  const micros = Math.floor((now % 1000) * 1000);
  count++;
  return `${seconds}.M${micros}P${process.pid}Q${count}R${randomBytes(4).toString('hex')}.${HOST}`;
}

function notStored(error: unknown): Reply {
  const code = errorCode(error);
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return reply(452, '4.3.1', 'no space left to store the message');
  return reply(451, '4.3.0', `message could not be stored (${code})`);
}

function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'error';
}
