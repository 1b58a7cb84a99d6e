import type { SettingName, SettingValues } from '../control/settings.ts';
import type { Plugin } from '../model/plugin.ts';

/**
 * Writes a plugin down with its types checked: it sees the settings it names and no others, and reports the rules it
 * lists and no others.
 */
export function definePlugin<const K extends SettingName, const R extends string>(
  plugin: Plugin<SettingValues, K, R>,
): Plugin<SettingValues, K, R> {
  return plugin;
}
