import type { MessageAuthentication } from './authentication.ts';
import type { SigningOutcome } from './dkim-signing.ts';
import type { MimeFacts } from './mime.ts';
import type { FilesOutcome, SpamOutcome, VirusOutcome } from './scan.ts';
import type { DataFacts } from './session.ts';

/**
 * A message as it was received: CRLF line ends, dots unstuffed, nothing added. Immutable; may be opened as often as
 * needed, from memory or from a spool file.
 */
export interface Message {
  /** Bytes, CRLF line ends counted as two. */
  readonly size: number;
  /** Number of lines (CRLFs); `size - lines` is the size as qmail stores it, with LF line ends. */
  readonly lines: number;
  /** CRC-32 of all bytes: checked again by whoever sends them on. */
  readonly crc32: number;
  /** Some byte is above 127. */
  readonly eightBit: boolean;
  /** Some line begins with a dot, so that SMTP has to stuff it. */
  readonly dotLines: boolean;
  /** The header block with its final CRLF but without the empty line; cut at the header limit. */
  readonly header: Buffer;
  /** The header block went on past the limit. */
  readonly headerCut: boolean;
  /** The bytes, in pieces, in order. A piece must not be changed and is valid until the next is asked for. */
  chunks(): Iterable<Buffer> | AsyncIterable<Buffer>;
  /** Frees memory and spool file. Opening the message afterwards is a bug. */
  release(): void;
}

/** What is known when the `message` checks run. */
export interface MessageFacts extends DataFacts {
  readonly message: Message;
  /** The message taken apart: done for the first who asks, a promise when it takes longer. Rejects when it could not be read. */
  mime(): MimeFacts | Promise<MimeFacts>;
  /** Its signatures and what they come to. */
  readonly authentication: MessageAuthentication;
  /** What the virus scanner says: asked once, for the first who asks. */
  virus(): Promise<VirusOutcome>;
  /** The same about its files, each by itself, as far as the settings want them looked at: asked once, after `virus`. */
  virusInFiles(): Promise<FilesOutcome>;
  /** What the scoring engine says with the preferences of `user` (null: its own): asked once for each. */
  score(user: string | null): Promise<SpamOutcome>;
  /** Signs it as its client's settings say. Rejects when it cannot be read. */
  sign(): Promise<SigningOutcome>;
}
