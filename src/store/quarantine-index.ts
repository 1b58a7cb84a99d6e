import type { HeldState } from '../model/held-state.ts';

/** A held copy as the index knows it: everything in it is in the copy's file, too. Strings from outside are byte strings. */
export interface HeldEntry {
  readonly id: string;
  /** When it was held, epoch milliseconds. */
  readonly time: number;
  /** null: the null sender. */
  readonly sender: string | null;
  readonly clientIp: string | null;
  readonly messageId: string | null;
  /** Its beginning; `''` when there is none, and when the contents were removed. */
  readonly subject: string;
  /** Bytes of the message as it was received. */
  readonly size: number;
  /** False when nothing but envelope and record is left of it. */
  readonly hasContent: boolean;
  readonly recipients: readonly HeldEntryRecipient[];
}

export interface HeldEntryRecipient {
  readonly address: string;
  readonly rule: string;
  readonly verdict: string;
  readonly state: HeldState;
  /** When it got into this state, epoch milliseconds. */
  readonly since: number;
}

/** One recipient's copy, as lists show it. */
export interface HeldRow extends HeldEntryRecipient {
  readonly id: string;
  /** Its number in the envelope of the held copy. */
  readonly n: number;
  readonly time: number;
  readonly sender: string | null;
  readonly clientIp: string | null;
  readonly messageId: string | null;
  readonly subject: string;
  readonly size: number;
}

/** Which copies a list has; what is left out restricts nothing. */
export interface HeldFilter {
  /** An address, compared without regard to ASCII case, or `@domain`. */
  readonly recipient?: string;
  /** The same; `<>` is the null sender. */
  readonly sender?: string;
  readonly rule?: string;
  readonly state?: HeldState;
  /** Held at this time or later, epoch milliseconds. */
  readonly from?: number;
  /** Held before this time. */
  readonly before?: number;
}

/** The row that a page of a list ended with; the next page begins behind it. */
export type HeldPlace = Pick<HeldRow, 'time' | 'id' | 'n'>;

/** A move of copies from one state to another. */
export interface HeldMove {
  readonly id: string;
  /** The recipient; null: all of them. */
  readonly n: number | null;
  readonly from: HeldState;
  readonly to: HeldState;
  /** The time of the move, epoch milliseconds. */
  readonly now: number;
  /** Only those that have been in their state since before this time. */
  readonly sinceBefore?: number;
}

/**
 * Where held copies are found. It promises nothing: the files do, and it is remade from them. But of two who want to
 * move a copy, it lets one. Every driver passes test/store/quarantine-contract.ts. All methods reject with a StoreError
 * when the store cannot be read or written.
 */
export interface QuarantineIndex {
  /** Takes up copies; those whose id is known are left as they are. All or, when it rejects, none. */
  add(entries: readonly HeldEntry[]): Promise<void>;
  /**
   * Makes the index say what the file said. A copy that somebody began to release at `releasingSince` or later, while
   * the file still said `held`, is left alone.
   */
  set(entry: HeldEntry, releasingSince: number): Promise<void>;
  byId(id: string): Promise<HeldEntry | null>;
  /** At most `limit` rows, newest first, beginning behind `after`. */
  list(filter: HeldFilter, after: HeldPlace | null, limit: number): Promise<HeldRow[]>;
  /** How many copies are in each state. */
  counts(): Promise<Readonly<Partial<Record<HeldState, number>>>>;
  /** At most `limit` ids behind `after` (`''`: from the first), in order. */
  ids(after: string, limit: number): Promise<string[]>;
  /** At most `limit` copies, with contents or without, held before `before`, oldest first; behind `after`. */
  older(
    hasContent: boolean,
    before: number,
    after: Pick<HeldPlace, 'time' | 'id'> | null,
    limit: number,
  ): Promise<Pick<HeldPlace, 'time' | 'id'>[]>;
  /** Moves what is in the state `from`, in one atomic step; the numbers of the recipients that it has moved. */
  move(move: HeldMove): Promise<number[]>;
  /** Notes that the contents are gone. */
  dropContent(id: string): Promise<void>;
  /** Forgets copies; ids that are not known are passed over. */
  remove(ids: readonly string[]): Promise<void>;
  /** Lets go of files and connections; nothing may be called afterwards. */
  close(): Promise<void>;
}
