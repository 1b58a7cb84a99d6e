import type { Configuration } from '../../control/configuration.ts';

/** What a newcomer can try next, when nothing but the shipped configuration is in use. */
export function firstSteps(address: string, configuration: Configuration): string[] {
  const { me } = configuration.site.values;
  return [
    '',
    `The shipped example configuration (rules/) is in force: ${me} takes mail for example.com and puts it into var/Maildir.`,
    'Try a message that is accepted, then one that is refused:',
    '',
    `  swaks --server ${address} --from you@example.net --to me@example.com`,
    `  swaks --server ${address} --from you@example.net --to me@elsewhere.example`,
    '',
    'Every refusal ends in an id in brackets. To see why it was refused:',
    '',
    '  bin/postern explain ID',
    '',
    'Your own configuration: npm start -- --control /var/qmail/control   (README.md goes on from here)',
    '',
  ];
}
