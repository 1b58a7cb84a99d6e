import type { AnomalyName, ArchiveFacts, FileName, Member } from '../../model/mime.ts';

/** What a consumer found in the decoded bytes of one part. */
export interface Consumed {
  readonly members: readonly Omit<Member, 'part'>[];
  readonly archives: readonly Omit<ArchiveFacts, 'part'>[];
  readonly anomalies: readonly { readonly rule: AnomalyName; readonly detail: string }[];
}

/** Looks into the decoded bytes of a part while they stream by: uuencode, TNEF, archives. */
export interface PartConsumer {
  /** The next bytes, in order; they may be overwritten after the call. Never throws. */
  write(bytes: Buffer): void;
  /** The part is over. Never throws or rejects: what could not be read is in the answer. */
  end(): Consumed | Promise<Consumed>;
  /**
   * Set while written bytes wait for the disk; whoever can wait should await it before the next `write`, for what is
   * written meanwhile waits in memory. Never rejects.
   */
  readonly pending?: Promise<void> | null;
  /** The reader of the message gives up: in place of `end`, frees what is held. */
  abandon?(): void;
}

/**
 * Who wants to look into a file: by its names, its claimed type and its first bytes (up to 512, fewer when it is
 * shorter). Null: nobody. `within` are the names of the files around it, outermost first.
 */
export type OpenConsumer = (
  names: readonly FileName[],
  type: string,
  leading: Buffer,
  within: readonly string[],
) => PartConsumer | null;
