import { asciiJson, time } from '../journal/explain.ts';
import { printable } from '../journal/printable.ts';
import { table } from '../journal/table.ts';
import { HELD_STATES, isHeldState } from '../model/held-state.ts';
import type { HeldPlace, HeldRow } from '../store/quarantine-index.ts';
import type { PlaceOptions } from './places.ts';
import type { ListOptions } from './quarantine-options.ts';
import { filterOf, UsageError } from './quarantine-filter.ts';
import type { FilterOptions } from './quarantine-filter.ts';
import { EXIT, withQuarantine } from './quarantine-open.ts';

/** Rows asked for at a time. */
const PAGE = 500;

/** `postern quarantine list`: a line for each recipient whose copy the filters find. */
export async function quarantineList(
  options: PlaceOptions & FilterOptions & ListOptions,
  print: (line: string) => void,
): Promise<number> {
  return withQuarantine(options, 'read', async ({ quarantine }) => {
    const limit = limitOf(options.limit);
    const filter = filterOf(options, Date.now());
    let after = options.after === undefined ? null : placeOf(options.after);
    let count = 0;
    for (;;) {
      const rows = await quarantine.index.list(filter, after, Math.min(PAGE, limit - count + 1));
      const shown = rows.slice(0, limit - count);
      if (options.json) for (const row of shown) print(asciiJson(row));
      else for (const line of table(shown.map(cells))) print(line);
      count += shown.length;
      const last = shown.at(-1);
      if (shown.length < rows.length) {
        if (!options.json && after !== null) print('');
        if (!options.json && last !== undefined) print(`There are more: --after ${placeText(last)}`);
        break;
      }
      if (last === undefined || count >= limit) break;
      after = last;
    }
    if (!options.json) print(countsText(await quarantine.index.counts()));
    return count === 0 ? EXIT.NOTHING : EXIT.OK;
  });
}

function cells(row: HeldRow): string[] {
  return [
    time(row.time),
    printable(row.id),
    row.state,
    printable(row.rule),
    `${row.sender === null ? '<>' : `<${printable(row.sender)}>`} -> <${printable(row.address)}>`,
    `${row.size}`,
    printable(row.subject),
  ];
}

function countsText(counts: Readonly<Record<string, number>>): string {
  const all = Object.keys(HELD_STATES).flatMap(state =>
    isHeldState(state) && counts[state] !== undefined ? [`${counts[state]} ${state}`] : [],
  );
  return all.length === 0 ? 'The quarantine is empty.' : `In all: ${all.join(', ')}.`;
}

function limitOf(text: string): number {
  if (!/^[0-9]{1,9}$/.test(text)) throw new UsageError(`--limit ${text}: wanted a number`);
  return Number(text) === 0 ? Number.MAX_SAFE_INTEGER : Number(text);
}

function placeText({ time: ms, id, n }: HeldPlace): string {
  return `${ms}/${id}/${n}`;
}

function placeOf(text: string): HeldPlace {
  const [, ms, id, n] = /^([0-9]{1,16})\/([^/]+)\/([0-9]{1,9})$/.exec(text) ?? [];
  if (id === undefined) throw new UsageError(`--after ${text}: wanted what the page before ended with`);
  return { time: Number(ms), id, n: Number(n) };
}
