import { configure } from './configure.ts';
import { explain } from './explain.ts';
import type { PlaceOptions } from './places.ts';
import { places, storeFile } from './places.ts';

/** `postern explain`: finds the store of the configuration and looks there. */
export async function explainCommand(
  id: string,
  options: PlaceOptions & { readonly json: boolean; readonly limit: string },
  print: (line: string) => void,
): Promise<number> {
  const where = places(options);
  const { configuration, complaints } = await configure(where);
  if (configuration === null) {
    for (const complaint of complaints) print(complaint);
    return 2;
  }
  const limit = /^[0-9]{1,4}$/.test(options.limit) ? Math.max(1, Number(options.limit)) : 20;
  return explain(
    id,
    { store: storeFile(where, configuration.site.values), json: options.json, limit },
    print,
  );
}
