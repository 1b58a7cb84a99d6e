import { asciiJson } from '../journal/explain.ts';
import { printable } from '../journal/printable.ts';
import type { VerdictRecord } from '../model/record.ts';
import { address } from '../model/address.ts';
import { replyText } from '../pipeline/record.ts';
import type { Release } from '../quarantine/release.ts';
import { release } from '../quarantine/release.ts';
import type { HeldHead } from '../quarantine/format.ts';
import type { Router } from '../model/delivery.ts';
import type { Quarantine } from '../quarantine/quarantine.ts';
import type { LearnOutcome } from '../scanners/spam-engine.ts';
import { openSqliteJournal } from '../store/sqlite/journal.ts';
import type { PlaceOptions } from './places.ts';
import { Progress } from './progress.ts';
import { chosenCopies } from './quarantine-choice.ts';
import type { ReleaseOptions } from './quarantine-options.ts';
import { addressOf } from './quarantine-filter.ts';
import type { FilterOptions } from './quarantine-filter.ts';
import { EXIT, withQuarantine } from './quarantine-open.ts';
import type { Teacher } from './teacher.ts';
import { openTeacher, taughtText } from './teacher.ts';
import type { NextHops } from './wire.ts';
import { nextHops } from './wire.ts';

/**
 * `postern quarantine release`: sends copies and says what each next hop answered; with `--ham` the scoring engine learns what
 * some hop has taken. A copy that was sent stays sent when it does not.
 */
export async function quarantineRelease(
  ids: readonly string[],
  options: PlaceOptions & FilterOptions & ReleaseOptions,
  print: (line: string) => void,
): Promise<number> {
  return withQuarantine(options, 'write', async ({ quarantine, configuration, where, store }) => {
    const to = options.to === undefined ? null : address(addressOf(options.to, '--to'));
    const status = options.again ? 'releasing' : 'held';
    const chosen = await chosenCopies(quarantine, ids, { ...options, status });
    const teacher = options.ham ? openTeacher(configuration.site.values, null) : null;
    const hops = nextHops(configuration, where);
    const progress = new Progress();
    let released = 0;
    let troubled = false;
    try {
      for (const [i, { id, numbers }] of chosen.entries()) {
        progress.show(i, chosen.length);
        try {
          const choice = { numbers, to, again: options.again };
          const outcome = await release(quarantine, head => hopsOf(hops, head), id, choice, Date.now);
          if (outcome.record !== null) await note(store, outcome.record);
          const taken = outcome.copies.filter(copy => copy.answer.kind === 'accepted').length;
          released += taken;
          // With filters, a copy that somebody else was faster with is none of our business.
          if (taken < outcome.copies.length || (taken === 0 && ids.length > 0)) troubled = true;
          progress.clear();
          for (const line of said(id, outcome, options.json)) print(line);
          if (teacher === null || taken === 0) continue;
          const taught = await taughtHam(teacher, quarantine, id);
          if (taught.kind === 'error') troubled = true;
          print(options.json ? asciiJson({ id, ham: taught }) : `${id}  ${taughtText(taught, 'ham')}`);
        } catch (error) {
          troubled = true;
          progress.clear();
          console.error(`postern: ${id} was not released: ${reason(error)}`);
        }
      }
    } finally {
      progress.clear();
      teacher?.close();
      await hops.close();
    }
    return troubled || released === 0 ? EXIT.NOTHING : EXIT.OK;
  });
}

/** Never rejects: a copy that cannot be read was not learned. */
async function taughtHam(teacher: Teacher, quarantine: Quarantine, id: string): Promise<LearnOutcome> {
  try {
    await using file = await quarantine.open(id);
    return await teacher.teach((await file.message()).message, 'ham');
  } catch (error) {
    return { kind: 'error', fault: 'failed', why: reason(error) };
  }
}

/** A copy goes on the way that it would have gone. */
function hopsOf(hops: NextHops, { record }: HeldHead): Router {
  return record.edge === 'qmail' ? hops.queue : hops.relay;
}

/** What became of each recipient's copy. */
function said(id: string, { copies }: Release, json: boolean): string[] {
  if (json)
    return copies.map(({ address: recipient, to, answer }) =>
      asciiJson({
        id,
        address: recipient,
        to,
        state: answer.kind === 'accepted' ? 'released' : 'held',
        hop: answer.hop,
        reply: replyText(answer.reply),
      }),
    );
  if (copies.length === 0)
    return [`${id}  nothing to release: not held, or somebody is at it (quarantine show ${id})`];
  return copies.map(({ to, answer }) => {
    const words = `${printable(answer.hop)} said ${printable(replyText(answer.reply))}`;
    const state = answer.kind === 'accepted' ? 'released' : 'held still';
    return `${id}  <${printable(to)}>  ${state}: ${words}`;
  });
}

/** Writes the event into the journal. A copy that was sent stays sent when that fails. */
export async function note(store: string, record: VerdictRecord): Promise<void> {
  try {
    const journal = openSqliteJournal(store);
    await journal.append([record]);
    await journal.close();
  } catch (error) {
    console.error(`postern: the event could not be recorded: ${reason(error)}`);
  }
}

/** An error in words. */
export function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
