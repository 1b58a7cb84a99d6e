/** What the supervisor tells the writer thread. */
export type ToWriter =
  | { readonly kind: 'append'; readonly batch: readonly string[] }
  /** Remove records older than this, epoch milliseconds. */
  | { readonly kind: 'purge'; readonly beforeMs: number }
  /** Write what is waiting, and end. */
  | { readonly kind: 'close' };

/** What the writer thread tells the supervisor. */
export type FromWriter =
  /** So many records, of so many chars in all, are dealt with; `unreadable` of them were no records. */
  | {
      readonly kind: 'taken';
      readonly records: number;
      readonly chars: number;
      readonly unreadable: number;
    }
  /** The store cannot be written; the records wait and the next attempt comes by itself. */
  | { readonly kind: 'failed'; readonly text: string }
  /** So many records were given up at the end. */
  | { readonly kind: 'lost'; readonly records: number };
