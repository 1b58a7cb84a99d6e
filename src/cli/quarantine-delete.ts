import { asciiJson } from '../journal/explain.ts';
import { printable } from '../journal/printable.ts';
import { deletionRecord } from '../quarantine/release.ts';
import type { PlaceOptions } from './places.ts';
import { Progress } from './progress.ts';
import { chosenCopies } from './quarantine-choice.ts';
import type { JsonOptions } from './quarantine-options.ts';
import type { FilterOptions } from './quarantine-filter.ts';
import { EXIT, withQuarantine } from './quarantine-open.ts';
import { note, reason } from './quarantine-release.ts';

/** `postern quarantine delete`: copies that are held, or were released, are deleted. */
export async function quarantineDelete(
  ids: readonly string[],
  options: PlaceOptions & FilterOptions & JsonOptions,
  print: (line: string) => void,
): Promise<number> {
  return withQuarantine(options, 'write', async ({ quarantine, store }) => {
    const chosen = await chosenCopies(quarantine, ids, options);
    const progress = new Progress();
    let deleted = 0;
    let troubled = false;
    for (const [i, { id, numbers }] of chosen.entries()) {
      progress.show(i, chosen.length);
      try {
        const done = await quarantine.delete(id, numbers);
        deleted += done.length;
        if (done.length === 0) troubled ||= ids.length > 0;
        else {
          await using file = await quarantine.open(id);
          await note(store, deletionRecord(file.head, done, Date.now()));
          if (!options.json) continue;
          const addresses = done.map(n => file.head.recipients[n]?.address ?? '');
          print(asciiJson({ id, deleted: addresses }));
        }
      } catch (error) {
        troubled = true;
        progress.clear();
        console.error(`postern: ${printable(id)} was not deleted: ${reason(error)}`);
      }
    }
    progress.clear();
    if (!options.json) print(`${deleted} ${deleted === 1 ? 'copy' : 'copies'} deleted.`);
    return troubled || deleted === 0 ? EXIT.NOTHING : EXIT.OK;
  });
}
