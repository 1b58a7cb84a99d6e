import type { Retention } from './retention.ts';

export interface KeeperSettings extends Retention {
  /** The Maildir of held copies. */
  readonly folder: string;
}

/** What the supervisor tells the keeper's thread. */
export type ToKeeper =
  | { readonly kind: 'held'; readonly id: string }
  | { readonly kind: 'catch-up' }
  | { readonly kind: 'configure'; readonly settings: KeeperSettings }
  | { readonly kind: 'close' };

/** What the thread tells the supervisor. */
export type FromKeeper =
  | { readonly kind: 'problem'; readonly text: string }
  /** So many copies have lost their contents, and so many were removed altogether, since they were too old. */
  | { readonly kind: 'expired'; readonly expired: number; readonly forgotten: number };
