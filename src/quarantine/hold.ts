import { existsSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import {
  makeDirectory,
  moveDurable,
  remove,
  syncDirectory,
  writeDurably,
  writeFully,
} from '../mail/durable-file.ts';
import { LineEnds } from '../mail/line-ends.ts';
import type { Message } from '../model/message.ts';
import type { Held } from '../pipeline/parts.ts';
import type { HeldContent } from './format.ts';
import { encodeHead } from './format.ts';

/*
 * What the file of a held copy ID guarantees, in the order in which its states come about. A crash between two steps
 * leaves the state before; the client is told 250 after the last one only.
 *
 *   H1  tmp/ID            nothing: may be cut short
 *   H2  tmp/ID synced     nothing, though it may be whole
 *   H3  new/ID            whole, but a power cut may take the name back; when it is found, it counts as held
 *   H4  new/ID, new synced  held: whole and on the disk, under its name
 *
 * The index comes afterwards and promises nothing: it is remade from the files (keeper.ts). What is in tmp was never
 * answered for and is removed at start-up once no process can be writing it. From H4 on the file changes only in the
 * bytes of its states, and it ends as is told in held-file.ts.
 */

/**
 * Holds a copy in the Maildir `folder`, which is made when it is missing. Resolves when the file is on the disk under
 * its name. Rejects with an Error otherwise: a full disk, an id that is taken or makes no file name, a message that is
 * damaged or has an LF without CR; then nothing is left.
 */
export async function hold(folder: string, held: Held, added: Buffer, message: Message): Promise<void> {
  const { id, record } = held;
  const ours = new LineEnds();
  const addedLf = Buffer.concat([ours.toLf(added), ours.end()]);
  const content: HeldContent = {
    added: added.length,
    addedStored: addedLf.length,
    addedCrc32: crc32(added),
    size: message.size,
    stored: message.size - message.lines,
    crc32: message.crc32,
  };
  const head = encodeHead({
    id,
    time: record.time,
    sender: held.sender?.text ?? null,
    parameters: held.parameters,
    clientIp: record.client?.ip ?? null,
    helo: record.helo?.name ?? null,
    recipients: held.recipients.map(r => ({
      address: r.address.text,
      forwarded: r.forwarded.text,
      rule: r.rule,
      verdict: r.verdict,
      state: 'held',
      since: record.time,
    })),
    content,
    record,
  });
  const from = join(folder, 'tmp', id);
  const to = join(folder, 'new', id);
  if (existsSync(to)) throw new Error(`${id} is held already`);
  const write = () => writeDurably(from, file => fill(file, [head, addedLf], message, content));
  await write().catch(async (error: unknown) => {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
    // tmp last: whoever finds it may write, and what is written goes to new.
    for (const sub of ['new', 'cur', 'tmp']) await makeDirectory(join(folder, sub));
    await write();
  });
  await moveDurable(from, to);
  try {
    await syncDirectory(join(folder, 'new'));
  } catch (error) {
    await remove(to);
    throw error;
  }
}

async function fill(
  file: FileHandle,
  beginning: readonly Buffer[],
  message: Message,
  { size, stored, crc32: wanted }: HeldContent,
): Promise<void> {
  const lineEnds = new LineEnds();
  let before: readonly Buffer[] = beginning;
  let crc = 0;
  let came = 0;
  let written = 0;
  const put = async (piece: Buffer) => {
    written += piece.length;
    await writeFully(file, before.length === 0 ? piece : Buffer.concat([...before, piece]));
    before = [];
  };
  for await (const chunk of message.chunks()) {
    crc = crc32(chunk, crc);
    came += chunk.length;
    await put(lineEnds.toLf(chunk));
  }
  await put(lineEnds.end());
  if (crc !== wanted || came !== size)
    throw new Error('message could not be read back intact: CRC-32 differs');
  if (!lineEnds.reversible || written !== stored)
    throw new Error('a line of the message ends in LF without CR: its bytes could not be kept exactly');
}
