import type { Parse } from './complaints.ts';
import { environmentInt, firstLine, leadingInt, listEntries } from './readers.ts';

/** A value, or what would have been one. */
export type Parsed<T> =
  | { readonly value: T; readonly warnings?: readonly string[] }
  | { readonly wanted: string };

/** How the values of a setting are written: in a file of their own, and as `name=value` in tcp.smtp or simcontrol. */
export interface Kind<T> {
  /** For the settings page: what a value looks like. */
  readonly syntax: string;
  /** Reads the setting's control file; undefined: the file is ignored and the default kept. */
  readonly file: Parse<T | undefined>;
  /** Reads `value` of `NAME="value"` or `name=value`; null when the setting has no such form. */
  readonly value: ((value: string) => Parsed<T>) | null;
  /** The value as text, for `config show` and the record. */
  show(value: T): string;
}

/** A one-line file whose text a function reads. */
function single<T>(syntax: string, value: (text: string) => Parsed<T>, show: (value: T) => string): Kind<T> {
  return {
    syntax,
    value,
    show,
    file: (text, file, complaints) => {
      const parsed = value(firstLine(text, file, complaints));
      if ('value' in parsed) return parsed.value;
      complaints.error(file, 1, parsed.wanted);
      return undefined;
    },
  };
}

/**
 * A number as qmail's control.c reads it: leading digits count, a file without any is ignored with a warning. As a
 * variable, text that does not begin with a digit is 0 (control-files.md 2.1).
 */
export function classicInt(unit: string): Kind<number> {
  return {
    syntax: unit,
    file: (text, file, complaints) => leadingInt(text, file, complaints) ?? undefined,
    value: value => ({ value: environmentInt(value) }),
    show: String,
  };
}

/** A whole number within limits; anything else is an error. */
export function int(unit: string, min: number, max: number): Kind<number> {
  return single(
    unit,
    text => {
      const n = /^[0-9]{1,15}$/.test(text) ? Number(text) : Number.NaN;
      if (n >= min && n <= max) return { value: n };
      return { wanted: `"${text}" is not a number from ${min} to ${max} (${unit})` };
    },
    String,
  );
}

/** File modes as chmod takes them. */
export const octal: Kind<number> = single(
  'octal, as for chmod',
  text =>
    /^0?[0-7]{3}$/.test(text)
      ? { value: Number.parseInt(text, 8) }
      : { wanted: `"${text}" is not a mode such as 0660` },
  mode => `0${mode.toString(8).padStart(3, '0')}`,
);

/** A number with an optional fraction, as scores are. */
export function decimal(unit: string): Kind<number> {
  return single(
    unit,
    text => {
      if (/^-?[0-9]{1,6}(\.[0-9]{1,4})?$/.test(text)) return { value: Number(text) };
      return { wanted: `"${text}" is not a number such as 5 or 7.5 (${unit})` };
    },
    String,
  );
}

/** yes or no. */
export const flag: Kind<boolean> = single(
  'yes or no',
  text => {
    const word = text.toLowerCase();
    if (word === 'yes' || word === '1' || word === 'true') return { value: true };
    if (word === 'no' || word === '0' || word === 'false' || word === '') return { value: false };
    return { wanted: `"${text}" is neither yes nor no` };
  },
  value => (value ? 'yes' : 'no'),
);

/** simcontrol's yes or no: simscan passes over every other word without saying so. */
export const yesNo: Kind<boolean> = single(
  'yes or no',
  text => {
    const word = text.toLowerCase();
    if (word === 'yes' || word === 'no') return { value: word === 'yes' };
    return { wanted: `"${text}" is neither yes nor no, so that simscan leaves the setting as it was` };
  },
  value => (value ? 'yes' : 'no'),
);

/** A variable whose mere presence switches something on, whatever its value (NOBADHELO). */
export const presence: Kind<boolean> = {
  syntax: 'set to anything',
  file: () => true,
  value: () => ({ value: true }),
  show: value => (value ? 'set' : 'unset'),
};

/** One of a few words. */
export function oneOf<const W extends string>(...words: readonly W[]): Kind<W> {
  return single(
    words.join(' | '),
    text => {
      const word = words.find(w => w === text.toLowerCase());
      if (word !== undefined) return { value: word };
      return { wanted: `"${text}" is none of ${words.join(', ')}` };
    },
    value => value,
  );
}

/** The first line as it is; an empty file gives the empty text (control-files.md 1). */
export const line: Kind<string> = single(
  'text',
  text => ({ value: text }),
  value => JSON.stringify(value),
);

/** As `line`, with null for "not set", which is different from the empty text (RELAYCLIENT, RBLSMTPD). */
export const optionalLine: Kind<string | null> = single<string | null>(
  'text',
  text => ({ value: text }),
  value => (value === null ? 'unset' : JSON.stringify(value)),
);

/** One line that `parse` reads; null: not set. */
export function optional<T>(
  syntax: string,
  parse: (text: string) => Parsed<T>,
  show: (value: NonNullable<T>) => string = String,
): Kind<T | null> {
  return single<T | null>(syntax, parse, value =>
    value === null || value === undefined ? 'unset' : show(value),
  );
}

/** Words joined by `:` in one value, or one a line in a file. */
export const words: Kind<readonly string[]> = {
  syntax: 'words, one a line; joined by `:` in tcp.smtp and simcontrol',
  file: (text, file, complaints) => listEntries(text, file, complaints).map(entry => entry.text),
  value: value => ({ value: value.split(':').filter(word => word !== '') }),
  show: value => value.join(':') || 'none',
};

/** A list, one entry a line, each of which `fault` looks at: what is wrong with it, or null. */
export function entries(syntax: string, fault: (entry: string) => string | null): Kind<readonly string[]> {
  return {
    syntax,
    value: null,
    show: list => list.join(' ') || 'none',
    file: (text, file, complaints) =>
      listEntries(text, file, complaints).flatMap(entry => {
        const wrong = fault(entry.text);
        if (wrong === null) return [entry.text];
        complaints.error(file, entry.line, wrong);
        return [];
      }),
  };
}

/** A format with a parser of its own, which only a file can hold. */
export function format<T>(syntax: string, file: Parse<T>, show: (value: T) => string): Kind<T> {
  return { syntax, file, value: null, show };
}
