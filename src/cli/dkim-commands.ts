import type { Command } from 'commander';
import { Option } from 'commander';
import type { DkimCheckOptions } from './dkim-check.ts';
import type { KeygenOptions } from './dkim-keygen.ts';
import type { PlaceOptions } from './places.ts';

const OUTPUT = { print: console.log, complain: console.error };

/** The commands of `postern dkim`, put below `parent`. What a command needs is loaded when it runs. */
export function dkimCommands(parent: Command, withPlaces: (command: Command) => Command): void {
  parent
    .command('keygen')
    .description(
      'Make a key for signing, OUT/DOMAIN/SELECTOR, and print the DNS record to publish; exit 1 when nothing was written.',
    )
    .argument('<domain>', 'the domain in From, or one above it')
    .argument('[selector]', 'name of the file, and of the record', 'default')
    .addOption(
      new Option('--rsa <bits>', 'an RSA key of 1024 to 8192 bits (default: 2048)').conflicts('ed25519'),
    )
    .option('--ed25519', 'an Ed25519 key; few verifiers know them, so sign with RSA too', false)
    .option('--out <dir>', 'the folder of keys', '/etc/domainkeys')
    .option('--force', 'replace the key that is there; its owner and group stay', false)
    .action(async (domain: string, selector: string, options: KeygenOptions) => {
      const { dkimKeygen } = await import('./dkim-keygen.ts');
      process.exitCode = await dkimKeygen(domain, selector, options, OUTPUT);
    });

  withPlaces(
    parent
      .command('check')
      .description(
        'Look whether the key that DNS has for a selector belongs to the private key. Exit 0: they agree; 1: wrong call or configuration; 2: they differ; 3: revoked; 4: no record; 5: a record that is not readable; 6: no private key; 7: a private key that is not readable; 8: no answer from DNS.',
      ),
  )
    .argument('<domain>', 'the domain that signs')
    .argument('<selector>', 'the selector')
    .option(
      '--key <path>',
      'the private key, `%` stands for the domain (default: what the control files say, then /etc/domainkeys/DOMAIN/SELECTOR)',
    )
    .action(async (domain: string, selector: string, options: PlaceOptions & DkimCheckOptions) => {
      const { dkimCheck } = await import('./dkim-check.ts');
      process.exitCode = await dkimCheck(domain, selector, options, OUTPUT);
    });
}
