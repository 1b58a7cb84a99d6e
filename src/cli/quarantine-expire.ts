import { expireOld } from '../quarantine/retention.ts';
import type { PlaceOptions } from './places.ts';
import { Progress } from './progress.ts';
import { age } from './quarantine-filter.ts';
import type { FilterOptions } from './quarantine-filter.ts';
import { EXIT, withQuarantine } from './quarantine-open.ts';

const DAY_MS = 86_400_000;

/** `postern quarantine expire`: what the server does each hour, now and to the end. */
export async function quarantineExpire(
  options: PlaceOptions & FilterOptions,
  print: (line: string) => void,
): Promise<number> {
  return withQuarantine(options, 'write', async ({ quarantine, configuration }) => {
    const { quarantinedays, retention } = configuration.site.values;
    const days = options.older === undefined ? quarantinedays : age(options.older, '--older') / DAY_MS;
    const progress = new Progress();
    let problems = 0;
    const { expired, forgotten } = await expireOld(
      quarantine,
      { days, recordDays: retention },
      Date.now(),
      Number.MAX_SAFE_INTEGER,
      {
        progress: (done, total) => progress.show(done, total),
        problem: text => {
          problems++;
          progress.clear();
          console.error(`postern: ${text}`);
        },
      },
    );
    progress.clear();
    print(`${expired} expired, ${forgotten} removed altogether.`);
    return problems === 0 ? EXIT.OK : EXIT.NOTHING;
  });
}
