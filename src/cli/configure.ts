import type { Configuration } from '../control/configuration.ts';
import { Complaints } from '../control/complaints.ts';
import { loadConfiguration } from '../control/load.ts';
import { complaintText } from '../model/origin.ts';
import type { Places } from './places.ts';
import { loadOptions } from './places.ts';

/** A configuration that may be used, or null; and everything there is to complain about, ready to print. */
export interface Configured {
  readonly configuration: Configuration | null;
  readonly complaints: readonly string[];
  readonly errors: number;
}

/** Loads and checks the configuration of `where`. All or nothing: with one error there is no configuration. */
export async function configure(where: Places): Promise<Configured> {
  const complaints = new Complaints();
  const configuration = await loadConfiguration(loadOptions(where), complaints);
  const lines = complaints.list.map(complaintText);
  if (complaints.unlisted > 0) lines.push(`… and ${complaints.unlisted} more`);
  return {
    configuration: complaints.errors === 0 ? configuration : null,
    complaints: lines,
    errors: complaints.errors,
  };
}
