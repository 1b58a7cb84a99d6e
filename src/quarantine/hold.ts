import { existsSync } from 'node:fs';
import path from 'node:path';
import { crc32 } from 'node:zlib';
import type { FileHandle } from 'node:fs/promises';
import type { Message } from '../model/message.ts';
import {
  makeDirectory,
  moveDurable,
  remove,
  syncDirectory,
  writeDurably,
  writeFully,
} from '../mail/durable-file.ts';

/*
 * What the files of a held message ID guarantee, in the order in which they come about. A crash between two steps
 * leaves the state before; the client is told 250 after the last one only.
 *
 *   H1  ID.eml.tmp             nothing: may be cut short
 *   H2  ID.eml.tmp ID.json.tmp nothing, though both may be whole (each is synced before the next step)
 *   H3  ID.eml     ID.json.tmp the message is whole and on the disk, but not committed
 *   H4  ID.eml     ID.json     held: envelope and message are whole and on the disk
 *
 * So: ID.json is the commit mark, and where it is ID.eml is. Whoever reads the quarantine looks for *.json only. What
 * belongs to no ID.json was never answered for and may be removed once no process can be writing it. To give up a held
 * message, remove ID.json first.
 */

/** The envelope of a held message and why it is held. Strings from outside are byte strings, one char one byte. */
export interface HeldEnvelope {
  /** Names the files: letters, digits, `.`, `_` and `-`, not beginning with a dot. */
  readonly id: string;
  /** null: the null sender. */
  readonly sender: string | null;
  readonly recipients: readonly string[];
  /** The rule that decided. */
  readonly reason: string;
  /** null: a local submission. */
  readonly clientIp: string | null;
  readonly helo: string | null;
  /** Milliseconds since the epoch. */
  readonly time: number;
}

/**
 * Holds a message in `folder`: `added` and the original bytes, CRLF line ends kept, as ID.eml; the envelope as ID.json.
 * Resolves when both are on the disk under these names. Rejects with an Error otherwise, a damaged message included;
 * then no ID.json is left. The folder is made when it is missing.
 */
export async function holdMessage(
  folder: string,
  envelope: HeldEnvelope,
  added: Buffer,
  message: Message,
): Promise<void> {
  if (!/^[\w-][\w.-]{0,199}$/.test(envelope.id)) throw new Error('the id does not make a file name');
  const eml = path.join(folder, `${envelope.id}.eml`);
  const json = path.join(folder, `${envelope.id}.json`);
  if (existsSync(json)) throw new Error(`${envelope.id} is held already`);
  await makeDirectory(folder);
  await writeDurably(`${eml}.tmp`, file => writeWhole(file, added, message));
  try {
    await writeDurably(`${json}.tmp`, file => writeFully(file, Buffer.from(`${JSON.stringify(envelope)}\n`)));
    await moveDurable(`${eml}.tmp`, eml);
    await syncDirectory(folder);
    await moveDurable(`${json}.tmp`, json);
    await syncDirectory(folder);
  } catch (error) {
    for (const name of [json, `${json}.tmp`, eml, `${eml}.tmp`]) await remove(name);
    throw error;
  }
}

async function writeWhole(file: FileHandle, added: Buffer, message: Message): Promise<void> {
  await writeFully(file, added);
  let crc = 0;
  for await (const chunk of message.chunks()) {
    crc = crc32(chunk, crc);
    await writeFully(file, chunk);
  }
  if (crc !== message.crc32) throw new Error('message could not be read back intact: CRC-32 differs');
}
