import { createHash } from 'node:crypto';
import { hostname } from 'node:os';
import { basename, dirname, isAbsolute, join } from 'node:path';
import type { Origin } from '../model/origin.ts';
import type { Actions } from './actions.ts';
import { mergeActions } from './actions.ts';
import { NOWHERE } from './network-entries.ts';
import type { Complaints } from './complaints.ts';
import { clientChanges, Configuration, recipientChanges } from './configuration.ts';
import type { ControlDirectory, ControlFile } from './directory.ts';
import { readControlDirectory, readControlFile, textOf } from './directory.ts';
import { domainListFromCdb } from './domain-list.ts';
import { Effective } from './effective.ts';
import { QMAIL_FILES } from './qmail-files.ts';
import type { SettingName, SettingValues } from './settings.ts';
import { SETTING_NAMES, SETTINGS, settingNamed } from './settings.ts';
import type { Simcontrol } from './simcontrol.ts';
import { checkScanners, warnOfMissingScanners } from './scanner-warnings.ts';
import { parseSimcontrol, simcontrolFromCdb } from './simcontrol.ts';
import { didYouMean } from './suggest.ts';
import type { TcpRules } from './tcprules.ts';
import { parseTcpRules, tcpRulesFromCdb } from './tcprules.ts';

/** Where a configuration comes from, and what it may name. */
export interface LoadOptions {
  /** The shipped control directory; the shipped quarantine-events.txt stands beside it. */
  readonly rulesDir: string;
  /** The site's control directory; null: the shipped one alone. */
  readonly controlDir: string | null;
  /** Rules that some plugin reports. */
  readonly ruleNames: ReadonlySet<string>;
  readonly pluginNames: ReadonlySet<string>;
}

/**
 * Settings that say whose mail goes where. The shipped values are an example for newcomers; a site that has a control
 * directory of its own never gets them by accident.
 */
const NEVER_SHIPPED_TO_A_SITE: ReadonlySet<string> = new Set([
  'me',
  'rcpthosts',
  'morercpthosts',
  'smtproutes',
  'listen',
]);

/** The rule file that is shipped, and may be edited, outside of the control directory. */
const EVENTS_FILE = 'quarantine-events.txt';

const EXTRA_FILES = ['simcontrol', 'simcontrol.cdb', 'morercpthosts.cdb', 'tcp.smtp', 'tcp.smtp.cdb'];

const FILE_NAMES: ReadonlyMap<string, SettingName> = new Map(
  SETTING_NAMES.flatMap(name => fileNames(name).map((file): [string, SettingName] => [file, name])),
);

/**
 * Reads and checks a whole configuration. All that is wrong goes to `complaints`; with an error there, the result must
 * not be used. Reads every file once; 100,000-line files are fine.
 */
export async function loadConfiguration(
  options: LoadOptions,
  complaints: Complaints,
): Promise<Configuration> {
  const wanted = (name: string) => FILE_NAMES.has(name) || EXTRA_FILES.includes(name);
  const shipped = withEvents(
    await readControlDirectory(options.rulesDir, wanted, complaints),
    await readControlFile(join(dirname(options.rulesDir), EVENTS_FILE), complaints),
  );
  const site =
    options.controlDir === null ? null : await readControlDirectory(options.controlDir, wanted, complaints);
  if (site) warnOfUnknownFiles(site, complaints);
  const hash = createHash('sha256');
  const settings = siteSettings(shipped, site, complaints, hash);
  checkNames(settings, options, complaints);
  const simcontrol = loadSimcontrol(site, complaints, hash);
  const effective = simcontrol === null ? settings : asSimscan(settings);
  checkScanners(effective.values, effective.origin('rspamd').place, complaints);
  if (simcontrol !== null) warnOfMissingScanners(simcontrol, effective.values, complaints);
  const ssattach = site?.files.get('ssattach');
  if (simcontrol && ssattach) {
    const text =
      'holds wherever simcontrol says no attach=; a simscan that reads simcontrol does not read this file';
    complaints.warn(ssattach.path, 0, text);
  }
  const rules = await loadTcpRules(effective.values.tcpsmtp, options.controlDir, complaints);
  if (site) requireSite(effective, site, complaints);
  return new Configuration(hash.digest('hex').slice(0, 8), effective, rules, simcontrol);
}

