/**
 * Variables of the environment that postern-queue tells of when they are set, besides those that set a setting of ours:
 * what tcp-environ(5) and its successors define, the common patches of qmail-smtpd, qmail-inject, and the queue programs
 * that may stand in a chain.
 */
export const TOLD_VARIABLES: readonly (readonly [whose: string, names: readonly string[]])[] = [
  [
    'tcp-environ(5), ucspi-tcp and ucspi-ssl',
    [
      'PROTO',
      'TCPLOCALHOST',
      'TCPLOCALIP',
      'TCPLOCALPORT',
      'TCPREMOTEHOST',
      'TCPREMOTEINFO',
      'TCPREMOTEIP',
      'TCPREMOTEPORT',
      'SSL_CIPHER',
      'SSL_PROTOCOL',
      'TLS',
    ],
  ],
  [
    'qmail-smtpd and its patches',
    ['AUTHINFO', 'HELO', 'RECIPIENT', 'REMOTE_USER', 'SENDER', 'SMTPAUTHUSER', 'SMTPHELO'],
  ],
  ['qmail-inject', ['MAILHOST', 'MAILUSER', 'QMAILHOST', 'QMAILNAME', 'QMAILUSER']],
  ['the chain of queue programs, and the filters in it', ['QMAILQUEUE', 'QS_SPAMASSASSIN', 'SIMSCAN_DEBUG']],
];

/** The list as postern-queue is compiled with it (native/environment.h); `ours` are the variables of our settings. */
export function environmentHeader(ours: readonly string[]): string {
  const groups = [
    ...TOLD_VARIABLES,
    ['settings that a line of tcp.smtp may give to one client', ours] as const,
  ];
  const lines = groups.flatMap(([whose, names]) => [
    `  /* ${whose} */`,
    ...names.toSorted().map(name => `  "${name}",`),
  ]);
  return `/* Printed by \`npm run docs\` from src/qmail/environment.ts and the table of settings; do not edit by hand.
 *
 * Names of the environment variables that postern-queue tells the daemon about, when they are set. Names only: what they
 * mean is the daemon's business.
 */
#ifndef POSTERN_ENVIRONMENT_H
#define POSTERN_ENVIRONMENT_H

static const char *const ENVIRONMENT[] = {
${lines.join('\n')}
};

#endif
`;
}
