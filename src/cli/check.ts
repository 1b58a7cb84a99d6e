import { isIP } from 'node:net';
import { explainText } from '../journal/explain.ts';
import { configure } from './configure.ts';
import { dryRun } from './dry-run.ts';
import type { CheckOptions } from './options.ts';
import type { PlaceOptions } from './places.ts';
import { places } from './places.ts';

/**
 * `postern check`: runs the stages of the gateway over a saved message as if `--client` had brought it, prints the
 * record of what would have happened, and sends nothing. Exit code 0: would be accepted; 1: would not; 2: could not
 * be checked.
 */
export async function check(
  file: string,
  options: PlaceOptions & CheckOptions,
  print: (line: string) => void,
): Promise<number> {
  const where = places(options);
  const { configuration, complaints } = await configure(where);
  if (configuration === null) {
    for (const complaint of complaints) print(complaint);
    return 2;
  }
  if (isIP(options.client) === 0) {
    print(`${options.client} (--client) is not an IP address`);
    return 2;
  }
  try {
    const { reply, records } = await dryRun(file, options, configuration, where);
    for (const record of records) print(options.json ? JSON.stringify(record) : explainText(record));
    return reply.code < 400 ? 0 : 1;
  } catch (error) {
    print(`${file}: ${error instanceof Error ? error.message : String(error)}`);
    return 2;
  }
}
