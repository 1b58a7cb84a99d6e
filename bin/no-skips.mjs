// A reporter for `node --test` beside the usual one: a test that was skipped or left as a todo makes the run fail.
// A check that does not run would otherwise look like one that passes.
import process from 'node:process';

/** Yields one line for each test that did not run, and sets the exit code. */
// oxlint-disable-next-line import/no-default-export -- the place where node --test looks for a reporter
export default async function* noSkips(source) {
  let count = 0;
  for await (const { type, data } of source) {
    if (type !== 'test:pass' && type !== 'test:fail') continue;
    if (data.skip === undefined && data.todo === undefined) continue;
    count++;
    yield `postern: did not run: ${data.name} (${data.file}:${data.line})\n`;
  }
  if (count === 0) return;
  process.exitCode = 1;
  yield `postern: ${count} skipped or unfinished tests; none may be\n`;
}
