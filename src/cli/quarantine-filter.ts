import { unprintable } from '../journal/printable.ts';
import type { HeldState } from '../model/held-state.ts';
import { HELD_STATES, isHeldState } from '../model/held-state.ts';
import type { HeldFilter } from '../store/quarantine-index.ts';

/** The filters as they were typed. */
export interface FilterOptions {
  readonly rcpt?: string;
  readonly sender?: string;
  readonly rule?: string;
  readonly older?: string;
  readonly newer?: string;
  /** Not `state`, which names the state folder in all commands. */
  readonly status?: string;
}

/** What was typed makes no sense; the message says why. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

const UNITS: Readonly<Record<string, number>> = {
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 7 * 86_400_000,
};

/** `7d` in milliseconds. Throws a UsageError. */
export function age(text: string, option: string): number {
  const [, count, unit = ''] = /^([0-9]{1,6})([smhdw])$/.exec(text) ?? [];
  const ms = UNITS[unit];
  if (count === undefined || ms === undefined)
    throw new UsageError(`${option} ${text}: wanted a number and s, m, h, d or w, such as 7d`);
  return Number(count) * ms;
}

/** True when anything was typed that chooses copies. */
export function isChoosing({ rcpt, sender, rule, older, newer }: FilterOptions): boolean {
  return [rcpt, sender, rule, older, newer].some(option => option !== undefined);
}

/** The filter of what was typed; `now` in epoch milliseconds. Throws a UsageError. */
export function filterOf(options: FilterOptions, now: number): HeldFilter {
  const { rule, older, newer, status = 'all' } = options;
  return {
    ...(options.rcpt === undefined ? {} : { recipient: addressOf(options.rcpt, '--rcpt') }),
    ...(options.sender === undefined ? {} : { sender: addressOf(options.sender, '--sender') }),
    ...(rule === undefined ? {} : { rule }),
    ...(older === undefined ? {} : { before: now - age(older, '--older') }),
    ...(newer === undefined ? {} : { from: now - age(newer, '--newer') }),
    ...(status === 'all' ? {} : { state: stateOf(status) }),
  };
}

/** A typed address as bytes, with or without its brackets; `<>` stays. Throws a UsageError. */
export function addressOf(text: string, option: string): string {
  const typed = unprintable(text.trim());
  const bare = typed !== '<>' && typed.startsWith('<') && typed.endsWith('>') ? typed.slice(1, -1) : typed;
  if (bare === '' || bare === '@') throw new UsageError(`${option}: wanted an address or @domain`);
  return bare;
}

function stateOf(word: string): HeldState {
  if (isHeldState(word)) return word;
  throw new UsageError(`--status ${word}: wanted ${Object.keys(HELD_STATES).join(', ')} or all`);
}
