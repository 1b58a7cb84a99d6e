import type { Address } from '../model/address.ts';
import { lowerAscii, unquotedLocal } from '../model/address.ts';
import { Cdb, CdbError } from './cdb.ts';
import type { Complaints, Parse } from './complaints.ts';
import { lines, withoutTrailingBlanks } from './readers.ts';
import { lostCapitals, parseSettings, unreachable } from './simcontrol-settings.ts';

/** What simcontrol says for one key. */
export interface SimcontrolEntry {
  /** An address, a domain, or `''` for the default; lower case. */
  readonly key: string;
  /** In order; names in lower case. */
  readonly settings: readonly (readonly [name: string, value: string])[];
  /** `file:line`, or `file (key "…")` for a cdb. */
  readonly place: string;
}

/** simscan's per-domain settings, from text or from its cdb. */
export interface Simcontrol {
  /** The entry with exactly this key (any case), or null. */
  find(key: string): SimcontrolEntry | null;
  entries(): Iterable<SimcontrolEntry>;
  /**
   * The entries that apply to an address, weakest first, as simscan 1.4.1 looks them up: the default, its domain (all
   * after the first `@`), then for the local part `a-b-c` the keys `a@…`, `a-b@…`, `a-b-c@…`.
   */
  lookup(recipient: Address): readonly SimcontrolEntry[];
}

/**
 * The text form, as simscanmk 1.4.1 compiles it (simscan.md 3 and 4). What simscanmk or simscan would lose without a
 * word is an error here. Two kindnesses: a line may be indented, and `#` begins a comment unless `KEY:name=` follows.
 */
export const parseSimcontrol: Parse<Simcontrol> = (text, file, complaints) => {
  const table = new Map<string, SimcontrolEntry>();
  for (const { text: raw, line } of lines(text)) {
    const record = parseRecord(raw, text => complaints.warn(file, line, text));
    if (record === null) continue;
    if (typeof record === 'string') {
      complaints.error(file, line, record);
      continue;
    }
    add(table, record, `${file}:${line}`, file, line, complaints);
  }
  return simcontrol(table);
};

/** The compiled form, simcontrol.cdb. A damaged file is an error, and what stood before the damage is returned. */
export function simcontrolFromCdb(bytes: Buffer, file: string, complaints: Complaints): Simcontrol {
  const table = new Map<string, SimcontrolEntry>();
  try {
    for (const [key, value] of Cdb.parse(bytes).entries()) {
      const name = key.toString('latin1');
      const record = { key: name, value: value.toString('latin1') };
      add(table, record, `${file} (key ${JSON.stringify(name)})`, file, 0, complaints);
    }
  } catch (error) {
    if (!(error instanceof CdbError)) throw error;
    complaints.error(file, 0, error.message);
  }
  return simcontrol(table);
}

interface RawEntry {
  readonly key: string;
  readonly value: string;
}

/** simscanmk reads lines into a buffer of this size and takes what is left for a line of its own. */
const LONGEST_LINE = 3999;

/** Cuts a line into key and value. Null: nothing to read there; a string: what is wrong. */
function parseRecord(raw: string, warn: (text: string) => void): RawEntry | string | null {
  const line = withoutTrailingBlanks(raw.endsWith('\r') ? raw.slice(0, -1) : raw);
  const indented = line.replace(/^[ \t]+/, '');
  if (indented === '') return null;
  if (raw.length > LONGEST_LINE)
    return `longer than ${LONGEST_LINE} bytes, where simscanmk cuts a line in two`;
  if (indented.startsWith('#')) {
    const defined = /^[#: \t]+([^:\s#]+):[A-Za-z_]+=/.exec(indented);
    if (defined === null) return null;
    warn(`# is no comment sign for simscanmk: this line defines ${lowerAscii(defined[1] ?? '')}`);
  }
  if (indented.startsWith(':') && indented !== line) {
    warn('an indented default line, which makes simscanmk crash; read as the default');
  }
  return indented.startsWith(':') ? { key: '', value: indented.slice(1) } : keyed(indented, warn);
}

function keyed(line: string, warn: (text: string) => void): RawEntry | string {
  const [, key = '', delimiter = '', value = ''] =
    /^[:\t\r #]*([^:\t\r #]+)([:\t\r #]?)(.*)$/s.exec(line) ?? [];
  if (value === '')
    return `${key} has no settings, which makes simscanmk crash; wanted KEY:name=value,name=value`;
  if (delimiter !== ':') return `wanted a colon directly after ${key}; simscan would lose the first setting`;
  const lost = lostCapitals(value);
  if (lost !== null) warn(lost);
  return { key: lowerAscii(key), value: lowerAscii(value) };
}

/** The first entry of a key counts, as the first record does in a cdb. */
function add(
  table: Map<string, SimcontrolEntry>,
  record: RawEntry,
  place: string,
  file: string,
  line: number,
  complaints: Complaints,
): void {
  const { settings, errors, warnings } = parseSettings(record.value);
  const about = line > 0 ? '' : `key "${record.key}": `;
  for (const error of errors) complaints.error(file, line, about + error);
  for (const warning of warnings) complaints.warn(file, line, about + warning);
  if (record.key === '' && settings.some(([name, value]) => name === 'attach' && /[A-Z]/.test(value))) {
    complaints.warn(
      file,
      line,
      `${about}capital letters in attach= of the default line never match; wanted lower case`,
    );
  }
  const dead = unreachable(record.key);
  if (dead !== null) complaints.warn(file, line, `${about}${record.key} ${dead}`);
  const before = table.get(record.key);
  if (before) {
    const name = record.key === '' ? 'the default' : record.key;
    complaints.warn(file, line, `${name} has settings already, at ${before.place}, so these are never used`);
    return;
  }
  table.set(record.key, { key: record.key, settings, place });
}

/** As many pieces of a local part as simscan looks at. */
const MOST_PIECES = 255;

function simcontrol(table: ReadonlyMap<string, SimcontrolEntry>): Simcontrol {
  return {
    find: key => table.get(lowerAscii(key)) ?? null,
    entries: () => table.values(),
    lookup(recipient) {
      const found: SimcontrolEntry[] = [];
      for (const key of keysOf(recipient)) {
        const entry = table.get(key);
        if (entry) found.push(entry);
      }
      return found;
    },
  };
}

function* keysOf(recipient: Address): Generator<string, void, void> {
  const last = recipient.text.lastIndexOf('@');
  const tail = last < 0 ? '' : recipient.text.slice(last);
  const text = lowerAscii(unquotedLocal(recipient.local) + tail);
  const at = text.indexOf('@');
  const local = at < 0 ? text : text.slice(0, at);
  const domain = at < 0 ? '' : text.slice(at + 1);
  yield '';
  if (domain !== '') yield domain;
  let hyphen = local.indexOf('-');
  for (let pieces = 1; hyphen >= 0 && pieces < MOST_PIECES; pieces++) {
    yield `${local.slice(0, hyphen)}@${domain}`;
    hyphen = local.indexOf('-', hyphen + 1);
  }
  yield `${local}@${domain}`;
}
