import { crc32 } from 'node:zlib';
import type { Message } from '../model/message.ts';
import type { Reply } from '../model/reply.ts';
import { TROUBLE } from './answers.ts';
import type { Connection } from './connection.ts';
import { DotStuffer, roomFor } from './dot-stuffing.ts';

const LF = 0x0a;

/**
 * Writes `added`, the message and the final dot to a hop that has said 354, so that it owes us `replies` replies. The
 * bytes are checked against the message's CRC-32 on the way; when they differ, or cannot be read, the dot is never
 * written and the connection is cut. `added` is ours: CRLF lines, none of which begins with a dot.
 * @param ms how long the hop may take to accept a piece
 * @returns null when all is written, or the answer that takes the place of the hop's
 */
export async function writeMessage(
  connection: Connection,
  added: Buffer,
  message: Message,
  replies: number,
  ms: number,
): Promise<Reply | null> {
  try {
    const chunks = message.chunks();
    const whole =
      connection.early === null &&
      (Array.isArray(chunks)
        ? writeAtOnce(connection, added, message, chunks as readonly Buffer[], replies)
        : await writePieces(connection, added, message, chunks, replies, ms));
    if (whole) return null;
  } catch {
    // The spool file cannot be read. What the error was is for whoever owns the file; here only the consequence counts.
  }
  const said = connection.early ?? connection.trouble ?? TROUBLE.damaged;
  connection.destroy(TROUBLE.damaged);
  return said;
}

/** A message in memory: all of it in one go, which is one system call when the hop keeps up. */
function writeAtOnce(
  connection: Connection,
  added: Buffer,
  message: Message,
  chunks: readonly Buffer[],
  replies: number,
): boolean {
  let crc = 0;
  for (const chunk of chunks) crc = crc32(chunk, crc);
  if (crc !== message.crc32) return false;
  const stuffer = message.dotLines ? new DotStuffer() : null;
  const bodies = stuffer === null ? chunks : chunks.map(chunk => stuffer.stuff(chunk));
  connection.expect(replies);
  connection.write([added, ...bodies, finalDot(chunks.at(-1))]);
  return true;
}

/** A message from a file: piece by piece, the next one when the hop has taken the last. */
async function writePieces(
  connection: Connection,
  added: Buffer,
  message: Message,
  chunks: Iterable<Buffer> | AsyncIterable<Buffer>,
  replies: number,
  ms: number,
): Promise<boolean> {
  const stuffer = message.dotLines ? new DotStuffer() : null;
  // One for all pieces: each has left before the next is asked for. New memory would cost more than the stuffing.
  let room: Buffer | undefined;
  let first: Buffer | null = added;
  let crc = 0;
  let taken = 0;
  for await (const chunk of chunks) {
    crc = crc32(chunk, crc);
    taken += chunk.length;
    const pieces: (Buffer | string)[] = first === null ? [] : [first];
    first = null;
    if (stuffer === null) pieces.push(chunk);
    else {
      const most = roomFor(chunk.length);
      if (room === undefined || room.length < most) room = Buffer.allocUnsafeSlow(most);
      pieces.push(stuffer.stuff(chunk, room));
    }
    if (taken === message.size) {
      // The last piece, so that the dot can leave with it.
      if (crc !== message.crc32) return false;
      pieces.push(finalDot(chunk));
      connection.expect(replies);
    }
    connection.write(pieces);
    if (taken === message.size) return true;
    if (taken > message.size || !(await connection.flushed(ms))) return false;
  }
  // Only an empty message gets here whole: any other has ended within the loop.
  if (message.size !== 0 || crc !== message.crc32) return false;
  connection.expect(replies);
  connection.write([added, finalDot(undefined)]);
  return true;
}

/** The end of the data; a message without a final line end gets one, for the dot must stand on a line of its own. */
function finalDot(last: Buffer | undefined): string {
  return last === undefined || last.length === 0 || last[last.length - 1] === LF ? '.\r\n' : '\r\n.\r\n';
}
