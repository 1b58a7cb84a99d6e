import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { open } from 'node:fs/promises';
import path from 'node:path';
import { crc32 } from 'node:zlib';
import { remove, writeFully } from '../mail/durable-file.ts';
import { LineEnds } from '../mail/line-ends.ts';
import type { Address } from '../model/address.ts';
import type { Delivery, DeliveryEnvelope, HopAnswer } from '../model/delivery.ts';
import type { Message } from '../model/message.ts';
import type { Reply } from '../model/reply.ts';
import { reply } from '../model/reply.ts';
import { answerOf, TROUBLE } from './answers.ts';

const RECIPIENT_OK = reply(250, '2.1.5', 'ok');
const QUEUED = reply(250, '2.0.0', 'ok, queued');
const BAD_ADDRESS = reply(553, '5.1.3', 'address holds a NUL');

/** A program that queues mail, and where it is run. */
export interface QueueProgram {
  /** Path; a relative one begins at `home`. */
  readonly program: string;
  /** qmail's home, the program's working directory. */
  readonly home: string;
  /** For the two unnamed files that it reads. */
  readonly spoolFolder: string;
  /** Milliseconds after which it is killed. */
  readonly timeout: number;
}

/**
 * A program that takes mail as qmail-queue(8) does: message on descriptor 0, envelope on descriptor 1, no arguments, its
 * answer the exit code (qmail-queue.md 2 and 3). `accepted` means: it has ended with 0, so the message is on its disk.
 */
export class QueueProgramDelivery implements Delivery {
  readonly #queue: QueueProgram;
  readonly #hop: string;
  readonly #envelope: DeliveryEnvelope;
  readonly #recipients: string[] = [];
  readonly #abort = new AbortController();

  constructor(queue: QueueProgram, envelope: DeliveryEnvelope) {
    this.#queue = queue;
    this.#hop = `queue ${queue.program}`;
    this.#envelope = envelope;
  }

  addRecipient(recipient: Address): Promise<HopAnswer> {
    const bad = recipient.text.includes('\0') || this.#envelope.sender?.text.includes('\0') === true;
    if (!bad) this.#recipients.push(recipient.text);
    return Promise.resolve(answerOf(bad ? BAD_ADDRESS : RECIPIENT_OK, this.#hop));
  }

  async send(added: Buffer, message: Message): Promise<readonly HopAnswer[]> {
    const said = await this.#queued(added, message).catch((error: unknown) =>
      TROUBLE.noConnection(error instanceof Error ? error.message : String(error)),
    );
    return this.#recipients.map(() => answerOf(said, this.#hop));
  }

  /** A program that is at work is killed; one that has ended has queued the message. */
  abort(): void {
    this.#abort.abort();
  }

  async #queued(added: Buffer, message: Message): Promise<Reply> {
    const { spoolFolder } = this.#queue;
    const sender = this.#envelope.sender?.text ?? '';
    const envelope = `F${sender}\0${this.#recipients.map(one => `T${one}\0`).join('')}\0`;
    const messageFile = await unnamed(spoolFolder, file => writeMessage(file, added, message));
    try {
      if (messageFile === null) return TROUBLE.damaged;
      const envelopeFile = await unnamed(spoolFolder, async file => {
        await writeFully(file, Buffer.from(envelope, 'latin1'));
        return true;
      });
      try {
        return await this.#run(messageFile.fd, envelopeFile?.fd ?? -1);
      } finally {
        await envelopeFile?.close();
      }
    } finally {
      await messageFile?.close();
    }
  }

  #run(message: number, envelope: number): Promise<Reply> {
    const { program, home, timeout } = this.#queue;
    const { QMAILQUEUE: _, ...env } = process.env;
    const child = spawn(path.resolve(home, program), [], {
      argv0: program,
      cwd: home,
      env,
      stdio: [message, envelope, 'ignore'],
      timeout,
      killSignal: 'SIGKILL',
      signal: this.#abort.signal,
    });
    return new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, signal) => resolve(queueReply(code, signal)));
    });
  }
}

/** What an exit code of qmail-queue means (qmail-queue.md 3): 11 to 40 is a refusal, everything else is for now. */
export function queueReply(code: number | null, signal: string | null): Reply {
  if (code === 0) return QUEUED;
  if (code === null) return reply(451, '4.3.0', `qq crashed (${signal ?? 'no signal'}) (#4.3.0)`);
  const known = TEXTS.get(code);
  if (known !== undefined) return known;
  return code >= 11 && code <= 40
    ? reply(554, '5.3.0', `qq permanent problem (exit ${code}) (#5.3.0)`)
    : reply(451, '4.3.0', `qq temporary problem (exit ${code}) (#4.3.0)`);
}

const no = (status: string, text: string): Reply => reply(554, status, `${text} (#${status})`);
const later = (status: string, text: string): Reply => reply(451, status, `${text} (#${status})`);
const TROUBLE_IN_QUEUE = later('4.3.0', 'qq trouble creating files in queue');

const TEXTS: ReadonlyMap<number, Reply> = new Map([
  [11, no('5.1.3', 'envelope address too long for qq')],
  [115, no('5.1.3', 'envelope address too long for qq')],
  [31, no('5.3.0', 'mail server permanently rejected message')],
  [51, later('4.3.0', 'qq out of memory')],
  [52, later('4.3.0', 'qq timeout')],
  [53, later('4.3.0', 'qq write error or disk full')],
  [54, later('4.3.0', 'qq read error')],
  [55, later('4.3.0', 'qq unable to read configuration')],
  [56, later('4.3.0', 'qq trouble making network connection')],
  [61, later('4.3.0', 'qq trouble in home directory')],
  ...[62, 63, 64, 65, 66].map((code): [number, Reply] => [code, TROUBLE_IN_QUEUE]),
  [71, later('4.3.0', 'mail server temporarily rejected message')],
  [72, later('4.4.1', 'connection to mail server timed out')],
  [73, later('4.4.1', 'connection to mail server rejected')],
  [74, later('4.4.2', 'communication with mail server failed')],
  [81, later('4.3.0', 'qq internal bug')],
  [91, later('4.3.0', 'qq internal bug')],
  [120, later('4.3.0', 'unable to exec qq')],
]);

/** A file without a name, written by `fill` and open for reading from its beginning; null when `fill` says no. */
async function unnamed(
  folder: string,
  fill: (file: FileHandle) => Promise<boolean>,
): Promise<FileHandle | null> {
  const name = path.join(folder, `.queue-${process.pid}-${randomBytes(8).toString('hex')}`);
  const writing = await open(name, 'wx', 0o600);
  try {
    if (!(await fill(writing))) return null;
    // Its own offset, at the beginning: the program reads on from wherever the descriptor stands.
    return await open(name, 'r');
  } finally {
    await writing.close();
    await remove(name);
  }
}

/** False when the bytes are not those that were received. */
async function writeMessage(file: FileHandle, added: Buffer, message: Message): Promise<boolean> {
  const lineEnds = new LineEnds();
  await writeFully(file, lineEnds.toLf(added));
  let crc = 0;
  for await (const chunk of message.chunks()) {
    crc = crc32(chunk, crc);
    await writeFully(file, lineEnds.toLf(chunk));
  }
  await writeFully(file, lineEnds.end());
  return crc === message.crc32;
}
