import type { Layer } from '../model/origin.ts';
import type { Kind } from './kinds.ts';

/** One row of the table: everything there is to know of a setting. Its name is its key in the table and its file. */
export interface Setting<T> {
  readonly kind: Kind<T>;
  readonly builtIn: T;
  /** Which layers may set it, besides the built-in value. */
  readonly layers: readonly Layer[];
  /** Variables of tcp.smtp that set it; the first is the one to recommend. */
  readonly variables: readonly string[];
  readonly usedBy: string;
  readonly doc: string;
  /** Older or other names under which the control file may stand. */
  readonly alsoFiles?: readonly string[];
  /** For a list that grows from record to record of simcontrol, where other values replace each other. */
  add?(before: T, more: T): T;
}

/** Which layers may set a setting. */
export const FILES: readonly Layer[] = ['default', 'site'];
export const CLIENT: readonly Layer[] = ['default', 'site', 'client'];
export const EVERYWHERE: readonly Layer[] = ['default', 'site', 'client', 'recipient'];
export const RECIPIENT: readonly Layer[] = ['recipient'];

/** Set by files alone. */
export function file<T>(
  kind: Kind<T>,
  builtIn: T,
  usedBy: string,
  doc: string,
  alsoFiles?: readonly string[],
): Setting<T> {
  return { kind, builtIn, layers: FILES, variables: [], usedBy, doc, ...(alsoFiles ? { alsoFiles } : {}) };
}

/** Set by files, and by tcp.smtp for a client. */
export function client<T>(
  kind: Kind<T>,
  builtIn: T,
  variables: readonly string[],
  usedBy: string,
  doc: string,
): Setting<T> {
  return { kind, builtIn, layers: CLIENT, variables, usedBy, doc };
}

/** Set by tcp.smtp alone; a file of that name means nothing. */
export function variable<T>(
  kind: Kind<T>,
  builtIn: T,
  name: string,
  usedBy: string,
  doc: string,
): Setting<T> {
  return { kind, builtIn, layers: ['client'], variables: [name], usedBy, doc };
}

/** A key of simcontrol whose scanner is not part of this release: read and checked, so that a file can stay as it is. */
export function later<T>(kind: Kind<T>, builtIn: T, doc: string): Setting<T> {
  return { kind, builtIn, layers: RECIPIENT, variables: [], usedBy: 'read, not used yet', doc };
}

export const MiB = 1024 * 1024;
