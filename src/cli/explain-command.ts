import { setTimeout as sleep } from 'node:timers/promises';
import { time } from '../journal/explain.ts';
import { printable } from '../journal/printable.ts';
import { table } from '../journal/table.ts';
import { openSqliteQuarantineReadOnly } from '../store/sqlite/quarantine.ts';
import { configure } from './configure.ts';
import { explain } from './explain.ts';
import type { PlaceOptions } from './places.ts';
import { places, storeFile } from './places.ts';

/** What `explain` gives when nothing is found. */
const NOT_FOUND = 1;
/** How long a record takes to the store at the most, when nothing is wrong; milliseconds. */
const ON_ITS_WAY_MS = 800;

/** `postern explain`: finds the store of the configuration and looks there. */
export async function explainCommand(
  id: string,
  options: PlaceOptions & { readonly json: boolean; readonly limit: string },
  print: (line: string) => void,
): Promise<number> {
  const where = places(options);
  const { configuration, complaints } = await configure(where);
  if (configuration === null) {
    for (const complaint of complaints) print(complaint);
    return 2;
  }
  const limit = /^[0-9]{1,4}$/.test(options.limit) ? Math.max(1, Number(options.limit)) : 20;
  const wanted = { store: storeFile(where, configuration.site.values), json: options.json, limit };
  const lines: string[] = [];
  let code = await explain(id, wanted, line => lines.push(line));
  if (code === NOT_FOUND) {
    // A record travels in company: one of this very moment may still be on its way to the store.
    await sleep(ON_ITS_WAY_MS);
    lines.length = 0;
    code = await explain(id, wanted, line => lines.push(line));
  }
  for (const line of lines) print(line);
  if (code === 0 && !options.json) for (const line of await heldLines(id, wanted.store)) print(line);
  return code;
}

/** What became of the copies of an event in the quarantine; nothing when there are none. */
async function heldLines(id: string, store: string): Promise<readonly string[]> {
  const index = openSqliteQuarantineReadOnly(store);
  try {
    const lines: string[] = [];
    // Those that a hop refused after others had taken it are in a copy of their own.
    for (const heldId of [id, `${id}.refused`]) {
      const entry = await index.byId(heldId);
      if (entry === null) continue;
      const rows = entry.recipients.map(r => [
        `<${printable(r.address)}>`,
        r.state,
        `since ${time(r.since)}`,
      ]);
      lines.push('', 'Quarantine', ...table(rows, '  '), `  postern quarantine show ${heldId}`);
    }
    return lines;
  } finally {
    await index.close();
  }
}
