import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ROOT, run } from '../support/processes.ts';
import { fail, pass } from './outcome.ts';
import type { Outcome, Suite } from './outcome.ts';

/** A case of corpora/attachments.json: a message, and the named parts on which other parsers agree. */
interface Case {
  /** Below `mime/`, beside the list. */
  readonly file: string;
  readonly names: readonly string[];
  readonly files: readonly { readonly filename: string; readonly sha256_16: string }[];
}

interface Part {
  readonly filename: string | null;
  readonly sha256: string | null;
}

/** Milliseconds; the whole list takes a second. */
const PATIENCE = 120_000;

/** Every message through one `postern probe`. */
export const attachments: Suite = {
  file: 'corpora/attachments.json',
  async run(content, wanted, folder) {
    const cases = (content as readonly Case[]).filter(one => wanted(one.file));
    const requests = await Promise.all(
      cases.map(async ({ file }, id) => ({
        id,
        op: 'parse',
        message: await readFile(join(folder, 'corpora/mime', file), 'base64'),
      })),
    );
    const answers = await probe(requests);
    return cases.map((one, id) => judge(one, answers.get(id)));
  },
};

function judge({ file, names, files }: Case, parts: readonly Part[] | undefined): Outcome {
  if (parts === undefined) return fail(file, 'answer', 'parts', 'none');
  const found = parts.filter(part => part.filename !== null);
  for (const name of names) {
    if (!found.some(part => part.filename === name))
      return fail(
        file,
        'names',
        name,
        found.map(part => part.filename),
      );
  }
  for (const { filename, sha256_16 } of files) {
    const same = found.filter(part => part.filename === filename);
    if (!same.some(part => part.sha256?.startsWith(sha256_16) === true))
      return fail(
        file,
        `sha256 of ${filename}`,
        sha256_16,
        same.map(part => part.sha256),
      );
  }
  return pass(file);
}

async function probe(requests: readonly object[]): Promise<ReadonlyMap<unknown, readonly Part[]>> {
  const input = requests.map(request => `${JSON.stringify(request)}\n`).join('');
  const done = await run(join(ROOT, 'bin/postern'), ['probe'], { input }, PATIENCE);
  if (done.code !== 0)
    throw new Error(`postern probe ended with ${done.code ?? done.signal}: ${done.stderr.toString()}`);
  const lines = done.stdout.toString().split('\n').filter(Boolean);
  return new Map(
    lines
      .map(line => JSON.parse(line) as { readonly id: unknown; readonly parts?: readonly Part[] })
      .flatMap(({ id, parts }) => (parts === undefined ? [] : [[id, parts] as const])),
  );
}
