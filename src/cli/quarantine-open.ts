import type { Configuration } from '../control/configuration.ts';
import { QuarantineError } from '../quarantine/files.ts';
import { Quarantine } from '../quarantine/quarantine.ts';
import { openSqliteQuarantine, openSqliteQuarantineReadOnly } from '../store/sqlite/quarantine.ts';
import { configure } from './configure.ts';
import type { PlaceOptions, Places } from './places.ts';
import { places, quarantineFolder, storeFile } from './places.ts';

/**
 * What the commands end with. NOTHING: nothing was found, or not all could be done. FAILED: the quarantine cannot be
 * read, or what was typed makes no sense.
 */
export const EXIT = { OK: 0, NOTHING: 1, FAILED: 2 } as const;

/** The quarantine of a configuration, for one command. */
export interface OpenQuarantine {
  readonly quarantine: Quarantine;
  readonly configuration: Configuration;
  readonly where: Places;
  /** The SQLite file. */
  readonly store: string;
}

/**
 * Loads the configuration and runs `work`. Errors are told in one line on standard error. Resolves to the exit code.
 */
export async function withConfiguration(
  options: PlaceOptions,
  work: (configuration: Configuration, where: Places) => Promise<number>,
): Promise<number> {
  const where = places(options);
  const { configuration, complaints } = await configure(where);
  if (configuration === null) {
    for (const complaint of complaints) console.error(complaint);
    return EXIT.FAILED;
  }
  try {
    return await work(configuration, where);
  } catch (error) {
    console.error(`postern: ${error instanceof Error ? error.message : String(error)}`);
    return error instanceof QuarantineError ? EXIT.NOTHING : EXIT.FAILED;
  }
}

/**
 * The same with the quarantine open; the server may run or not.
 * @param mode `read` asks for no right to write anything
 */
export function withQuarantine(
  options: PlaceOptions,
  mode: 'read' | 'write',
  work: (open: OpenQuarantine) => Promise<number>,
): Promise<number> {
  return withConfiguration(options, async (configuration, where) => {
    const { values } = configuration.site;
    const store = storeFile(where, values);
    const index = mode === 'read' ? openSqliteQuarantineReadOnly(store) : openSqliteQuarantine(store);
    const quarantine = new Quarantine(quarantineFolder(where, values), index, Date.now);
    try {
      return await work({ quarantine, configuration, where, store });
    } finally {
      await quarantine.close();
    }
  });
}
