import { isIP } from 'node:net';
import { address } from '../model/address.ts';
import type { Configuration } from '../control/configuration.ts';
import type { Effective, ShownSetting } from '../control/effective.ts';
import { SETTING_NAMES, settingNamed } from '../control/settings.ts';
import type { SettingName } from '../control/settings.ts';
import { didYouMean } from '../control/suggest.ts';
import type { ConfigOptions } from './options.ts';
import { configure } from './configure.ts';
import type { PlaceOptions } from './places.ts';
import { places } from './places.ts';

type Print = (line: string) => void;

/** `postern config check`: every complaint, then a summary. 0: may be used; 1: has errors. */
export async function configCheck(options: PlaceOptions, print: Print): Promise<number> {
  const { configuration, complaints, errors } = await configure(places(options));
  for (const line of complaints) print(line);
  const warnings = complaints.length - errors;
  if (configuration === null) {
    print(`${errors} errors, ${Math.max(0, warnings)} warnings: this configuration would be refused`);
    return 1;
  }
  print(`no errors, ${warnings} warnings; configuration ${configuration.generation}`);
  return 0;
}

/** `postern config show`: name, value and place of the settings that are not built in (or of one, or of all). */
export async function configShow(
  name: string | null,
  options: PlaceOptions & ConfigOptions,
  print: Print,
): Promise<number> {
  const effective = await inForce(options, print);
  if (effective === null) return 1;
  if (name !== null) return withSetting(name, print, known => print(line(effective.shown(known))));
  for (const setting of SETTING_NAMES.map(n => effective.shown(n))) {
    if (options.all || setting.origin.place !== 'built in') print(line(setting));
  }
  return 0;
}

/** `postern config origin NAME`: the file and line, the layer, and the value. */
export async function configOrigin(
  name: string,
  options: PlaceOptions & ConfigOptions,
  print: Print,
): Promise<number> {
  const effective = await inForce(options, print);
  if (effective === null) return 1;
  return withSetting(name, print, known => {
    const { value, origin } = effective.shown(known);
    print(`${name} is ${value}`);
    print(`from ${origin.place} (${LAYER_WORDS[origin.layer]})`);
  });
}

const LAYER_WORDS = {
  default: 'the shipped default',
  site: 'the control directory',
  client: 'the client’s line in tcp.smtp',
  recipient: 'the recipient’s line in simcontrol',
} as const;

function line({ name, value, origin }: ShownSetting): string {
  return `${name}: ${value}  [${origin.place}]`;
}

function withSetting(name: string, print: Print, then: (known: SettingName) => void): number {
  const lower = name.toLowerCase();
  if (settingNamed(lower) === null) {
    const meant = didYouMean(lower, SETTING_NAMES);
    print(`${name} is not a setting${meant === null ? '' : ` (did you mean ${meant}?)`}`);
    return 1;
  }
  then(lower as SettingName);
  return 0;
}

async function inForce(options: PlaceOptions & ConfigOptions, print: Print): Promise<Effective | null> {
  const { configuration, complaints } = await configure(places(options));
  if (configuration === null) {
    for (const complaint of complaints) print(complaint);
    return null;
  }
  if (options.client !== undefined && isIP(options.client) === 0) {
    print(`${options.client} (--client) is not an IP address`);
    return null;
  }
  return settingsFor(configuration, options);
}

/** The settings that a client and a recipient get; the site's when neither is named. */
export function settingsFor(configuration: Configuration, options: ConfigOptions): Effective {
  const client =
    options.client === undefined
      ? configuration.site
      : configuration.forClient({ ip: options.client, host: options.host ?? null, info: null }).effective;
  if (options.rcpt === undefined) return client;
  return configuration.forRecipient(client, address(Buffer.from(options.rcpt).toString('latin1')));
}
