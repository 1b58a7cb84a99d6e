import { Command } from 'commander';
import type { PlaceOptions } from './places.ts';
import type { FilterOptions } from './quarantine-filter.ts';
import type { JsonOptions, ListOptions, ReleaseOptions, ShowOptions } from './quarantine-options.ts';

/** The commands of `postern quarantine`, put below `parent`. What a command needs is loaded when it runs. */
export function quarantineCommands(parent: Command, withPlaces: (command: Command) => Command): void {
  const withFilter = (command: Command) =>
    withPlaces(command)
      .option('--rcpt <address>', 'copies for this address, or for `@domain`')
      .option('--sender <address>', 'from this address, from `@domain`, or from `<>`')
      .option('--rule <name>', 'held because of this rule')
      .option('--older <age>', 'held longer ago than this: 90m, 12h, 7d, 2w')
      .option('--newer <age>', 'held more recently than this');
  const json = (command: Command) => command.option('--json', 'JSON, one object a line', false);

  json(withFilter(parent.command('list').description('List held copies, newest first.')))
    .option('--status <status>', 'held, releasing, released, deleted, expired, or all', 'held')
    .option('--limit <n>', 'at most so many; 0: all', '50')
    .option('--after <place>', 'go on behind this place, which the page before ended with')
    .action(async (options: PlaceOptions & FilterOptions & ListOptions) => {
      const { quarantineList } = await import('./quarantine-list.ts');
      process.exitCode = await quarantineList(options, console.log);
    });

  json(withPlaces(parent.command('show').description('Show a held copy: envelope, rules, header.')))
    .argument('<id>', 'its id')
    .option('--raw', 'the bytes of the message as it was received, and nothing else', false)
    .action(async (id: string, options: PlaceOptions & ShowOptions) => {
      const { quarantineShow } = await import('./quarantine-show.ts');
      process.exitCode = await quarantineShow(id, options, console.log);
    });

  json(
    withFilter(
      parent
        .command('release')
        .description('Send held copies to their next hops as they came; no check looks at them again.'),
    ),
  )
    .argument('[id...]', 'ids of held copies; without any, what the filters find')
    .option('--to <address>', 'send to this address in place of the recipients')
    .option('--again', 'also what was being released when its process died; it may arrive twice', false)
    .option('--ham', 'have the scoring engine learn what was released as ham', false)
    .action(async (ids: readonly string[], options: PlaceOptions & FilterOptions & ReleaseOptions) => {
      const { quarantineRelease } = await import('./quarantine-release.ts');
      process.exitCode = await quarantineRelease(ids, options, console.log);
    });

  json(withFilter(parent.command('delete').description('Delete held or released copies.')))
    .argument('[id...]', 'ids of held copies; without any, what the filters find')
    .option('--status <status>', 'with filters: held or released', 'held')
    .action(async (ids: readonly string[], options: PlaceOptions & FilterOptions & JsonOptions) => {
      const { quarantineDelete } = await import('./quarantine-delete.ts');
      process.exitCode = await quarantineDelete(ids, options, console.log);
    });

  withPlaces(
    parent
      .command('expire')
      .description(
        'Remove the contents of copies older than `quarantinedays`, as the server does each hour.',
      ),
  )
    .option('--older <age>', 'older than this instead')
    .action(async (options: PlaceOptions & FilterOptions) => {
      const { quarantineExpire } = await import('./quarantine-expire.ts');
      process.exitCode = await quarantineExpire(options, console.log);
    });

  withPlaces(parent.command('rebuild').description('Make the index from the held files anew.')).action(
    async (options: PlaceOptions) => {
      const { quarantineRebuild } = await import('./quarantine-rebuild.ts');
      process.exitCode = await quarantineRebuild(options, console.log);
    },
  );
}
