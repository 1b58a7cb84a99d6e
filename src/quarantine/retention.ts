import type { HeldPlace } from '../store/quarantine-index.ts';
import type { Quarantine, Watcher } from './quarantine.ts';

const DAY_MS = 86_400_000;
/** Copies asked for at a time. */
const PAGE = 200;

export interface Retention {
  /** How long contents are kept. */
  readonly days: number;
  /** How much longer envelope and record are. */
  readonly recordDays: number;
}

/**
 * Removes contents and what is left of copies that are too old, the oldest first: `limit` of each at the most, so that
 * a run comes to its end. Copies that cannot be ended are told to `watcher` and left for the next time.
 */
export async function expireOld(
  quarantine: Quarantine,
  { days, recordDays }: Retention,
  now: number,
  limit: number,
  watcher: Watcher = {},
): Promise<{ readonly expired: number; readonly forgotten: number }> {
  const each = async (hasContent: boolean, before: number, work: (id: string) => Promise<boolean>) => {
    let done = 0;
    let after: Pick<HeldPlace, 'time' | 'id'> | null = null;
    for (let looked = 0; looked < limit; ) {
      const page = await quarantine.index.older(hasContent, before, after, Math.min(PAGE, limit - looked));
      for (const { id } of page) {
        try {
          if (await work(id)) done++;
        } catch (error) {
          watcher.problem?.(error instanceof Error ? error.message : String(error));
        }
        looked++;
        watcher.progress?.(looked, 0);
      }
      after = page.at(-1) ?? null;
      if (after === null) break;
    }
    return done;
  };
  const before = now - days * DAY_MS;
  const expired = await each(true, before, id => quarantine.expire(id));
  const forgotten = await each(false, before - recordDays * DAY_MS, async id => {
    await quarantine.forget(id);
    return true;
  });
  return { expired, forgotten };
}
