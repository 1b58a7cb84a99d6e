import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { printable } from '../journal/printable.ts';
import type { PlaceOptions } from './places.ts';
import { places } from './places.ts';
import type { Status, WorkerScanner } from './serve/status-file.ts';
import { STATUS_FILE } from './serve/status-file.ts';

/**
 * `postern status`: whether the gateway runs, and how its scanners do. Exit code 0: it runs and every scanner answers; 1: a
 * scanner is left alone, or has failed its self-test; 2: it does not run.
 */
export async function statusCommand(
  options: PlaceOptions & { readonly json: boolean },
  out: (line: string) => void,
): Promise<number> {
  const status = await readStatus(places(options).stateDir);
  if (options.json) out(JSON.stringify(status));
  if (status === null || !isRunning(status.pid)) {
    if (!options.json) out('Postern does not run here.');
    return 2;
  }
  const scanners = summed(status);
  const failed = status.test?.results.filter(result => !result.passed) ?? [];
  if (!options.json) {
    out(
      `Postern runs (pid ${status.pid}) since ${time(status.startedAt)}, configuration ${status.generation}, ${status.workers.length} workers.`,
    );
    if (scanners.length === 0) out('No scanner is set.');
    for (const scanner of scanners) for (const line of scannerLines(scanner)) out(line);
    for (const { scanner, passed, detail } of status.test?.results ?? [])
      out(
        `self-test of ${scanner}, ${time(status.test?.at ?? 0)}: ${passed ? 'passed' : 'FAILED'}: ${printable(detail)}`,
      );
  }
  return scanners.some(({ breaker }) => breaker !== 'closed') || failed.length > 0 ? 1 : 0;
}

/** The file as it was written last; null when there is none, or it makes no sense. */
async function readStatus(stateDir: string): Promise<Status | null> {
  try {
    const status: unknown = JSON.parse(await readFile(join(stateDir, STATUS_FILE), 'utf8'));
    // Written by this program, in a folder of its own.
    return typeof status === 'object' && status !== null && 'pid' in status ? (status as Status) : null;
  } catch {
    return null;
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // It runs, and belongs to somebody else.
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

/** Each address once, as the worker sees it that likes it least; messages of all workers together. */
function summed({ workers }: Status): WorkerScanner[] {
  const order = { closed: 0, 'half-open': 1, open: 2 } as const;
  const byAddress = new Map<string, WorkerScanner>();
  for (const scanner of workers.flatMap(worker => worker.scanners)) {
    const key = `${scanner.scanner} ${scanner.address}`;
    const before = byAddress.get(key);
    if (before === undefined) {
      byAddress.set(key, scanner);
      continue;
    }
    const worse = order[scanner.breaker] > order[before.breaker] ? scanner : before;
    byAddress.set(key, { ...worse, unscanned: both(before.unscanned, scanner.unscanned) });
  }
  return [...byAddress.values()];
}

function both(a: WorkerScanner['unscanned'], b: WorkerScanner['unscanned']): WorkerScanner['unscanned'] {
  if (a === null || b === null) return a ?? b;
  return { count: a.count + b.count, since: Math.min(a.since, b.since) };
}

function scannerLines({ scanner, address, breaker, lastFault, unscanned }: WorkerScanner): string[] {
  const state = { closed: 'in use', open: 'LEFT ALONE for now', 'half-open': 'being tried again' }[breaker];
  const last =
    lastFault === null
      ? ''
      : `; last fault ${time(lastFault.at)}: ${lastFault.fault}, ${printable(lastFault.why)}`;
  const lines = [`${scanner} at ${address}: ${state}${last}`];
  if (unscanned !== null && unscanned.count > 0)
    lines.push(`  ${unscanned.count} messages passed without ${scanner} since ${time(unscanned.since)}`);
  return lines;
}

function time(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');
}