/** Where there is a simcontrol, simscan's scanners run only where it says so (simscan.md 5), unless a file of the site does. */
function asSimscan(settings: Effective): Effective {
  const origin: Origin = { layer: 'default', place: 'simcontrol says so where it is wanted' };
  const names = (['clam', 'spam'] as const).filter(name => settings.origin(name).layer === 'default');
  return settings.with(new Map(names.map(name => [name, { value: false, origin }])));
}

/** The same configuration with tcp.smtp read again. */
export function withRules(before: Configuration, rules: TcpRules | null): Configuration {
  return new Configuration(before.generation, before.site, rules, before.simcontrol);
}

function withEvents(shipped: ControlDirectory, events: ControlFile | null): ControlDirectory {
  if (events === null) return shipped;
  return { ...shipped, files: new Map([...shipped.files, [EVENTS_FILE, events]]) };
}

function siteSettings(
  shipped: ControlDirectory,
  site: ControlDirectory | null,
  complaints: Complaints,
  hash: ReturnType<typeof createHash>,
): Effective {
  const values: Record<string, unknown> = {};
  const origins = new Map<SettingName, Origin>();
  for (const name of SETTING_NAMES) values[name] = SETTINGS[name].builtIn;
  for (const [directory, layer] of [
    [shipped, 'default'],
    [site, 'site'],
  ] as const) {
    if (directory === null) continue;
    for (const [name, file] of chosenFiles(directory, complaints)) {
      if (layer === 'default' && site !== null && NEVER_SHIPPED_TO_A_SITE.has(name)) continue;
      if (!(SETTINGS[name].layers as readonly string[]).includes(layer)) continue;
      hash.update(`${layer} ${basename(file.path)} ${file.bytes.length}\n`).update(file.bytes);
      const value = settingNamed(name)?.kind.file(textOf(file), file.path, complaints);
      if (value === undefined) continue;
      values[name] = name === 'actions' ? mergeActions(values[name] as Actions, value as Actions) : value;
      origins.set(name, { layer, place: file.path });
    }
  }
  const cdb = site?.files.get('morercpthosts.cdb');
  if (cdb) {
    hash.update(cdb.bytes);
    values.morercpthosts = domainListFromCdb(cdb.bytes, cdb.path, complaints);
    origins.set('morercpthosts', { layer: 'site', place: cdb.path });
    warnIfNewer(site?.files.get('morercpthosts'), cdb, 'qmail-newmrh', complaints);
  }
  if (values.me === '') values.me = hostname();
  return new Effective(values as unknown as SettingValues, origins);
}

/** The file of each setting; where it stands under several of its names, the first of these counts. */
function* chosenFiles(
  directory: ControlDirectory,
  complaints: Complaints,
): Generator<[SettingName, ControlFile], void, void> {
  for (const name of SETTING_NAMES) {
    const [first, ...others] = fileNames(name).flatMap(fileName => directory.files.get(fileName) ?? []);
    if (first === undefined) continue;
    yield [name, first];
    for (const other of others)
      complaints.warn(other.path, 0, `is not read, since ${basename(first.path)} is there`);
  }
}

function fileNames(name: SettingName): readonly string[] {
  return [name, ...(settingNamed(name)?.alsoFiles ?? [])];
}

function requireSite(effective: Effective, site: ControlDirectory, complaints: Complaints): void {
  const { rcpthosts, openrelay, smtproutes, listen, queuesocket } = effective.values;
  const smtp = listen.some(entry => entry !== NOWHERE);
  if (!smtp && queuesocket === '') {
    complaints.error(
      join(site.path, 'listen'),
      1,
      `${NOWHERE}, and no queuesocket either: nothing would reach this gateway`,
    );
  }
  // Behind qmail-smtpd, others decide about relaying and routes.
  if (!smtp) return;
  if (rcpthosts === null && !openrelay) {
    complaints.error(
      join(site.path, 'rcpthosts'),
      0,
      'missing, which would make this an open relay; write the domains you accept mail for into it (if you mean it: openrelay with yes)',
    );
  }
  if (rcpthosts === null && effective.values.morercpthosts !== null) {
    complaints.warn(join(site.path, 'morercpthosts'), 0, 'is looked at only when rcpthosts exists');
  }
  if ([...smtproutes.all()].length === 0) {
    complaints.error(
      join(site.path, 'smtproutes'),
      0,
      'missing or empty, so there is nowhere to pass mail on to; for one mail server behind this gateway write :HOST:PORT, for MX records write a line with one colon',
    );
  }
}

