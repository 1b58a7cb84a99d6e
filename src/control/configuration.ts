import type { Address } from '../model/address.ts';
import { lowerAscii } from '../model/address.ts';
import type { Layer, Origin } from '../model/origin.ts';
import type { Complaints } from './complaints.ts';
import { Effective } from './effective.ts';
import type { SettingName } from './settings.ts';
import { SETTING_NAMES, SETTINGS, settingNamed } from './settings.ts';
import type { Simcontrol, SimcontrolEntry } from './simcontrol.ts';
import { didYouMean } from './suggest.ts';
import type { TcpRule, TcpRules } from './tcprules.ts';

type Changes = Map<SettingName, { readonly value: unknown; readonly origin: Origin }>;

/** Which setting a variable of tcp.smtp sets. */
const BY_VARIABLE: ReadonlyMap<string, SettingName> = new Map(
  SETTING_NAMES.flatMap(name =>
    SETTINGS[name].variables.map((variable): [string, SettingName] => [variable, name]),
  ),
);

/** Environments whose settings are remembered. */
const MAX_ENVIRONMENTS = 500;

/** What identifies a client for tcp.smtp. */
export interface ClientIdentity {
  readonly ip: string;
  readonly host: string | null;
  readonly info: string | null;
}

/** A client's settings, or the order to turn it away. */
export interface ClientSettings {
  readonly action: 'allow' | 'deny';
  readonly rule: TcpRule | null;
  readonly effective: Effective;
}

/** A complete, checked configuration. Immutable: a reload makes a new one. */
export class Configuration {
  /** Short hash of everything that was read; in every record. */
  readonly generation: string;
  /** The settings of layers 1 and 2. */
  readonly site: Effective;
  readonly rules: TcpRules | null;
  readonly simcontrol: Simcontrol | null;
  readonly #clients = new WeakMap<TcpRule, Effective>();
  readonly #environments = new Map<string, Effective>();
  readonly #recipients = new WeakMap<Effective, Map<string, Effective>>();

  constructor(generation: string, site: Effective, rules: TcpRules | null, simcontrol: Simcontrol | null) {
    this.generation = generation;
    this.site = site;
    this.rules = rules;
    this.simcontrol = simcontrol;
  }

  /** The one line of tcp.smtp that applies to a client, and the settings it makes. No line: allowed, site settings. */
  forClient(client: ClientIdentity): ClientSettings {
    const rule = this.rules?.find(client) ?? null;
    if (rule === null) return { action: 'allow', rule, effective: this.site };
    let effective = this.#clients.get(rule);
    if (effective === undefined) {
      const changes = clientChanges(rule, null);
      effective = changes.size === 0 ? this.site : this.site.with(changes);
      this.#clients.set(rule, effective);
    }
    return { action: rule.action, rule, effective };
  }

