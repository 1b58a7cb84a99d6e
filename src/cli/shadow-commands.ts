import { Command } from 'commander';
import type { PlaceOptions } from './places.ts';
import type { ShadowOptions } from './shadow-report.ts';

/** The commands of `postern shadow`, put below `parent`. */
export function shadowCommands(parent: Command, withPlaces: (command: Command) => Command): void {
  withPlaces(
    parent
      .command('report')
      .description('Compare what the old filter said in shadow mode with what Postern would have said.'),
  )
    .option('--since <age>', 'only messages of so long: 90m, 12h, 7d, 2w (default: all that is recorded)')
    .option('--json', 'print the report as JSON', false)
    .action(async (options: PlaceOptions & ShadowOptions) => {
      const { shadowReport } = await import('./shadow-report.ts');
      process.exitCode = await shadowReport(options, console.log);
    });
}
