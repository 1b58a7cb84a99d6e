import { isAbsolute, join, resolve } from 'node:path';
import type { PrivateKeyAnswer } from '../auth/private-key.ts';
import { loadPrivateKey } from '../auth/private-key.ts';
import { keyPath, selectorOf } from '../auth/signing-keys.ts';
import type { SettingValues } from '../control/settings.ts';
import { createResolver } from '../dns/resolver.ts';
import { configure } from './configure.ts';
import type { DkimOutput } from './dkim-keygen.ts';
import { KEY_FOLDER, nameFault } from './dkim-keygen.ts';
import type { Finding } from './dkim-look.ts';
import { lookAtKey, lookAtRecords } from './dkim-look.ts';
import { dkimRecord, plainForm, recordName } from './dkim-record.ts';
import type { PlaceOptions } from './places.ts';
import { places, qmailHome } from './places.ts';

export interface DkimCheckOptions {
  /** Path of the private key; `%` stands for the domain. */
  readonly key?: string;
}

/** Exit codes by what was found; 1 is a wrong call, or a configuration that cannot be used. */
export const CHECK_EXIT: Readonly<Record<Finding, number>> = {
  agree: 0,
  differs: 2,
  revoked: 3,
  'no record': 4,
  'record not readable': 5,
  'no private key': 6,
  'private key not readable': 7,
  'no answer from DNS': 8,
};

const EXIT_UNUSABLE = 1;

/**
 * `postern dkim check`: whether the record at SELECTOR._domainkey.DOMAIN, asked of the configured DNS servers, holds the
 * public half of the private key. The key is the file `--key`; else the first that exists of those with this selector that
 * dkimkeys names for the domain, that the files dkimsign, dkimsignextra and dksign name, and /etc/domainkeys/DOMAIN/SELECTOR.
 * Prints what was found, warnings, and the record to publish where another one stands or none. Gives a code of
 * `CHECK_EXIT`, the private key's before the record's.
 */
export async function dkimCheck(
  domain: string,
  selector: string,
  options: PlaceOptions & DkimCheckOptions,
  { print, complain }: DkimOutput,
): Promise<number> {
  const name = domain.toLowerCase();
  const wrong = nameFault(name, selector);
  if (wrong !== null) {
    complain(`postern: ${wrong}`);
    return EXIT_UNUSABLE;
  }
  const { configuration, complaints } = await configure(places(options));
  if (configuration === null) {
    for (const complaint of complaints) complain(complaint);
    return EXIT_UNUSABLE;
  }
  const { values } = configuration.site;
  const folder = qmailHome(places(options));
  const paths =
    options.key === undefined
      ? keyPaths(values, name, selector, folder)
      : [resolve(keyPath(options.key, name) ?? options.key)];
  const resolver = createResolver({ servers: values.dnsservers, timeoutMs: values.dnstimeout });
  try {
    const at = recordName(name, selector);
    const [key, answer] = await Promise.all([firstKey(paths), resolver.txt(at)]);
    const record = lookAtRecords(answer, key.kind === 'found' ? key : null);
    const looks = [lookAtKey(key), record].filter(look => look !== null);
    for (const { finding, text } of looks) print(`${at}: ${finding}: ${text}`);
    if (key.kind === 'found' && key.worldReadable)
      print(`warning: ${key.path} can be read by every account: chmod o-r`);
    for (const warning of new Set(looks.flatMap(look => look.warnings))) print(`warning: ${warning}`);
    if (key.kind === 'found' && record.finding !== 'agree' && record.finding !== 'no answer from DNS')
      print(`to publish: ${plainForm(dkimRecord(name, selector, key.type, key.key))}`);
    return CHECK_EXIT[(looks.find(look => look.finding !== 'agree') ?? record).finding];
  } finally {
    resolver.close();
  }
}

/** Where the key of a selector may be, by what the site's files say; the variables of clients are not looked at. */
function keyPaths(values: SettingValues, domain: string, selector: string, folder: string): string[] {
  const { dkimkeys, dkimsign, dkimsignextra, dksign } = values;
  const lines = [
    dkimkeys?.find(domain) ?? null,
    // A line for all below the domain signs as the domain itself.
    ...(dkimkeys?.lines ?? []).filter(line => line.signsAs === domain),
  ].filter(line => line !== null);
  const patterns = [
    ...lines.flatMap(line => [line.path, line.words.extraKey]),
    dkimsign,
    dkimsignextra,
    dksign,
    `${KEY_FOLDER}/%/${selector}`,
  ];
  const paths = new Set<string>();
  for (const pattern of patterns) {
    if (typeof pattern !== 'string' || selectorOf(pattern) !== selector) continue;
    for (const path of [keyPath(pattern, domain) ?? pattern, pattern.replace('%', '')])
      paths.add(isAbsolute(pattern) ? resolve(path) : join(folder, path));
  }
  return [...paths];
}

async function firstKey(paths: readonly string[]): Promise<PrivateKeyAnswer> {
  for (const path of paths) {
    const answer = await loadPrivateKey(path);
    if (answer.kind !== 'missing') return answer;
  }
  return { kind: 'missing', path: paths.join(', ') };
}
