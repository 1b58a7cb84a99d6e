import type { VerdictRecord } from '../model/record.ts';

const DAY_MS = 86_400_000;

/** Printable ASCII; every other byte, or character, becomes `?`, which ends no line and steers no terminal. */
export function plain(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?');
}

/** At most `length` chars of it. */
export function cut(text: string, length: number): string {
  return text.length > length ? text.slice(0, length) : text;
}

/**
 * What stands where the old programs print a process id: that of qmail-smtpd, or whoever else started postern-queue, so
 * that the line goes with those of tcpserver. For mail that came over SMTP, where there is no such process: digits that are the same in every line of one session, and in no
 * other session's within a day (logging.md 8). It is no process id, since one process of ours serves many sessions. Made
 * of the session's id (src/cli/ids.ts): time of the day, process, counter. 0 for an id of another form.
 */
export function callerNumber({ sessionId, caller }: Pick<VerdictRecord, 'sessionId' | 'caller'>): number {
  if (caller !== undefined) return caller.ppid;
  const [, time, process, counter] = /^([0-9a-z]{8})([0-9a-z]{3})([0-9a-z]{2})$/.exec(sessionId) ?? [];
  if (time === undefined || process === undefined || counter === undefined) return 0;
  const milliseconds = Number.parseInt(time, 36) % DAY_MS;
  return (milliseconds * 36 ** 3 + Number.parseInt(process, 36)) * 36 ** 2 + Number.parseInt(counter, 36);
}

/** A number among the settings of the record, of the first recipient if it has its own; 0 when it is as shipped. */
export function settingOf({ settings, recipients }: VerdictRecord, name: string): number {
  const all = [...(recipients[0]?.settings ?? []), ...settings];
  const value = Number(all.find(setting => setting.name === name)?.value ?? 0);
  return Number.isFinite(value) ? value : 0;
}
