import { existsSync } from 'node:fs';
import { generateKeyPairSync } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { VerdictRecord } from '../../model/record.ts';
import { openSqliteJournalReadOnly } from '../../store/sqlite/journal.ts';
import { dkimRecord, recordName } from '../dkim-record.ts';
import { Progress } from '../progress.ts';
import { UsageError } from '../quarantine-filter.ts';
import { deliver } from './client.ts';
import { startDemoDns } from './dns.ts';
import type { TextRecords } from './dns.ts';
import type { FoundScanner, ScannerOptions } from './found-scanners.ts';
import { findScanners } from './found-scanners.ts';
import { DNS_LIST, startDemoGateway, writeControl } from './gateway.ts';
import { CLIENTS, demoLetters, FRIEND, SELECTOR } from './letters.ts';
import type { DemoLetter, Need } from './letters.ts';
import type { Outcome, Paint } from './report.ts';
import { countsText, excerpt, painter, scannerLines, tableLines, verdictOf } from './report.ts';

export interface DemoOptions extends ScannerOptions {
  readonly keep: boolean;
}

/** A record comes into the store a moment after the answer; not this late. Milliseconds. */
const RECORD_MS = 10_000;
const POLL_MS = 25;

/** After any of these nothing stays behind either. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** As a shell has it for Ctrl-C. */
const INTERRUPTED = 130;

/**
 * `postern demo`: runs the gateway on this host for a moment, with the shipped rules and whatever scanners are found, sends it a
 * dozen and some messages, and shows what became of each. Nothing leaves this host and nothing stays behind, unless `keep` says so.
 * Exit code 0: done; 1: the gateway did not run; 2: an option makes no sense; 130: interrupted.
 */
export async function demo(options: DemoOptions, print: (line: string) => void): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'postern-demo-'));
  const interrupt = new AbortController();
  const stop = () => interrupt.abort();
  for (const signal of SIGNALS) process.on(signal, stop);
  // Nobody reads any more: `npm run demo | head`.
  process.stdout.on('error', stop);
  try {
    await show(options, folder, interrupt.signal, print);
    return 0;
  } catch (error) {
    if (interrupt.signal.aborted) return INTERRUPTED;
    console.error(`postern: ${error instanceof Error ? error.message : String(error)}`);
    return error instanceof UsageError ? 2 : 1;
  } finally {
    if (!options.keep || interrupt.signal.aborted) await rm(folder, { recursive: true, force: true });
    for (const signal of SIGNALS) process.off(signal, stop);
  }
}

