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

/** What is known of a file when its first bytes are here. */
export interface FileHead {
  readonly names: readonly FileName[];
  /** Claimed media types. */
  readonly types: readonly string[];
  /** Up to 512 bytes, fewer when the file is shorter; they may be overwritten after the call. */
  readonly leading: Buffer;
  /** Their true type, as `fileType` gives it. */
  readonly magic: string | null;
  /** Of its part, as in `MimePart.place`; null: it lies in another file, not in the message itself. */
  readonly place: string | null;
}

/** Who wants to look into a file; null: nobody. `within` are the names of the files around it, outermost first. */
export type OpenConsumer = (file: FileHead, within: readonly string[]) => PartConsumer | null;
