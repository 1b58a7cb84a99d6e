import { NO_ACTIONS, parseActions, showActions } from './actions.ts';
import { classicInt, decimal, format, int, line, octal, oneOf, words } from './kinds.ts';
import { lines, nothing } from './list-kinds.ts';
import { parseRoutes } from './routes.ts';
import { EVERYWHERE, file } from './setting.ts';
import type { Setting } from './setting.ts';

/** Policy, next hops, the place behind qmail-smtpd, records and logs. */
export const HOUSE_SETTINGS = {
  // Policy
  checks: file(
    lines,
    ['all'],
    'pipeline',
    'Checks that run: `all`, `none`, or names of plugins, one a line. Relay control always runs.',
  ),
  actions: file(
    format('RULE:ACTION:REPLY', parseActions, showActions),
    NO_ACTIONS,
    'policy',
    'What each rule does. A site’s lines go on top of the shipped ones.',
  ),
  observe: {
    kind: words,
    builtIn: [],
    layers: EVERYWHERE,
    variables: ['OBSERVE'],
    usedBy: 'policy',
    doc: 'Rules that are recorded and do nothing; `all` for all of them but relay control (RCPTHOSTS, RELAY_PATH).',
  } as Setting<readonly string[]>,
  recipients: file(
    oneOf('each', 'strictest', 'last'),
    'each',
    'pipeline',
    'Whose settings a message with several recipients gets: each recipient its own; the strictest verdict for all; or, as simscan has it, one set for all, in which the sender’s record applies and the last recipient wins.',
  ),
  quarantinemode: {
    kind: oneOf('rule', 'refuse', 'quarantine', 'discard'),
    builtIn: 'rule',
    layers: EVERYWHERE,
    variables: ['QUARANTINEMODE'],
    usedBy: 'policy',
    doc: 'What the rules about messages do that quarantine, reject or discard: what `actions` says for each; or all of them refuse, all quarantine and answer 250 as qmail-scanner did, or all throw away.',
  } as Setting<'rule' | 'refuse' | 'quarantine' | 'discard'>,
  rejectscore: {
    kind: decimal('points'),
    builtIn: 0,
    layers: EVERYWHERE,
    variables: ['REJECTSCORE'],
    usedBy: 'policy',
    doc: 'Refuse from this score on; 0: never.',
  } as Setting<number>,
  quarantinescore: {
    kind: decimal('points'),
    builtIn: 0,
    layers: EVERYWHERE,
    variables: ['QUARANTINESCORE'],
    usedBy: 'policy',
    doc: 'Hold in the quarantine from this score on; 0: never.',
  } as Setting<number>,
  tagscore: {
    kind: decimal('points'),
    builtIn: 0,
    layers: EVERYWHERE,
    variables: ['TAGSCORE'],
    usedBy: 'policy',
    doc: 'Tag from this score on; 0: never.',
  } as Setting<number>,

  // Next hops
  smtproutes: file(
    format('DOMAIN:RELAY:PORT', parseRoutes, routes => `${[...routes.all()].length} routes`),
    nothing(parseRoutes),
    'next hops',
    'Where mail goes: qmail’s lines, with IPv6 in brackets; after a blank `lmtp`, `maildir` or `queue` (a program such as qmail-queue), `tls=off|opportunistic|required`.',
  ),
  timeoutconnect: file(classicInt('seconds'), 60, 'next hops', 'Limit on connecting to a next hop.'),
  timeoutremote: file(
    classicInt('seconds'),
    60,
    'next hops',
    'Limit on each answer of a next hop; four times that after the final dot, but `datatime` comes first.',
  ),
  recipientcache: file(
    int('seconds', 0, 86_400),
    60,
    'next hops',
    'How long a next hop’s “no such recipient” is remembered; 0: not.',
  ),

  // Behind qmail-smtpd
  queuesocket: file(
    line,
    '',
    'qmail',
    'Unix socket on which `postern-queue` (QMAILQUEUE) asks; relative paths begin at the state folder. Empty: none.',
  ),
  queuesocketmode: file(
    octal,
    0o666,
    'qmail',
    'Who may connect to it, as of chmod; whoever injects mail through `postern-queue` has to.',
  ),
  queuesocketowner: file(
    line,
    '',
    'qmail',
    '`user`, `user:group` or `:group` that the socket belongs to; empty: whoever runs Postern.',
  ),
  queueclients: file(
    int('programs', 1, 100_000),
    500,
    'qmail',
    'How many may ask at the same time, in each worker; the others hear that they should try again.',
  ),
  qmailqueue: {
    kind: line,
    builtIn: 'bin/qmail-queue',
    layers: EVERYWHERE,
    variables: ['QMAILQUEUE_NEXT', 'DKQUEUE', 'DKIMQUEUE'],
    usedBy: 'qmail',
    doc: 'Program that gets what passes, and what is released from the quarantine; relative paths begin at qmail’s home. Of several recipients with different ones, the first one’s.',
  } as Setting<string>,

  // Records and logs
  store: file(
    line,
    '',
    'journal',
    'The SQLite file of verdict records; default `postern.db` in the state folder.',
  ),
  retention: file(
    int('days', 1, 3650),
    30,
    'journal',
    'How long verdict records, which hold personal data, are kept.',
  ),
  quarantine: file(
    line,
    '',
    'quarantine',
    'Folder of held messages, a Maildir; default `quarantine` in the state folder.',
  ),
  quarantinedays: file(
    int('days', 1, 3650),
    30,
    'quarantine',
    'How long the contents of held messages are kept, released or not; envelope and record stay `retention` days longer.',
  ),
  diskfree: file(
    int('MiB', 0, 1024 * 1024),
    100,
    'smtp, quarantine',
    'Free space on the disks of quarantine and spool files below which DATA is answered with 452; 0: no limit.',
  ),
  logformat: file(
    oneOf('json', 'plain', 'simscan', 'qmail-scanner'),
    'json',
    'log',
    'JSON lines; plain `key=value` lines for multilog; or plain lines with those of simscan or qmail-scanner in place of ours where it would write one about a message, for programs that read its log.',
  ),
  loglevel: file(oneOf('error', 'warn', 'info', 'debug'), 'info', 'log', 'Least level that is written.'),
  draintime: file(int('seconds', 1, 3600), 30, 'serve', 'How long open sessions may go on after SIGTERM.'),
};