async function show(
  options: DemoOptions,
  folder: string,
  signal: AbortSignal,
  print: (line: string) => void,
): Promise<void> {
  const paint = painter(process.stdout);
  const { clamd, engine } = await findScanners(options);
  const scanners: Readonly<Record<Need, FoundScanner>> = { clamd, engine };
  const began = performance.now();
  const { privateKey } = generateKeyPairSync('ed25519');
  const key = join(folder, 'keys', SELECTOR);
  await mkdir(join(folder, 'keys'));
  await writeFile(key, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  const letters = await demoLetters(key);
  const control = join(folder, 'control');
  const state = join(folder, 'state');
  await using dns = await startDemoDns(zone(dkimRecord(FRIEND, SELECTOR, 'ed25519', privateKey).text));
  const settings = [clamd, engine].flatMap(({ name, address }) =>
    address === null ? [] : [[name, `${address}\n`] as const],
  );
  await writeControl(control, { dns: dns.address, scanners: Object.fromEntries(settings) });
  let outcomes: readonly Outcome[];
  {
    await using gateway = await startDemoGateway(control, state);
    print(`A gateway with the shipped rules is listening on 127.0.0.1:${gateway.port} for a moment.`);
    print('It asks a DNS server of its own, on this host, and these scanners:');
    for (const line of scannerLines([clamd, engine])) print(line);
    const replies = await sendAll(gateway.port, letters, scanners, signal);
    outcomes = await withRecords(replies, join(state, 'postern.db'), signal);
  }
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  for (const line of tableLines(outcomes, paint)) print(line);
  print('');
  print(`${outcomes.length} messages in ${seconds} s: ${countsText(outcomes)}.`);
  for (const line of nextSteps(outcomes, options.keep ? folder : null, paint)) print(line);
}

/** The names that the gateway is going to ask for. */
function zone(dkimKey: string): TextRecords {
  const reversed = CLIENTS.onDnsList.split('.').toReversed().join('.');
  return {
    [FRIEND]: `v=spf1 ip4:${CLIENTS.friend} -all`,
    [recordName(FRIEND, SELECTOR)]: dkimKey,
    [`_dmarc.${FRIEND}`]: 'v=DMARC1; p=reject',
    'bank.example': 'v=spf1 ip4:192.0.2.20 -all',
    '_dmarc.bank.example': 'v=DMARC1; p=reject',
    'shop.example': 'v=spf1 ip4:192.0.2.21 -all',
    '_dmarc.shop.example': 'v=DMARC1; p=quarantine',
    'stranger.example': `v=spf1 ip4:${CLIENTS.stranger} -all`,
    [`${reversed}.${DNS_LIST}`]: `${CLIENTS.onDnsList} sends spam, says the list`,
  };
}

/** What the client read; null: not sent. */
interface Reply {
  readonly letter: DemoLetter;
  readonly reply: string | null;
}

/** Sends them one after the other, but for those that nobody is there to judge. */
async function sendAll(
  port: number,
  letters: readonly DemoLetter[],
  scanners: Readonly<Record<Need, FoundScanner>>,
  signal: AbortSignal,
): Promise<readonly Reply[]> {
  const progress = new Progress();
  const replies: Reply[] = [];
  try {
    for (const [i, letter] of letters.entries()) {
      progress.show(i, letters.length);
      const canBeJudged = letter.needs === null || scanners[letter.needs].address !== null;
      replies.push({ letter, reply: canBeJudged ? await deliver(port, letter, signal) : null });
    }
  } finally {
    progress.clear();
  }
  return replies;
}

/** With the record of each, as soon as it is in the store. */
async function withRecords(
  replies: readonly Reply[],
  store: string,
  signal: AbortSignal,
): Promise<readonly Outcome[]> {
  const deadline = performance.now() + RECORD_MS;
  // Made with the first record, a moment after the first reply.
  while (!existsSync(store) && performance.now() < deadline) await pause(POLL_MS, undefined, { signal });
  const journal = openSqliteJournalReadOnly(store);
  const record = async (id: string): Promise<VerdictRecord> => {
    for (;;) {
      const found = await journal.byId(id);
      if (found !== null) return found;
      if (performance.now() > deadline) throw new Error(`there is no record of ${id}`);
      await pause(POLL_MS, undefined, { signal });
    }
  };
  try {
    const outcomes: Outcome[] = [];
    for (const { letter, reply } of replies)
      outcomes.push({ letter, sent: reply === null ? null : { reply, record: await record(idOf(reply)) } });
    return outcomes;
  } finally {
    await journal.close();
  }
}

/** The id of the event, in brackets at the end of a reply. */
function idOf(reply: string): string {
  const id = /\[([\w.-]+)\]$/.exec(reply)?.[1];
  if (id === undefined) throw new Error(`the gateway said ${reply}`);
  return id;
}

/** The last message that this rule decided is the example. */
const EXAMPLE = 'QS_ATTACHMENT';

/** An example of `explain`, and what can be done now. */
function nextSteps(outcomes: readonly Outcome[], kept: string | null, paint: Paint): string[] {
  const example = outcomes.findLast(({ sent }) => sent?.record.rule === EXAMPLE)?.sent?.record;
  const lines: string[] = [];
  if (example !== undefined)
    lines.push(
      '',
      paint('bold', 'Why?'),
      'What stands in brackets is the id of the event, and `postern explain ID` tells all about it. It begins:',
      '',
      ...excerpt(example).map(line => `  ${line}`),
    );
  lines.push('', paint('bold', 'And now'));
  if (kept === null)
    return [
      ...lines,
      '  npm run demo -- --keep     the same, with its files left for you to look at',
      '  npm start                  the gateway on 127.0.0.1:2525, for mail of your own',
    ];
  const at = `--control ${kept}/control --state ${kept}/state`;
  const held = outcomes.find(outcome => verdictOf(outcome) === 'held')?.sent?.record.id ?? 'ID';
  return [
    ...lines,
    `  bin/postern explain ${example?.id ?? 'ID'} ${at}`,
    `  bin/postern quarantine show ${held} ${at}`,
    `  bin/postern quarantine release ${held} ${at}`,
    `  ls ${kept}/state/Maildir/new     what was delivered`,
    `  ls ${kept}/control               what was set, on top of rules/`,
    `  rm -r ${kept}`,
  ];
}
