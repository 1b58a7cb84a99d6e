import type { Origin } from '../model/origin.ts';
import type { SettingName, SettingValues } from './settings.ts';
import { SETTING_NAMES, settingNamed } from './settings.ts';

const BUILT_IN: Origin = { layer: 'default', place: 'built in' };

/** A setting in force, as text, with where it stands. */
export interface ShownSetting {
  readonly name: string;
  readonly value: string;
  readonly origin: Origin;
}

/**
 * The settings in force for one client or one recipient. Two recipients with the same object have the same settings:
 * that is what makes them a group.
 */
export class Effective {
  readonly values: SettingValues;
  readonly #origins: ReadonlyMap<SettingName, Origin>;
  #changed: readonly ShownSetting[] | null = null;
  #own: readonly ShownSetting[] | null = null;

  constructor(values: SettingValues, origins: ReadonlyMap<SettingName, Origin>) {
    this.values = values;
    this.#origins = origins;
  }

  origin(name: SettingName): Origin {
    return this.#origins.get(name) ?? BUILT_IN;
  }

  /** A copy with some values replaced. */
  with(changes: ReadonlyMap<SettingName, { readonly value: unknown; readonly origin: Origin }>): Effective {
    const values: Record<string, unknown> = { ...this.values };
    const origins = new Map(this.#origins);
    for (const [name, change] of changes) {
      values[name] = change.value;
      origins.set(name, change.origin);
    }
    return new Effective(values as unknown as SettingValues, origins);
  }

  shown(name: SettingName): ShownSetting {
    const value = settingNamed(name)?.kind.show(this.values[name]) ?? '';
    return { name, value, origin: this.origin(name) };
  }

  /** The settings that a site, a client line or a recipient line has set; computed once. */
  get changed(): readonly ShownSetting[] {
    this.#changed ??= SETTING_NAMES.filter(name => this.origin(name).layer !== 'default').map(name =>
      this.shown(name),
    );
    return this.#changed;
  }

  /** Of these, the recipient's own. */
  get ownOfRecipient(): readonly ShownSetting[] {
    this.#own ??= this.changed.filter(setting => setting.origin.layer === 'recipient');
    return this.#own;
  }
}
