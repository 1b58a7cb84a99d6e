import { isIP } from 'node:net';
import { printable } from '../journal/printable.ts';
import type { ScanError, ScannerFault } from '../model/scan.ts';
import { replyText } from '../pipeline/record.ts';
import { configure } from './configure.ts';
import type { DryRun } from './dry-run.ts';
import { dryRun } from './dry-run.ts';
import type { CheckOptions } from './options.ts';
import type { PlaceOptions } from './places.ts';
import { places } from './places.ts';

/** The scanners that can fail in a drill, and the plugin that asks them. */
export const DRILLS = { clamd: 'clam', spamd: 'spam', rspamd: 'spam' } as const;

export type DrillName = keyof typeof DRILLS;

/** What can happen to a scanner, in words. */
const FAULTS: readonly (readonly [fault: ScannerFault, words: string])[] = [
  ['refused', 'nobody listens'],
  ['timeout', 'it hangs'],
  ['garbage', 'it answers nonsense'],
  ['cut', 'it dies in the middle'],
  ['failed', 'it reports an error'],
  ['limit', 'the message is too big for it'],
  ['busy', 'too many scans at a time'],
  ['resting', 'it is left alone after several faults'],
];

/**
 * `postern drill SCANNER --message FILE`: what would become of a saved message if that scanner failed, for each way of
 * failing; the other one is asked as always. Nothing is sent, no live mail is touched. Exit code 0: every fault was
 * played through; 2: it could not be done.
 */
export async function drill(
  scanner: string,
  options: PlaceOptions & Omit<CheckOptions, 'json'> & { readonly message: string },
  print: (line: string) => void,
): Promise<number> {
  if (!isDrill(scanner)) {
    print(`${scanner} is none of ${Object.keys(DRILLS).join(', ')}`);
    return 2;
  }
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
  if (configuration.site.values[scanner].length === 0) {
    print(`${scanner} is not set: no message waits for it, whatever happens to it`);
    return 2;
  }
  const check = { ...options, json: false };
  try {
    print(`as it is now: ${verdict(await dryRun(options.message, check, configuration, where))}`);
    for (const [fault, words] of FAULTS) {
      const why = `${scanner}: a drill`;
      const failing = () => Promise.resolve<ScanError>({ kind: 'error', fault, why });
      const services = DRILLS[scanner] === 'clam' ? { virus: failing } : { score: failing };
      const outcome = await dryRun(options.message, check, configuration, where, services);
      print(`${words} (${fault}): ${verdict(outcome)}`);
    }
    return 0;
  } catch (error) {
    print(`${options.message}: ${error instanceof Error ? error.message : String(error)}`);
    return 2;
  }
}

function isDrill(name: string): name is DrillName {
  return Object.hasOwn(DRILLS, name);
}

/** The reply, what became of the message, and what it is marked with. */
function verdict({ reply, records, added }: DryRun): string {
  const record = records.at(-1);
  const blocks = [...added].join('');
  const tags = [...new Set([...blocks.matchAll(/^X-Postern-Tag: (\S+)/gm)].map(([, tag]) => tag))];
  const marked = tags.length === 0 ? '' : `, marked ${tags.join(',')}`;
  const outcome =
    record === undefined
      ? ''
      : `${record.event}${record.rule === null ? '' : ` by ${record.rule}`}${marked}; `;
  const verdicts = [...new Set(record?.recipients.map(one => one.verdict) ?? [])];
  const policy = verdicts.length === 0 ? '' : ` (${verdicts.join(', ')})`;
  return `${outcome}${printable(replyText(reply))}${policy}`;
}
