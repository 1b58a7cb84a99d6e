import type { Sample } from '../program/corpus.ts';

/** Some messages of one archive. */
export interface Share {
  readonly archive: string;
  /** How many the archive has. */
  readonly of: number;
  readonly messages: readonly Sample[];
}

/**
 * A fair sample of `count` messages: as many of each archive, as long as it has them, spread evenly over it. The same ones
 * each time.
 */
export function fairSample(messages: readonly Sample[], count: number): readonly Share[] {
  const archives = Map.groupBy(messages, ({ origin }) => origin?.archive ?? '');
  const smallFirst = [...archives].toSorted(([, a], [, b]) => a.length - b.length);
  let left = count;
  const shares = smallFirst.map(([archive, all], i) => {
    const wanted = Math.min(all.length, Math.floor(left / (smallFirst.length - i)));
    left -= wanted;
    return { archive, of: all.length, messages: spread(all, wanted) };
  });
  return shares.toSorted((a, b) => (a.archive < b.archive ? -1 : 1));
}

function spread<T>(all: readonly T[], wanted: number): T[] {
  return Array.from({ length: wanted }, (_, i) => all[Math.floor((i * all.length) / wanted)] as T);
}

/** Shares for a smaller count: the first of each, as many of one as of another. */
export function firstOf(shares: readonly Share[], count: number): readonly Sample[] {
  const each = Math.ceil(count / Math.max(1, shares.length));
  return shares.flatMap(({ messages }) => messages.slice(0, each)).slice(0, count);
}
