import type { SettingValues } from '../control/settings.ts';
import { utf8 } from '../journal/printable.ts';
import type { LearnOutcome, Scanned } from '../scanners/spam-engine.ts';
import { UsageError } from './quarantine-filter.ts';
import { Scanners } from './scanners.ts';

/** Has the scoring engine of a configuration learn. */
export interface Teacher {
  /** One message; never rejects. */
  teach(message: Scanned, as: 'spam' | 'ham'): Promise<LearnOutcome>;
  close(): void;
}

/**
 * The engine that scores is the one that learns. `user`: whose data base, as it was typed; null: the site's `spamuser`, or else the
 * service's own. Throws a UsageError when there is nobody to teach.
 */
export function openTeacher(values: SettingValues, user: string | null): Teacher {
  const { spamd, rspamd, rspamdcontroller, spamuser } = values;
  if (spamd.length === 0 && rspamd.length === 0)
    throw new UsageError('nobody learns: neither `spamd` nor `rspamd` says where a scoring engine listens');
  if (spamd.length === 0 && rspamdcontroller.length === 0)
    throw new UsageError(
      'nobody learns: Rspamd does it in its controller, and `rspamdcontroller` does not say where that listens',
    );
  const scanners = new Scanners(values);
  const whose = user === null ? spamuser : utf8(user);
  return {
    teach: (message, as) =>
      scanners.engine?.learn(message, as, whose === '' ? null : whose) ??
      Promise.reject(new Error('there is no scoring engine')),
    close: () => scanners.close(),
  };
}

/** What became of it, to be put behind the message's name. */
export function taughtText(outcome: LearnOutcome, as: 'spam' | 'ham'): string {
  switch (outcome.kind) {
    case 'learned':
      return `learned as ${as} (${outcome.scanner})`;
    case 'already known':
      return `nothing new to learn: ${outcome.why} (${outcome.scanner})`;
    case 'error':
      return `not learned: ${outcome.fault}: ${outcome.why}`;
  }
}
