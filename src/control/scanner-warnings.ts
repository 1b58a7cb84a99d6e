import { lowerAscii } from '../model/address.ts';
import type { Complaints } from './complaints.ts';
import type { SettingValues } from './settings.ts';
import type { Simcontrol } from './simcontrol.ts';

/** Keys of simcontrol that do nothing without a scanner, and what is missing. */
const WANTS: readonly (readonly [key: string, missing: (values: SettingValues) => boolean, text: string])[] =
  [
    ['clam', v => v.clamd.length === 0, 'clam=yes does nothing: `clamd` does not say where clamd listens'],
    [
      'spam',
      v => v.spamd.length + v.rspamd.length === 0,
      'spam=yes does nothing: neither `spamd` nor `rspamd` says who scores',
    ],
    [
      'trophie',
      () => true,
      'trophie=yes does nothing: the Trophie scanner no longer exists; clam=yes is what remains',
    ],
  ];

/** Warns, once for each key, of a simcontrol that asks for a scanner which is not there. */
export function warnOfMissingScanners(
  simcontrol: Simcontrol,
  values: SettingValues,
  complaints: Complaints,
): void {
  const wanted = WANTS.filter(([, missing]) => missing(values));
  const told = new Set<string>();
  for (const { settings, place } of simcontrol.entries())
    for (const [key, value] of settings)
      for (const [name, , text] of wanted) {
        if (lowerAscii(key) !== name || lowerAscii(value) !== 'yes' || told.has(name)) continue;
        told.add(name);
        complaints.warn(place, 0, text);
      }
}

/** What is wrong with the scanners' own settings. */
export function checkScanners(values: SettingValues, place: string, complaints: Complaints): void {
  if (values.spamd.length > 0 && values.rspamd.length > 0)
    complaints.error(place, 0, 'both `spamd` and `rspamd` are set; one of them scores, so keep one');
  const { clamtime, spamtime, datatime } = values;
  const scored = values.spamd.length + values.rspamd.length > 0;
  if (Math.max(values.clamd.length > 0 ? clamtime : 0, scored ? spamtime : 0) >= datatime)
    complaints.error(place, 0, '`clamtime` and `spamtime` must be less than `datatime`, which is above them');
}
