import { explainJson, explainLine, explainText, time } from '../journal/explain.ts';
import { printable, unprintable, utf8 } from '../journal/printable.ts';
import type { VerdictRecord } from '../model/record.ts';
import type { JournalStore } from '../store/journal-store.ts';
import { openSqliteJournalReadOnly } from '../store/sqlite/journal.ts';

export interface ExplainOptions {
  /** The SQLite file of the journal. */
  readonly store: string;
  /** Records as JSON, one on a line, instead of text. */
  readonly json: boolean;
  /** How many records are shown at most. */
  readonly limit: number;
}

/**
 * `postern explain WHAT`: looks `arg` up as an event id, a session id, a Message-ID (with or without `<>`), an address
 * or `@domain`, and prints what it finds by `out`, line by line. One record is shown in full, several as a list,
 * newest first; a limit of 1 shows the newest in full. Bytes may be written as `\xNN`, as records show them.
 *
 * Resolves to the exit code: 0 found, 1 nothing found, 2 the store cannot be read.
 */
export async function explain(
  arg: string,
  options: ExplainOptions,
  out: (line: string) => void,
): Promise<number> {
  let store: JournalStore | null = null;
  try {
    store = openSqliteJournalReadOnly(options.store);
    const found = await find(store, arg.trim(), options.limit + 1);
    if (found.length === 0) return await nothing(store, arg, out);
    const shown = found.slice(0, options.limit);
    if (options.json) for (const record of shown) out(explainJson(record));
    else show(shown, found.length > shown.length, out);
    return 0;
  } catch (error) {
    out(error instanceof Error ? error.message : String(error));
    return 2;
  } finally {
    await store?.close();
  }
}

/** The first reading of `arg` that finds something, the most exact reading first. */
async function find(store: JournalStore, arg: string, limit: number): Promise<readonly VerdictRecord[]> {
  for (const text of new Set([utf8(arg), unprintable(arg)])) {
    const one = await store.byId(text);
    if (one !== null) return [one];
    const bare = text.startsWith('<') && text.endsWith('>') ? text.slice(1, -1) : text;
    if (bare === '') continue;
    for (const records of [
      await store.bySession(text, limit),
      await store.byMessageId(text, limit),
      await store.byAddress(bare, limit),
    ]) {
      if (records.length > 0) return records;
    }
  }
  return [];
}

function show(records: readonly VerdictRecord[], more: boolean, out: (line: string) => void): void {
  const [first] = records;
  if (first !== undefined && records.length === 1) {
    for (const line of explainText(first).split('\n')) out(line);
    if (more) out('\nThis is the newest; there are older ones (--limit).');
    return;
  }
  for (const record of records) out(explainLine(record));
  out('');
  if (more) out(`These are the newest ${records.length}; there are older ones (--limit).`);
  out('postern explain ID shows one in full; the id is the second column.');
}

async function nothing(store: JournalStore, arg: string, out: (line: string) => void): Promise<number> {
  const oldest = await store.oldest();
  const reach = oldest === null ? 'there are no records yet' : `the records go back to ${time(oldest)}`;
  out(`nothing found for ${printable(utf8(arg))}; ${reach}`);
  return 1;
}
