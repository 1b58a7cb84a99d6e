import { asciiJson } from '../journal/explain.ts';
import { compareShadow } from '../journal/shadow-comparison.ts';
import { shadowText } from '../journal/shadow-text.ts';
import { openSqliteJournalReadOnly } from '../store/sqlite/journal.ts';
import type { PlaceOptions } from './places.ts';
import { storeFile } from './places.ts';
import { age } from './quarantine-filter.ts';
import { EXIT, withConfiguration } from './quarantine-open.ts';

export interface ShadowOptions {
  readonly since?: string;
  readonly json: boolean;
}

/**
 * `postern shadow report`: reads the records of shadow mode and prints where Postern and the old filter disagree, while
 * the server may go on writing. Resolves to the exit code: 0, also when they disagree; 1 when there is nothing to compare;
 * 2 when the store cannot be read, or what was typed makes no sense.
 */
export function shadowReport(
  options: PlaceOptions & ShadowOptions,
  print: (line: string) => void,
): Promise<number> {
  return withConfiguration(options, async ({ site }, where) => {
    const from = options.since === undefined ? 0 : Date.now() - age(options.since, '--since');
    const store = openSqliteJournalReadOnly(storeFile(where, site.values));
    try {
      const report = await compareShadow(store.shadowRecords(from));
      for (const line of options.json ? [asciiJson(report)] : shadowText(report)) print(line);
      return report.messages === 0 ? EXIT.NOTHING : EXIT.OK;
    } finally {
      await store.close();
    }
  });
}
