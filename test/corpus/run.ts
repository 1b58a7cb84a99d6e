// Sends real mail, spam and ham, through the whole pipeline with a real SpamAssassin, and prints what became of it.
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { explain } from '../../src/cli/explain.ts';
import type { VerdictRecord } from '../../src/model/record.ts';
import { deliver } from '../native/rig.ts';
import type { Sample } from '../program/corpus.ts';
import { CORPUS, corpusMessages } from '../program/corpus.ts';
import { at, lf } from '../program/scanner-rig.ts';
import { programPath, waitFor } from '../support/processes.ts';
import type { QueueRig } from '../support/qmail-rig.ts';
import { envelope, startQueueRig } from '../support/qmail-rig.ts';
import type { Spamd } from '../support/spamd.ts';
import { startSpamd } from '../support/spamd.ts';
import type { Judged } from './report.ts';
import { judged, report, scoredBy } from './report.ts';
import { fairSample, firstOf } from './sample.ts';

const USAGE = `usage: npm run corpus -- [--corpus DIR] [--messages N] [--compare]
DIR holds the archives of https://spamassassin.apache.org/old/publiccorpus/, .tar.xz, .tar.bz2 or .tar.gz.
--compare: has spamc score 200 of the messages too; score, threshold and rules must be equal.`;
const MESSAGES = 500;
const COMPARED = 200;
/** As many as there are children of spamd. */
const AT_A_TIME = 2;
const RECIPIENT = 'corpus@example.com';

const sender = (n: number) => `${n}@corpus.example`;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      corpus: { type: 'string', default: CORPUS },
      messages: { type: 'string', default: String(MESSAGES) },
      compare: { type: 'boolean', default: false },
    },
  });
  const count = Number(values.messages);
  if (!Number.isSafeInteger(count) || count < 1) return complain(`--messages ${values.messages}\n${USAGE}`);
  const folder = resolve(values.corpus);
  const all = (await corpusMessages(folder)) ?? [];
  if (all.length === 0) return complain(`no corpus in ${folder}\n${USAGE}`);
  for (const program of ['spamd', 'spamc']) programPath(program);

  const shares = fairSample(all, count);
  const samples = shares.flatMap(({ messages }) => messages);
  const shown = shares.map(share => `${share.messages.length} of ${share.of} in ${share.archive}`);
  console.log(`${samples.length} messages, spread evenly: ${shown.join(', ')}.`);
  console.log('As shipped, behind qmail, SpamAssassin without network tests and without Bayes training.\n');
  await using spamd = await startSpamd();
  await using rig = await startQueueRig({ spamd: at(spamd), reversename: 'no\n', rcpthosts: null });
  const tags = await bringAll(rig, samples);
  const records = await recordsOf(rig, samples.length);
  const fates = samples.map(
    (sample, n): Judged => judged(sample.origin?.archive ?? '', recordOf(records, n), tags[n] ?? []),
  );
  for (const line of report(shares, fates)) console.log(line);
  const failed = [...records.values()].filter(one =>
    one.findings.some(f => f.plugin === 'spam' && f.state === 'error'),
  );
  if (failed.length > 0) console.log(`\nNo answer from spamd: ${failed.length}`);
  if (!values.compare) return failed.length > 0 ? 1 : 0;
  const numbers = firstOf(shares, COMPARED).map(sample => samples.indexOf(sample));
  const differing = await compare(spamd, samples, numbers, records);
  return failed.length > 0 || differing > 0 ? 1 : 0;
}

/** Brings all of them, and gives the tags that each was delivered with. */
async function bringAll(rig: QueueRig, samples: readonly Sample[]): Promise<readonly (readonly string[])[]> {
  return await inTurn(
    samples.map((_, n) => n),
    async n => {
      const message = lf((samples[n] as Sample).bytes);
      const brought = await deliver(rig.programs, rig.folder, rig.socket, {
        message,
        envelope: envelope(sender(n), RECIPIENT),
      });
      const added = brought.message.toString(
        'latin1',
        0,
        Math.max(0, brought.message.length - message.length),
      );
      return [...added.matchAll(/^X-Postern-Tag: (\S+)$/gm)].map(([, tag = '']) => tag);
    },
  );
}

/** The records of all of them by sender, as soon as the last is in the store. */
async function recordsOf(rig: QueueRig, count: number): Promise<ReadonlyMap<string, VerdictRecord>> {
  const store = `${rig.gateway.state}/postern.db`;
  return await waitFor('the records', async () => {
    const lines: string[] = [];
    await explain(RECIPIENT, { store, json: true, limit: count + 1 }, line => lines.push(line));
    if (lines.length < count) return undefined;
    const records = lines.map(line => JSON.parse(line) as VerdictRecord);
    return new Map(records.map(record => [record.sender ?? '', record]));
  });
}

function recordOf(records: ReadonlyMap<string, VerdictRecord>, n: number): VerdictRecord {
  const record = records.get(sender(n));
  if (record === undefined) throw new Error(`no record of message ${n}`);
  return record;
}

/** Has spamc score the same bytes; prints where it says something else than our record, and how often that was. */
async function compare(
  spamd: Spamd,
  samples: readonly Sample[],
  numbers: readonly number[],
  records: ReadonlyMap<string, VerdictRecord>,
): Promise<number> {
  let skipped = 0;
  const differing = await inTurn(numbers, async n => {
    const sample = samples[n] as Sample;
    const ours = scoredBy(recordOf(records, n));
    if (ours === null) {
      skipped++;
      return [];
    }
    const bytes = lf(sample.bytes);
    const points = (await spamd.spamc(['-c'], bytes)).stdout.toString().trim();
    const rules = (await spamd.spamc(['-y'], bytes)).stdout.toString().trim();
    const [score, threshold] = points.split('/').map(Number);
    if (score === ours.score && threshold === ours.threshold && rules === ours.rules.join(',')) return [];
    return [
      `  ${sample.origin?.file}: spamc ${points} ${rules}, we ${ours.score}/${ours.threshold} ${ours.rules.join(',')}`,
    ];
  });
  const lines = differing.flat();
  const compared = numbers.length - skipped;
  console.log(`\nCompared with spamc: ${compared} messages (${skipped} not scored), ${lines.length} differ.`);
  for (const line of lines) console.log(line);
  return lines.length;
}

/** What `work` gives for each, some at a time. */
async function inTurn<A, B>(all: readonly A[], work: (one: A) => Promise<B>): Promise<B[]> {
  const results: B[] = [];
  let next = 0;
  const worker = async () => {
    for (let i = next++; i < all.length; i = next++) results[i] = await work(all[i] as A);
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, worker));
  return results;
}

function complain(text: string): number {
  console.error(text);
  return 2;
}

try {
  process.exitCode = await main();
} catch (error) {
  process.exitCode = complain(error instanceof Error ? error.message : String(error));
}
