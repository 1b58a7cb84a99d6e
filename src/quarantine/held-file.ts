import type { FileHandle } from 'node:fs/promises';
import { open } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { fieldValue, firstField, headerFields } from '../mail/header.ts';
import { toCrLf } from '../mail/line-ends.ts';
import type { HeldState } from '../model/held-state.ts';
import type { Message } from '../model/message.ts';
import type { HeldHead } from './format.ts';
import { HeldFileError, parseHead, prefixLength, statePlaces } from './format.ts';

/*
 * How a held file changes, in the order in which it is done; a crash between two steps leaves the state before.
 *
 *   S1  state and time of a recipient written in their place and synced: that is what became of the copy
 *   S2  when all copies in it are deleted or expired: cut behind our fields and synced. Envelope and record stay
 *       for those who ask what became of it
 *   S3  when nobody's copy waits any more: moved to cur, with the flag S (and T without contents), so that mail
 *       tools show it as done (files.ts). Nothing depends on it
 *   S4  removed, when it is older than the records are
 */

const CHUNK_BYTES = 256 * 1024;
/** Read at first: our fields of nearly every file. */
const HEAD_BYTES = 16 * 1024;
/** How far into the message its header is looked at. */
const HEADER_BYTES = 64 * 1024;
const SUBJECT_BYTES = 200;

/** A held copy as the next hop gets it. */
export interface HeldMessage {
  readonly added: Buffer;
  readonly message: Message;
}

/** A file of the quarantine, open. `await using` closes it. */
export class HeldFile implements AsyncDisposable {
  readonly head: HeldHead;
  /** False when nothing but our fields is left of it. */
  readonly hasContent: boolean;
  readonly #file: FileHandle;
  readonly #prefix: Buffer;

  private constructor(file: FileHandle, head: HeldHead, prefix: Buffer, hasContent: boolean) {
    this.#file = file;
    this.head = head;
    this.#prefix = prefix;
    this.hasContent = hasContent;
  }

  /**
   * Opens the file of the held copy `id`. Rejects with a HeldFileError when our fields are not as they were written or
   * the file does not have its length, and with the system's error when it cannot be read (or written, with `r+`).
   */
  static async open(path: string, id: string, mode: 'r' | 'r+' = 'r'): Promise<HeldFile> {
    const file = await open(path, mode);
    try {
      const { size } = await file.stat();
      const beginning = await bytesAt(file, 0, HEAD_BYTES);
      const length = prefixLength(beginning);
      const prefix =
        length <= beginning.length ? beginning.subarray(0, length) : await bytesAt(file, 0, length);
      const head = parseHead(prefix);
      if (head.id !== id) throw new HeldFileError(`is the held copy ${head.id} under another name`);
      const whole = length + head.content.addedStored + head.content.stored;
      if (size !== whole && size !== length)
        throw new HeldFileError(`has ${size} bytes in place of ${whole}`);
      return new HeldFile(file, head, prefix, size === whole);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** What the next hop gets. Reads all of it; rejects with a HeldFileError when a byte is not as it was received. */
  async message(): Promise<HeldMessage> {
    if (!this.hasContent) throw new HeldFileError('its contents were removed');
    const { content } = this.head;
    const added = toCrLf(await bytesAt(this.#file, this.#prefix.length, content.addedStored));
    if (crc32(added) !== content.addedCrc32)
      throw new HeldFileError('our header block in it is damaged: its CRC-32 differs');
    const seen = new Look();
    for await (const piece of this.#pieces()) seen.push(piece);
    if (seen.crc !== content.crc32 || seen.size !== content.size)
      throw new HeldFileError('the message in it is damaged: its CRC-32 differs');
    const header = await this.header();
    return {
      added,
      message: {
        size: content.size,
        lines: content.size - content.stored,
        crc32: content.crc32,
        eightBit: seen.eightBit,
        dotLines: seen.dotLines,
        header,
        headerCut: header.length >= HEADER_BYTES,
        chunks: () => this.#pieces(),
        release: () => undefined,
      },
    };
  }

  /** The message's header block with CRLF line ends, without the empty line; at most some 64 KiB of it. */
  async header(): Promise<Buffer> {
    const { addedStored, stored } = this.head.content;
    if (!this.hasContent) return Buffer.alloc(0);
    const block = toCrLf(
      await bytesAt(this.#file, this.#prefix.length + addedStored, Math.min(stored, HEADER_BYTES)),
    );
    if (block.subarray(0, 2).toString('latin1') === '\r\n') return Buffer.alloc(0);
    const end = block.indexOf('\r\n\r\n');
    return end < 0 ? block : block.subarray(0, end + 2);
  }

  /** The beginning of the message's Subject, a byte string; `''` when there is none. */
  async subject(): Promise<string> {
    const header = headerFields(await this.header(), 1000);
    const field = firstField(header, 'subject');
    return field === null ? '' : fieldValue(header, field, SUBJECT_BYTES);
  }

  /** Writes what became of these recipients (their numbers in `head.recipients`) and brings it to the disk. */
  async setState(numbers: readonly number[], state: HeldState, since: number): Promise<void> {
    const places = statePlaces(this.#prefix);
    for (const number of numbers) {
      const place = places[number];
      if (place === undefined) throw new Error(`there is no recipient ${number} in this file`);
      const bytes = place.bytes(state, since);
      await this.#file.write(bytes, 0, bytes.length, place.offset);
    }
    await this.#file.datasync();
  }

  /** Cuts off everything but our fields. */
  async dropContent(): Promise<void> {
    await this.#file.truncate(this.#prefix.length);
    await this.#file.sync();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }

  /** The message as it was received. */
  async *#pieces(): AsyncGenerator<Buffer> {
    const { addedStored, stored } = this.head.content;
    const start = this.#prefix.length + addedStored;
    for (let at = 0; at < stored; ) {
      const piece = await bytesAt(this.#file, start + at, Math.min(CHUNK_BYTES, stored - at));
      if (piece.length === 0) throw new HeldFileError('became shorter while it was read');
      at += piece.length;
      yield toCrLf(piece);
    }
  }
}

/** What has to be known of a message before it is sent. */
class Look {
  size = 0;
  crc = 0;
  eightBit = false;
  dotLines = false;
  /** The last piece ended a line. */
  #lineBegins = true;

  push(piece: Buffer): void {
    this.size += piece.length;
    this.crc = crc32(piece, this.crc);
    this.eightBit ||= piece.some(byte => byte > 127);
    this.dotLines ||= (this.#lineBegins && piece[0] === 0x2e) || piece.includes('\n.');
    this.#lineBegins = piece.at(-1) === 0x0a;
  }
}

/** Up to `length` bytes at `offset`; fewer where the file ends. */
async function bytesAt(file: FileHandle, offset: number, length: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(length);
  let got = 0;
  while (got < length) {
    const { bytesRead } = await file.read(buffer, got, length - got, offset + got);
    if (bytesRead === 0) break;
    got += bytesRead;
  }
  return buffer.subarray(0, got);
}
