import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../../support/processes.ts';

/** Messages of other projects' tests; not part of this one. */
const FOLDER = join(ROOT, '../shared/suites/corpora/mime');

/** All of them; none where they are not at hand. */
export function fixtures(): { readonly name: string; readonly bytes: Buffer }[] {
  if (!existsSync(FOLDER)) return [];
  return globSync('*/*.eml', { cwd: FOLDER })
    .toSorted()
    .map(name => ({ name, bytes: readFileSync(join(FOLDER, name)) }));
}
