import type { SettingValues } from '../control/settings.ts';
import type { MimeLimits } from '../model/mime.ts';

/** How far a message is taken apart, as these settings have it; files without a name go to `spoolFolder`. */
export function mimeLimits(
  values: Pick<
    SettingValues,
    | 'mimedepth'
    | 'mimeparts'
    | 'headerbytes'
    | 'headerfields'
    | 'archivedepth'
    | 'archiveentries'
    | 'archivebytes'
    | 'archiveratio'
  >,
  spoolFolder: string,
): MimeLimits {
  return {
    depth: values.mimedepth,
    parts: values.mimeparts,
    headerBytes: values.headerbytes,
    headerFields: values.headerfields,
    archiveDepth: values.archivedepth,
    archiveEntries: values.archiveentries,
    archiveBytes: values.archivebytes,
    archiveRatio: values.archiveratio,
    spoolFolder,
  };
}
