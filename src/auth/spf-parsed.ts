import type { SpfRecord, SpfSyntaxError } from './spf-record.ts';
import { parseRecord, termsOf } from './spf-record.ts';

/** Some 10 MB at the very most; records of large senders have a kilobyte. */
const MAX_RECORDS = 500;
const MAX_LENGTH = 2048;

const known = new Map<string, SpfRecord | SpfSyntaxError>();

/** Parses the text of a record; the same large senders come again and again, so the latest are remembered. */
export function parsedRecord(text: string): SpfRecord | SpfSyntaxError {
  const before = known.get(text);
  if (before !== undefined) return before;
  const record = parseRecord(termsOf(text));
  if (text.length > MAX_LENGTH) return record;
  const [oldest] = known.keys();
  if (known.size >= MAX_RECORDS && oldest !== undefined) known.delete(oldest);
  known.set(text, record);
  return record;
}