  /**
   * The settings of a client whose environment tcpserver, or whoever started the program, has made. Of several variables
   * for one setting the first in its row counts.
   */
  forEnvironment(variables: ReadonlyMap<string, string>): Effective {
    const ours: [string, string][] = [];
    for (const name of SETTING_NAMES) {
      const variable = SETTINGS[name].variables.find(one => variables.has(one));
      if (variable !== undefined) ours.push([variable, variables.get(variable) ?? '']);
    }
    if (ours.length === 0) return this.site;
    const key = JSON.stringify(ours);
    let effective = this.#environments.get(key);
    if (effective === undefined) {
      const changes = clientChanges({ variables: ours, place: 'environment' }, null);
      effective = changes.size === 0 ? this.site : this.site.with(changes);
      // There are as many as lines in tcp.smtp; somebody else may make more.
      if (this.#environments.size >= MAX_ENVIRONMENTS) this.#environments.clear();
      this.#environments.set(key, effective);
    }
    return effective;
  }

  /** A recipient's own settings on top of the client's: default record, then domain, then address (simscan.md 5). */
  forRecipient(client: Effective, recipient: Address): Effective {
    if (this.simcontrol === null) return client;
    const entries = this.simcontrol.lookup(recipient);
    if (entries.length === 0) return client;
    let byEntries = this.#recipients.get(client);
    if (byEntries === undefined) {
      byEntries = new Map();
      this.#recipients.set(client, byEntries);
    }
    const key = entries.map(entry => entry.key).join('\n');
    let effective = byEntries.get(key);
    if (effective === undefined) {
      effective = overlay(client, entries);
      byEntries.set(key, effective);
    }
    return effective;
  }

  /**
   * One set of settings for a whole message, as simscan 1.4.1 makes it (simscan.md 5): the default record, then the
   * sender's, then each recipient's in envelope order; each overlays what it names, so the last recipient wins.
   */
  forMessage(client: Effective, sender: Address | null, recipients: readonly Address[]): Effective {
    const { simcontrol } = this;
    if (simcontrol === null) return client;
    const parties = [...(sender === null ? [] : [sender]), ...recipients];
    const entries = parties.flatMap(party => simcontrol.lookup(party));
    // The default record is the weakest for the whole message, not for each party.
    const isDefault = (entry: SimcontrolEntry) => entry.key === '';
    const [first] = entries.filter(isDefault);
    const others = entries.filter(entry => !isDefault(entry));
    // Not kept: there are as many combinations as a sender likes.
    return overlay(client, first === undefined ? others : [first, ...others]);
  }
}

function overlay(client: Effective, entries: readonly SimcontrolEntry[]): Effective {
  const changes = growing(client);
  for (const entry of entries) recipientChanges(entry, changes, null);
  return changes.size === 0 ? client : client.with(changes);
}

/** Lists to which simcontrol adds begin with what the client has. */
function growing(client: Effective): Changes {
  const changes: Changes = new Map();
  for (const name of SETTING_NAMES) {
    if (settingNamed(name)?.add === undefined || client.values[name] === SETTINGS[name].builtIn) continue;
    changes.set(name, { value: client.values[name], origin: client.origin(name) });
  }
  return changes;
}

/** What a line of tcp.smtp sets; complains, when asked to, about values and about names that look like typing errors. */
export function clientChanges(
  rule: Pick<TcpRule, 'variables' | 'place'>,
  complaints: Complaints | null,
): Changes {
  const changes: Changes = new Map();
  for (const [variable, text] of rule.variables) {
    const name = BY_VARIABLE.get(variable);
    if (name === undefined) {
      // Other programs have variables there too: only a near miss is worth a word.
      const meant = variable.length > 4 ? didYouMean(variable, BY_VARIABLE.keys()) : null;
      if (complaints && meant !== null && !OTHERS_VARIABLES.has(variable)) {
        complaints.warn(rule.place, 0, `${variable} sets nothing here (did you mean ${meant}?)`);
      }
      continue;
    }
    apply(name, text, 'client', rule.place, changes, complaints);
  }
  return changes;
}

/** Variables of the classic tools that this release does not read and that look like ones it does. */
const OTHERS_VARIABLES: ReadonlySet<string> = new Set(['QMAILQUEUE']);

/** What a line of simcontrol sets for a recipient. */
export function recipientChanges(
  entry: SimcontrolEntry,
  changes: Changes,
  complaints: Complaints | null,
): void {
  for (const [key, text] of entry.settings) {
    const name = lowerAscii(key);
    const setting = settingNamed(name);
    if (setting === null || !setting.layers.includes('recipient')) {
      if (complaints === null) continue;
      const candidates = SETTING_NAMES.filter(n => SETTINGS[n].layers.includes('recipient'));
      const meant = didYouMean(name, candidates);
      const why = setting === null ? 'is not a setting' : 'cannot be set for a recipient';
      complaints.error(entry.place, 0, `${key} ${why}${meant === null ? '' : ` (did you mean ${meant}?)`}`);
      continue;
    }
    apply(name as SettingName, text, 'recipient', entry.place, changes, complaints);
  }
}

function apply(
  name: SettingName,
  text: string,
  layer: Layer,
  place: string,
  changes: Changes,
  complaints: Complaints | null,
): void {
  const parse = settingNamed(name)?.kind.value;
  if (!parse) return;
  const parsed = parse(text);
  if ('wanted' in parsed) {
    complaints?.error(place, 0, `${name}: ${parsed.wanted}`);
    return;
  }
  for (const warning of parsed.warnings ?? []) complaints?.warn(place, 0, `${name}: ${warning}`);
  const setting = settingNamed(name);
  const before = setting?.add === undefined ? undefined : changes.get(name);
  const value = before === undefined ? parsed.value : setting?.add?.(before.value, parsed.value);
  const places = before === undefined ? place : `${before.origin.place} and ${place}`;
  changes.set(name, { value, origin: { layer, place: places } });
}
