import { address, lowerAscii } from '../model/address.ts';
import type { HeldFileRecipient } from '../quarantine/format.ts';
import type { Quarantine } from '../quarantine/quarantine.ts';
import type { HeldFilter, HeldRow } from '../store/quarantine-index.ts';
import type { FilterOptions } from './quarantine-filter.ts';
import { addressOf, filterOf, isChoosing, UsageError } from './quarantine-filter.ts';

const PAGE = 1000;

/** Copies to do something with. */
export interface Chosen {
  readonly id: string;
  /** The recipients' numbers; null: all of them. */
  readonly numbers: readonly number[] | null;
}

/**
 * The copies that were typed, or those that the filters find, oldest first. With ids only `--rcpt` may be given: these
 * recipients of theirs. Rejects with a UsageError when nothing was typed that chooses.
 */
export async function chosenCopies(
  quarantine: Quarantine,
  ids: readonly string[],
  options: FilterOptions,
): Promise<readonly Chosen[]> {
  if (ids.length === 0) {
    if (!isChoosing(options)) throw new UsageError('wanted ids, or filters that choose copies');
    return found(quarantine, filterOf(options, Date.now()));
  }
  const { rcpt, ...others } = options;
  if (isChoosing(others)) throw new UsageError('with ids, --rcpt is the only filter');
  if (rcpt === undefined) return ids.map(id => ({ id, numbers: null }));
  const wanted = addressOf(rcpt, '--rcpt');
  const chosen: Chosen[] = [];
  for (const id of ids) {
    await using file = await quarantine.open(id);
    const numbers = file.head.recipients.flatMap((r, n) => (isFor(r, wanted) ? [n] : []));
    chosen.push({ id, numbers });
  }
  return chosen;
}

async function found(quarantine: Quarantine, filter: HeldFilter): Promise<readonly Chosen[]> {
  const byId = new Map<string, number[]>();
  for (let after: HeldRow | null = null; ; ) {
    const rows: readonly HeldRow[] = await quarantine.index.list(filter, after, PAGE);
    for (const { id, n } of rows) byId.set(id, [...(byId.get(id) ?? []), n]);
    after = rows.at(-1) ?? null;
    if (after === null) break;
  }
  return [...byId].map(([id, numbers]) => ({ id, numbers: numbers.toReversed() })).toReversed();
}

function isFor(recipient: HeldFileRecipient, wanted: string): boolean {
  return wanted.startsWith('@')
    ? address(recipient.address).domain === lowerAscii(wanted.slice(1))
    : lowerAscii(recipient.address) === lowerAscii(wanted);
}
