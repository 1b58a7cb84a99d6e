import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import type { DemoOptions } from './demo/demo.ts';
import { dkimCommands } from './dkim-commands.ts';
import type { LearnOptions } from './learn.ts';
import { HOME } from './places.ts';
import type { CheckOptions, ConfigOptions } from './options.ts';
import type { PlaceOptions } from './places.ts';
import { quarantineCommands } from './quarantine-commands.ts';
import type { RulesOptions } from './rules-command.ts';
import { shadowCommands } from './shadow-commands.ts';

const { version } = JSON.parse(readFileSync(join(HOME, 'package.json'), 'utf8')) as { version: string };

/** Every command of the program. What a command needs is loaded when it runs, so that each starts quickly. */
export function commands(): Command {
  const program = new Command('postern');
  program
    .description('Anti-spam SMTP gateway that reads the configuration of the classic qmail tools.')
    .version(version);
  program.enablePositionalOptions();
  const withPlaces = (command: Command) =>
    command
      .option('--control <dir>', 'control directory of the site (default: the shipped rules/)')
      .option('--state <dir>', 'folder for records, quarantine and spool files (default: var/)');

  withPlaces(program.command('serve').description('Run the gateway in the foreground.')).action(
    async (options: PlaceOptions) => {
      const { supervise } = await import('./serve/supervisor.ts');
      process.exit(await supervise(options));
    },
  );

  program
    .command('demo')
    .description('Show what becomes of some telling messages; nothing leaves this host or stays behind.')
    .option('--clamd <address>', 'ask this clamd; `none`: none (default: where Debian has it)')
    .option('--spamd <address>', 'the same for spamd')
    .option('--rspamd <address>', 'the same for Rspamd, where there is no spamd')
    .option('--keep', 'leave control directory, records and mail for you to look at', false)
    .action(async (options: DemoOptions) => {
      const { demo } = await import('./demo/demo.ts');
      process.exitCode = await demo(options, console.log);
    });

  const config = program.command('config').description('Look at the configuration without running it.');
  withPlaces(config.command('check').description('Check every file; exit 1 when there are errors.')).action(
    async (options: PlaceOptions) => {
      const { configCheck } = await import('./config.ts');
      process.exitCode = await configCheck(options, console.log);
    },
  );
  withPlaces(config.command('show').description('Print the settings in force and where each stands.'))
    .argument('[name]', 'only this setting')
    .option('--client <ip>', 'as they are for this client')
    .option('--host <name>', 'its reverse name, for `=host` lines of tcp.smtp')
    .option('--rcpt <address>', 'as they are for this recipient')
    .option('--all', 'the built-in values as well')
    .action(async (name: string | undefined, options: PlaceOptions & ConfigOptions) => {
      const { configShow } = await import('./config.ts');
      process.exitCode = await configShow(name ?? null, options, console.log);
    });
  withPlaces(config.command('origin').description('Say which file and line gives a setting its value.'))
    .argument('<name>', 'the setting')
    .option('--client <ip>', 'for this client')
    .option('--host <name>', 'its reverse name')
    .option('--rcpt <address>', 'for this recipient')
    .action(async (name: string, options: PlaceOptions & ConfigOptions) => {
      const { configOrigin } = await import('./config.ts');
      process.exitCode = await configOrigin(name, options, console.log);
    });

  withPlaces(program.command('explain').description('Explain what was decided, and why.'))
    .argument('<id>', 'event or session id, Message-ID, address or @domain')
    .option('--json', 'print the records as JSON', false)
    .option('--limit <n>', 'at most so many records', '20')
    .action(async (id: string, options: PlaceOptions & { json: boolean; limit: string }) => {
      const { explainCommand } = await import('./explain-command.ts');
      process.exitCode = await explainCommand(id, options, console.log);
    });

  quarantineCommands(
    program.command('quarantine').description('Look at what is held, and decide.'),
    withPlaces,
  );

  withPlaces(
    program
      .command('learn')
      .description('Have SpamAssassin or Rspamd learn messages as spam or as ham (not spam).'),
  )
    .argument('<message...>', 'files, LF or CRLF line ends, and ids of held copies')
    .option('--spam', 'they are spam', false)
    .option('--ham', 'they are not', false)
    .option('--user <name>', 'whose data base learns (default: `spamuser`, or the engine’s own)')
    .action(async (messages: readonly string[], options: PlaceOptions & LearnOptions) => {
      const { learn } = await import('./learn.ts');
      process.exitCode = await learn(messages, options, console.log);
    });

  shadowCommands(
    program.command('shadow').description('Look at what shadow mode has seen beside an old filter.'),
    withPlaces,
  );

  dkimCommands(program.command('dkim').description('Make keys for signing, and look at them.'), withPlaces);

  withPlaces(program.command('status').description('Say whether the gateway runs, and how its scanners do.'))
    .option('--json', 'print all of it as JSON', false)
    .action(async (options: PlaceOptions & { json: boolean }) => {
      const { statusCommand } = await import('./status-command.ts');
      process.exitCode = await statusCommand(options, console.log);
    });

  withPlaces(
    program
      .command('drill')
      .description('Say what would become of a saved message if a scanner failed; nothing is sent.'),
  )
    .argument('<scanner>', 'clamd, spamd or rspamd')
    .requiredOption('--message <file>', 'the message, LF or CRLF line ends')
    .requiredOption('--client <ip>', 'the client’s address')
    .option('--host <name>', 'its reverse name')
    .option('--helo <name>', 'the name it gives', 'localhost')
    .option('--from <address>', 'the envelope sender; empty for the null sender', '')
    .requiredOption('--rcpt <address...>', 'a recipient; may be repeated')
    .action(
      async (scanner: string, options: PlaceOptions & Omit<CheckOptions, 'json'> & { message: string }) => {
        const { drill } = await import('./drill.ts');
        process.exitCode = await drill(scanner, options, console.log);
      },
    );

  withPlaces(program.command('check').description('Run the checks over a saved message; nothing is sent.'))
    .argument('<file>', 'the message, LF or CRLF line ends')
    .requiredOption('--client <ip>', 'the client’s address')
    .option('--host <name>', 'its reverse name')
    .option('--helo <name>', 'the name it gives', 'localhost')
    .option('--from <address>', 'the envelope sender; empty for the null sender', '')
    .requiredOption('--rcpt <address...>', 'a recipient; may be repeated')
    .option('--json', 'print the record as JSON', false)
    .action(async (file: string, options: PlaceOptions & CheckOptions) => {
      const { check } = await import('./check.ts');
      process.exitCode = await check(file, options, console.log);
    });

  withPlaces(
    program.command('rules').description('Look at quarantine-events.txt, as qmail-scanner-queue.pl did.'),
  )
    .option('-g', 'check the file and count its rules; there is no database to build')
    .option('-r', 'print the rules in force')
    .action(async (options: PlaceOptions & RulesOptions) => {
      const { rulesCommand } = await import('./rules-command.ts');
      process.exitCode = await rulesCommand(options, console.log);
    });

  program
    .command('rblsmtpd')
    .description('The old program, for use under tcpserver: options as ever, then the program to run.')
    .helpOption(false)
    .allowUnknownOption()
    .passThroughOptions()
    .argument('[arguments...]')
    .action(async (args: string[]) => {
      const { rblsmtpd } = await import('./rblsmtpd.ts');
      await rblsmtpd(args, process.env);
    });
  withPlaces(
    program
      .command('spfquery')
      .description('The old program: the SPF result and the Received-SPF field that a client would get.'),
  )
    .allowUnknownOption()
    .passThroughOptions()
    .argument('[arguments...]', 'IP HELO SENDER [LOCALRULES [GUESSRULES [EXPLANATION]]]')
    .action(async (args: string[], options: PlaceOptions) => {
      const { spfquery } = await import('./spfquery.ts');
      process.exitCode = await spfquery(args, options, { print: console.log, complain: console.error });
    });
  withPlaces(
    program
      .command('probe')
      .description('Answer JSON requests, one a line on standard input; for test suites.'),
  ).action(async (options: PlaceOptions) => {
    const { probe } = await import('./probe.ts');
    await probe(process.stdin, process.stdout, options);
  });

  program
    .command('docs')
    .description('Print the reference pages from the program’s own tables into docs/.')
    .option('--check', 'write nothing; exit 1 when a page is not up to date', false)
    .action(async (options: { check: boolean }) => {
      const { docs } = await import('./docs.ts');
      process.exitCode = await docs(commands(), options.check, console.log);
    });
  return program;
}
