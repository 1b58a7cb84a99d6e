import type { Dns, DnsAnswer } from '../model/dns.ts';

/** For the record: an answer of 64 KiB is shown by its beginning. */
const MAX_SHOWN = 300;
const MAX_SHOWN_RECORDS = 10;

/** The records that a question of the resolver gives. */
export type RecordOf<Q extends keyof Dns> =
  Awaited<ReturnType<Dns[Q]>> extends DnsAnswer<infer T> ? T : never;

/** An answer in a few words, for the verdict record. */
export function shownAnswer<T>(answer: DnsAnswer<T>, show: (record: T) => string): string {
  if (answer.kind === 'error') return answer.error;
  if (answer.kind === 'none') return answer.nxdomain ? 'NXDOMAIN' : 'none';
  const { records } = answer;
  const text = records.slice(0, MAX_SHOWN_RECORDS).map(show).join(', ');
  const more = records.length > MAX_SHOWN_RECORDS ? `, ... (${records.length} records)` : '';
  return (text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}...` : text) + more;
}

/** Labels of 1 to 63 bytes, 253 in all; no NUL, backslash or 8-bit byte, which would be sent as another name. */
export function isAskable(name: string): boolean {
  // oxlint-disable-next-line no-control-regex
  if (name.length > 253 || /[\0\\\x80-\uffff]/.test(name)) return false;
  return name.split('.').every(label => label.length > 0 && label.length <= 63);
}
