import { basename } from 'node:path';
import { Complaints } from '../control/complaints.ts';
import { loadConfiguration } from '../control/load.ts';
import type { EventRule } from '../control/quarantine-events.ts';
import { complaintText } from '../model/origin.ts';
import { charactersOf } from '../control/utf8-text.ts';
import { SETTINGS } from '../control/settings.ts';
import type { PlaceOptions } from './places.ts';
import { loadOptions, places } from './places.ts';

/** What `qmail-scanner-queue.pl -g` and `-r` did; both may be asked for at once. */
export interface RulesOptions {
  readonly g?: boolean;
  readonly r?: boolean;
}

/**
 * `postern rules -g`: checks quarantine-events.txt and counts its rules; 0 even when some are left out, each of which is
 * said with file and line, as nothing in that file keeps the gateway from starting. `postern rules -r`: the rules in
 * force, one a line. 1 when the file cannot be read. There is no database to rebuild: `serve` reads the text itself.
 */
export async function rulesCommand(
  options: PlaceOptions & RulesOptions,
  print: (line: string) => void,
): Promise<number> {
  const complaints = new Complaints();
  const { site } = await loadConfiguration(loadOptions(places(options)), complaints);
  const { rules } = site.values.quarantineevents;
  const file = site.origin('quarantineevents').place;
  const names = SETTINGS.quarantineevents.alsoFiles ?? [];
  const own = complaints.list.filter(complaint => names.includes(basename(complaint.file)));
  for (const complaint of own) print(complaintText(complaint));
  if (complaints.unlisted > 0) print(`… and up to ${complaints.unlisted} more`);
  if (options.r) for (const rule of rules) print(ruleLine(rule));
  if (options.g || !options.r) print(`${file}: ${counted(rules.length, 'rule')} (${kinds(rules)})`);
  return own.some(complaint => complaint.severity === 'error') ? 1 : 0;
}

function ruleLine({ pattern, type, description, place }: EventRule): string {
  return `${place}: ${[pattern, type, description].map(charactersOf).join('\t')}`;
}

function kinds(rules: readonly EventRule[]): string {
  const count = (kind: EventRule['kind']) => rules.filter(rule => rule.kind === kind).length;
  return `${count('file')} about attachments, ${count('policy')} Policy, ${count('virus')} Virus`;
}

function counted(n: number, what: string): string {
  return n === 1 ? `1 ${what}` : `${n} ${what}s`;
}
