import type { PlaceOptions } from './places.ts';
import { Progress } from './progress.ts';
import { EXIT, withQuarantine } from './quarantine-open.ts';

/** `postern quarantine rebuild`: the index as the files tell it. Files that cannot be used are named and left alone. */
export async function quarantineRebuild(
  options: PlaceOptions,
  print: (line: string) => void,
): Promise<number> {
  return withQuarantine(options, 'write', async ({ quarantine }) => {
    const progress = new Progress();
    let problems = 0;
    const { copies, forgotten } = await quarantine.rebuild({
      progress: (done, total) => progress.show(done, total),
      problem: text => {
        problems++;
        progress.clear();
        console.error(`postern: ${text}`);
      },
    });
    progress.clear();
    print(`${copies} copies in the index; ${forgotten} forgotten, since their files are gone.`);
    return problems === 0 ? EXIT.OK : EXIT.NOTHING;
  });
}
