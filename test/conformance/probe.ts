import { join } from 'node:path';
import { ROOT, run } from '../support/processes.ts';

export type Answer = Readonly<Record<string, unknown>>;

/** Names that never answer cost their time-outs. Milliseconds. */
const PATIENCE = 120_000;

/** Puts requests with an `id` each to one `postern probe`, and gives the answers by id. */
export async function probe(requests: readonly object[]): Promise<ReadonlyMap<unknown, Answer>> {
  const input = requests.map(request => `${JSON.stringify(request)}\n`).join('');
  const done = await run(join(ROOT, 'bin/postern'), ['probe'], { input }, PATIENCE);
  if (done.code !== 0)
    throw new Error(`postern probe ended with ${done.code ?? done.signal}: ${done.stderr.toString()}`);
  const lines = done.stdout.toString().split('\n').filter(Boolean);
  return new Map(lines.map(line => JSON.parse(line) as Answer).map(answer => [answer['id'], answer]));
}
