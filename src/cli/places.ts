import { dirname, isAbsolute, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { LoadOptions } from '../control/load.ts';
import type { SettingValues } from '../control/settings.ts';
import { PLUGINS, pluginNames, ruleNames } from '../plugins/list.ts';

/** The folder of the program itself. */
export const HOME = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** Where a gateway finds its configuration and keeps its state; the options of most commands. */
export interface Places {
  /** The site's control directory; null: the shipped `rules` alone. */
  readonly controlDir: string | null;
  /** Records, quarantine, spool files, the example's Maildir. */
  readonly stateDir: string;
}

export interface PlaceOptions {
  readonly control?: string;
  readonly state?: string;
}

/** The places that options name; the state folder is `var` in the program's folder unless said otherwise. */
export function places(options: PlaceOptions): Places {
  return {
    controlDir: options.control === undefined ? null : resolve(options.control),
    stateDir: resolve(options.state ?? join(HOME, 'var')),
  };
}

/** What loading a configuration needs to know of places and plugins. */
export function loadOptions(where: Places): LoadOptions {
  return {
    rulesDir: join(HOME, 'rules'),
    controlDir: where.controlDir,
    ruleNames: ruleNames(PLUGINS),
    pluginNames: pluginNames(PLUGINS),
  };
}

function inState(where: Places, setting: string, fallback: string): string {
  if (setting === '') return join(where.stateDir, fallback);
  return isAbsolute(setting) ? setting : join(where.stateDir, setting);
}

export function storeFile(where: Places, values: SettingValues): string {
  return inState(where, values.store, 'postern.db');
}

export function quarantineFolder(where: Places, values: SettingValues): string {
  return inState(where, values.quarantine, 'quarantine');
}

/** Where plain copies of refused spam go, when `quarantinedir` is set. */
export function copyFolder(where: Places, values: SettingValues): string {
  return inState(where, values.quarantinedir, '.');
}

export function spoolFolder(where: Places, values: SettingValues): string {
  return inState(where, values.spooldir, '.');
}

/** Where postern-queue asks; null: nowhere. */
export function queueSocket(where: Places, values: SettingValues): string | null {
  return values.queuesocket === '' ? null : inState(where, values.queuesocket, '');
}

/** qmail's home: the folder around its control directory. */
export function qmailHome(where: Places): string {
  return where.controlDir === null ? '/var/qmail' : dirname(where.controlDir);
}
