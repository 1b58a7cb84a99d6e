import type { VerdictRecord } from '../model/record.ts';
import { qmailScannerLines } from './classic-qmail-scanner.ts';
import { simscanLine } from './classic-simscan.ts';

/**
 * The lines, each with LF, that an old filter would have written for this event, for programs that read its log; none
 * when it would have written nothing, or something that is not true. Shadow mode has none: there the old filter writes
 * its own.
 */
export function classicLines(format: 'simscan' | 'qmail-scanner', record: VerdictRecord): readonly string[] {
  if (record.shadow !== undefined || record.edge === 'shadow') return [];
  if (format === 'qmail-scanner') return qmailScannerLines(record);
  const line = simscanLine(record);
  return line === null ? [] : [line];
}
