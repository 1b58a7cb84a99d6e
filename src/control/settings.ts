import type { Setting } from './setting.ts';
import { CONTENT_SETTINGS } from './settings-content.ts';
import { ENVELOPE_SETTINGS } from './settings-envelope.ts';
import { HOUSE_SETTINGS } from './settings-house.ts';
import { SCANNER_SETTINGS } from './settings-scanners.ts';
import { SENDER_SETTINGS } from './settings-senders.ts';
import { SMTP_SETTINGS } from './settings-smtp.ts';

/**
 * Every setting there is. The parsers of configuration, `postern config`, the settings page and "did you mean" all
 * read this table. Classic names keep the classic meaning and syntax (control-files.md); the rest follow their style.
 */
export const SETTINGS = {
  ...SMTP_SETTINGS,
  ...ENVELOPE_SETTINGS,
  ...SENDER_SETTINGS,
  ...CONTENT_SETTINGS,
  ...SCANNER_SETTINGS,
  ...HOUSE_SETTINGS,
};

type ValueOf<S> = S extends Setting<infer T> ? T : never;

export type SettingName = keyof typeof SETTINGS;

/** The value of every setting, as checks and edges read them. */
export type SettingValues = { readonly [N in SettingName]: ValueOf<(typeof SETTINGS)[N]> };

/** Values may have any type here; for code that treats all settings alike. */
export type AnySetting = Setting<unknown>;

export const SETTING_NAMES = Object.keys(SETTINGS) as SettingName[];

/** The values of a site that sets nothing, without the shipped files either. */
export const BUILT_IN = Object.fromEntries(
  SETTING_NAMES.map(name => [name, SETTINGS[name].builtIn]),
) as unknown as SettingValues;

/** The row of `name`, when there is one. */
export function settingNamed(name: string): AnySetting | null {
  return Object.hasOwn(SETTINGS, name) ? SETTINGS[name as SettingName] : null;
}
