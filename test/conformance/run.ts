// The conformance run: cases that others wrote, through the program as it is installed. docs/conformance.md says how to read it.
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { ROOT } from '../support/processes.ts';
import { arc } from './arc.ts';
import { attachments } from './attachments.ts';
import { dkim } from './dkim.ts';
import { dmarc } from './dmarc.ts';
import { EXCEPTIONS, NOT_IN_THIS_RELEASE } from './exceptions.ts';
import type { Outcome, Suite, Verdict } from './outcome.ts';
import { rblsmtpd } from './rblsmtpd.ts';
import { sessions } from './sessions.ts';
import { diffSeeds, rfc7208 } from './spf.ts';
import { tcprules } from './tcprules.ts';

const SUITES: readonly Suite[] = [
  tcprules,
  rblsmtpd,
  sessions,
  attachments,
  rfc7208,
  diffSeeds,
  dkim,
  dmarc,
  arc,
];
const VERDICTS: readonly Verdict[] = ['pass', 'fail', 'noted', 'passed over', 'excepted'];
const USAGE = `usage: npm run conformance -- [--suites DIR] [NAME…]
A NAME is a suite (${SUITES.map(suite => nameOf(suite)).join(', ')}), the id of a case, or the beginning of ids (smuggle/).`;

/** Of `spf/rfc7208.json` the file's name, of `dmarc/cases.json` and `arc/validation.json` the folder's. */
function nameOf(suite: Suite): string {
  return suite.file
    .replace(/\/(?:cases|validation)\.json$/, '')
    .replace(/^.*\//, '')
    .replace(/\.json$/, '');
}

async function main(argv: readonly string[]): Promise<number> {
  let options: { values: { suites?: string; help?: boolean }; positionals: string[] };
  try {
    options = parseArgs({
      args: [...argv],
      options: { suites: { type: 'string' }, help: { type: 'boolean' } },
      allowPositionals: true,
    });
  } catch (error) {
    console.error(`conformance: ${error instanceof Error ? error.message : String(error)}\n${USAGE}`);
    return 2;
  }
  const { values, positionals: names } = options;
  if (values.help === true) {
    console.log(USAGE);
    return 0;
  }
  const folder = resolve(values.suites ?? join(ROOT, '../shared/suites'));
  if (!existsSync(folder)) {
    console.log(`conformance: no suites at ${folder}, so no case was run`);
    return values.suites !== undefined && process.env['CI'] === 'true' ? 1 : 0;
  }
  const rows: Row[] = [];
  for (const suite of SUITES) {
    const byName = names.length === 0 || names.some(name => name === nameOf(suite) || name === suite.file);
    const wanted = (id: string) =>
      byName || names.some(name => id === name || (name.endsWith('/') && id.startsWith(name)));
    const row = await runSuite(suite, folder, wanted);
    if (names.length === 0 || row.outcomes.length > 0) rows.push(row);
  }
  report(rows, names.length === 0 ? folder : null);
  if (rows.length === 0) console.error(`conformance: no case is called ${names.join(' or ')}`);
  return rows.length === 0 || rows.some(row => row.outcomes.some(one => one.verdict === 'fail')) ? 1 : 0;
}

interface Row {
  readonly suite: Suite;
  readonly outcomes: readonly Outcome[];
  readonly present: boolean;
}

async function runSuite(suite: Suite, folder: string, wanted: (id: string) => boolean): Promise<Row> {
  const path = join(folder, suite.file);
  if (!existsSync(path)) return { suite, outcomes: [], present: false };
  let outcomes: readonly Outcome[];
  try {
    outcomes = await suite.run(JSON.parse(await readFile(path, 'utf8')), wanted, folder);
  } catch (error) {
    const detail = `the suite could not be run: ${error instanceof Error ? error.message : String(error)}`;
    outcomes = [{ id: '*', verdict: 'fail', detail }];
  }
  return { suite, outcomes: outcomes.map(one => excepted(suite, one)), present: true };
}

function excepted(suite: Suite, outcome: Outcome): Outcome {
  const exception = EXCEPTIONS.find(one => one.suite === nameOf(suite) && one.id === outcome.id);
  if (exception === undefined) return outcome;
  if (outcome.verdict === 'fail') return { ...outcome, verdict: 'excepted', detail: exception.reason };
  return { ...outcome, verdict: 'fail', detail: 'passes, and so has no place in the list of exceptions' };
}

/** A line for each case that did not simply pass, then the table. `folder`: also say what was not run at all. */
function report(rows: readonly Row[], folder: string | null): void {
  for (const { suite, outcomes } of rows) {
    for (const { id, verdict, detail } of outcomes)
      if (verdict !== 'pass') console.log(`${verdict.toUpperCase()} ${nameOf(suite)} ${id}: ${detail}`);
  }
  console.log(['suite'.padEnd(24), ...VERDICTS.map(verdict => verdict.padStart(12))].join(''));
  for (const { suite, outcomes, present } of rows) {
    const counts = VERDICTS.map(verdict => outcomes.filter(one => one.verdict === verdict).length);
    console.log(
      suite.file.padEnd(24) + (present ? counts.map(n => String(n).padStart(12)).join('') : '  not there'),
    );
  }
  if (folder === null) return;
  for (const [file, subject] of Object.entries(NOT_IN_THIS_RELEASE))
    console.log(`${file.padEnd(24)}  not part of this release (${subject})`);
}

process.exitCode = await main(process.argv.slice(2));