function warnOfUnknownFiles(site: ControlDirectory, complaints: Complaints): void {
  const known = [...FILE_NAMES.keys(), ...EXTRA_FILES];
  for (const name of site.names) {
    if (FILE_NAMES.has(name) || EXTRA_FILES.includes(name) || QMAIL_FILES.has(name) || name.startsWith('.'))
      continue;
    const meant = didYouMean(name, known);
    if (meant !== null)
      complaints.warn(join(site.path, name), 0, `nothing reads this file (did you mean ${meant}?)`);
  }
}

function checkNames(effective: Effective, options: LoadOptions, complaints: Complaints): void {
  const { actions, checks } = effective.values;
  const check = (name: string, known: ReadonlySet<string>, place: string, what: string) => {
    if (known.has(name)) return;
    const meant = didYouMean(name, known);
    complaints.error(place, 0, `${name}: ${what}${meant === null ? '' : ` (did you mean ${meant}?)`}`);
  };
  for (const [rule, entry] of actions.rules)
    check(rule, options.ruleNames, entry.place, 'no plugin reports this rule');
  for (const [plugin, entry] of actions.errors)
    check(plugin, options.pluginNames, entry.place, 'no such plugin');
  for (const name of checks) {
    if (name !== 'all' && name !== 'none')
      check(name, options.pluginNames, effective.origin('checks').place, 'no such plugin');
  }
}

function loadSimcontrol(
  site: ControlDirectory | null,
  complaints: Complaints,
  hash: ReturnType<typeof createHash>,
): Simcontrol | null {
  const text = site?.files.get('simcontrol');
  const cdb = site?.files.get('simcontrol.cdb');
  const file = cdb ?? text;
  if (file === undefined) return null;
  if (cdb) warnIfNewer(text, cdb, 'simscanmk', complaints);
  hash.update(file.bytes);
  const simcontrol = cdb
    ? simcontrolFromCdb(cdb.bytes, cdb.path, complaints)
    : parseSimcontrol(textOf(file), file.path, complaints);
  for (const entry of simcontrol.entries()) recipientChanges(entry, new Map(), complaints);
  return simcontrol;
}

/** The paths at which tcp.smtp is looked for, the one to prefer first; none: there is no such file by configuration. */
export function tcpRulesPaths(setting: string, controlDir: string | null): readonly string[] {
  if (setting === '' && controlDir === null) return [];
  const named = setting === '' ? 'tcp.smtp' : setting;
  const path = isAbsolute(named) ? named : join(controlDir ?? '.', named);
  // The compiled form first: it is what was live.
  return path.endsWith('.cdb') ? [path] : [`${path}.cdb`, path];
}

async function findTcpRules(
  setting: string,
  controlDir: string | null,
  complaints: Complaints,
): Promise<ControlFile | null> {
  const paths = tcpRulesPaths(setting, controlDir);
  const [first, second] = await Promise.all(paths.map(path => readControlFile(path, complaints)));
  if (first && second) warnIfNewer(second, first, 'tcprules', complaints);
  if (setting !== '' && !first && !second) {
    complaints.error(
      paths.at(-1) ?? setting,
      0,
      'tcpsmtp names this file, and neither it nor its .cdb is there',
    );
  }
  return first ?? second ?? null;
}

/** Reads and checks tcp.smtp; null when there is none. */
export async function loadTcpRules(
  setting: string,
  controlDir: string | null,
  complaints: Complaints,
): Promise<TcpRules | null> {
  const file = await findTcpRules(setting, controlDir, complaints);
  if (file === null) return null;
  const rules = file.path.endsWith('.cdb')
    ? tcpRulesFromCdb(file.bytes, file.path, complaints)
    : parseTcpRules(textOf(file), file.path, complaints);
  for (const rule of rules.rules()) clientChanges(rule, complaints);
  return rules;
}

function warnIfNewer(
  text: ControlFile | undefined,
  cdb: ControlFile,
  compiler: string,
  complaints: Complaints,
): void {
  if (text === undefined || text.modified <= cdb.modified) return;
  complaints.warn(
    cdb.path,
    0,
    `${basename(text.path)} is newer than this; the compiled form is used: run ${compiler}`,
  );
}
