import type { VerdictRecord } from '../model/record.ts';

/**
 * Where verdict records are kept. Written by one writer in batches, read by `postern explain`. Every driver passes
 * test/store/contract.ts. Strings in records are byte strings and come back exactly as they went in.
 *
 * All methods reject with a StoreError when the store cannot be read or written.
 */
export interface JournalStore {
  /** Keeps `records`: all of them or, when it rejects, none. A record whose id is known already is left as it is. */
  append(records: readonly VerdictRecord[]): Promise<void>;
  /**
   * The same for records that are JSON texts already, as the worker processes send them; each is kept as it is.
   * Resolves to the number of texts that were no verdict records and were passed over.
   */
  appendJson(texts: readonly string[]): Promise<number>;
  /** The record with this event id. */
  byId(id: string): Promise<VerdictRecord | null>;
  /** At most `limit` records of the message with this Message-ID (angle brackets or not), newest first. */
  byMessageId(messageId: string, limit: number): Promise<VerdictRecord[]>;
  /**
   * At most `limit` records with this sender or recipient, a byte string compared without regard to ASCII case,
   * newest first. `@domain` finds every address of exactly that domain.
   */
  byAddress(address: string, limit: number): Promise<VerdictRecord[]>;
  /** At most `limit` records of this connection, newest first. */
  bySession(sessionId: string, limit: number): Promise<VerdictRecord[]>;
  /** The `limit` newest records, newest first. */
  recent(limit: number): Promise<VerdictRecord[]>;
  /**
   * Every record of shadow mode (those with `shadow`) since `fromMs` (epoch milliseconds), the oldest first, a page at a
   * time. Looks at all records since then, some 20 seconds for a million of them.
   */
  shadowRecords(fromMs: number): AsyncIterable<VerdictRecord>;
  /** When the oldest record was written, milliseconds since the epoch; null when there are none. */
  oldest(): Promise<number | null>;
  /** Removes up to `batch` records older than `beforeMs` (epoch milliseconds), oldest first; resolves to how many. */
  purge(beforeMs: number, batch: number): Promise<number>;
  /** Lets go of files and connections; nothing may be called afterwards. */
  close(): Promise<void>;
}

/** The store cannot be opened, read or written. The message is made for the administrator and names the file. */
export class StoreError extends Error {
  override readonly name = 'StoreError';
}
