import type { WorkerScanner } from './status-file.ts';
import type { ConnectionQuestion, Overdraft } from '../../smtp/connection-limits.ts';

/** What a worker tells the supervisor. */
export type FromWorker =
  | { readonly kind: 'ready'; readonly addresses: readonly string[]; readonly generation: string }
  | { readonly kind: 'failed'; readonly text: string }
  | { readonly kind: 'journal'; readonly batch: readonly string[] }
  /** A copy is in the quarantine. */
  | { readonly kind: 'held'; readonly id: string }
  /** How its scanners do, when that has changed. */
  | { readonly kind: 'scanners'; readonly scanners: readonly WorkerScanner[] }
  | ({ readonly kind: 'ask'; readonly id: number } & ConnectionQuestion)
  | ({ readonly kind: 'overdraft' } & Overdraft)
  | { readonly kind: 'counted'; readonly id: number; readonly client: number; readonly total: number };

/** What the supervisor tells a worker. */
export type ToWorker =
  | { readonly kind: 'reload' }
  | { readonly kind: 'drain' }
  | { readonly kind: 'count'; readonly id: number; readonly key: string; readonly crowded: boolean }
  | ({ readonly kind: 'overdraft' } & Overdraft)
  | { readonly kind: 'answer'; readonly id: number; readonly granted: boolean };
