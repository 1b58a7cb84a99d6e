import { decimal, entries, flag, int, line, oneOf, yesNo } from './kinds.ts';
import { scannerFault } from './network-entries.ts';
import { EVERYWHERE, file, later, MiB } from './setting.ts';
import type { Setting } from './setting.ts';

const addresses = entries('/path/to/socket, HOST:PORT or [IPv6]:PORT, one a line', scannerFault);

/** Virus scanner and scoring engines. */
export const SCANNER_SETTINGS = {
  // Viruses
  clamd: file(
    addresses,
    [],
    'clam',
    'Where clamd listens; several are tried in turn. Without any, nobody looks for viruses.',
  ),
  clam: {
    kind: yesNo,
    builtIn: true,
    layers: EVERYWHERE,
    variables: ['CLAM'],
    usedBy: 'clam',
    doc: 'Scan for viruses, where `clamd` says with whom. With a simcontrol, as simscan: only where it says so.',
  } as Setting<boolean>,
  clamtime: file(int('seconds', 1, 600), 60, 'clam', 'Limit on one virus scan.'),
  clamscans: file(
    int('scans', 1, 1000),
    10,
    'clam',
    'Virus scans at the same time, in each worker; clamd has 10 threads (MaxThreads) as it comes.',
  ),
  clambytes: file(
    int('bytes', 1024, 4096 * MiB),
    100 * MiB,
    'clam',
    'Largest message that is sent to clamd (StreamMaxLength of clamd.conf); a larger one is the rule CLAM_SIZE.',
  ),
  clamattachments: file(
    oneOf('no', 'doubtful', 'all'),
    'doubtful',
    'clam',
    'Which files of a clean message clamd is shown once more, decoded and by themselves: those that it may have missed (readers of mail differ on them, or they lie in uuencoded text or TNEF), or all.',
  ),
  clamfiles: file(
    int('files', 1, 100_000),
    100,
    'clam',
    'Files of one message that are shown to clamd by themselves, of `clambytes` bytes together; what is beyond is the rule CLAM_SIZE.',
  ),
  virusname: file(
    flag,
    false,
    'clam',
    'The reply to a virus tells its name, as simscan’s with custom-smtp-reject.',
  ),

  // Scores
  spamd: file(
    addresses,
    [],
    'spam',
    'Where spamd (SpamAssassin) listens; several are tried in turn. Without any, and without `rspamd`, nobody scores.',
  ),
  rspamd: file(
    addresses,
    [],
    'spam',
    'Where an Rspamd worker (normal or proxy) listens, in place of `spamd`.',
  ),
  rspamdcontroller: file(addresses, [], 'learn', 'Where Rspamd’s controller listens, which learns.'),
  rspamdpassword: file(line, '', 'learn', 'Password of Rspamd’s controller.'),
  spam: {
    kind: yesNo,
    builtIn: true,
    layers: EVERYWHERE,
    variables: ['SPAM'],
    usedBy: 'spam',
    doc: 'Have the message scored, where `spamd` or `rspamd` says by whom. With a simcontrol, as simscan: only where it says so.',
  } as Setting<boolean>,
  spam_hits: {
    kind: decimal('points'),
    builtIn: 0,
    layers: EVERYWHERE,
    variables: ['SPAM_HITS'],
    usedBy: 'spam',
    doc: 'Refuse from this score on, whatever the engine’s own threshold. 0: refuse what the engine calls spam, unless `spam_passthru`.',
  } as Setting<number>,
  spam_passthru: {
    kind: yesNo,
    builtIn: false,
    layers: EVERYWHERE,
    variables: ['SPAM_PASSTHRU'],
    usedBy: 'spam',
    doc: 'With `spam_hits` 0: deliver spam, marked.',
  } as Setting<boolean>,
  spamuser: {
    kind: line,
    builtIn: '',
    layers: EVERYWHERE,
    variables: ['SPAMUSER'],
    usedBy: 'spam',
    doc: 'Whose SpamAssassin preferences count.',
  } as Setting<string>,
  spamuserfor: file(
    oneOf('one', 'group'),
    'one',
    'spam',
    'Use `spamuser` for messages with one recipient only, as simscan; or for each group of recipients with the same settings.',
  ),
  spamcuser: file(
    flag,
    false,
    'spam',
    'Without `spamuser`, the only recipient is the user (simscan’s spamc-user).',
  ),
  spamrelayclients: file(
    flag,
    false,
    'spam',
    'Have mail of relay clients and logged-in users scored, too (simscan’s spam-auth-user).',
  ),
  size_limit: {
    kind: int('bytes', 0, 1024 * MiB),
    builtIn: 250_000,
    layers: EVERYWHERE,
    variables: ['SIZE_LIMIT'],
    usedBy: 'spam',
    doc: 'A message of so many bytes or more is not scored; 0: every message is.',
  } as Setting<number>,
  spamtime: file(int('seconds', 1, 600), 30, 'spam', 'Limit on scoring a message.'),
  spamscans: file(
    int('scans', 1, 1000),
    10,
    'spam',
    'Messages that are scored at the same time, in each worker; spamd has 5 children as it comes.',
  ),
  spamscore: file(
    flag,
    false,
    'spam',
    'Add the engine’s score to that of our own rules, for `rejectscore`, `quarantinescore` and `tagscore`.',
  ),
  spamheaders: file(
    flag,
    true,
    'spam',
    'Add X-Spam-Flag, X-Spam-Status, X-Spam-Score, X-Spam-Level and X-Spam-Report to what was scored; those that came from outside are taken out first.',
  ),

  // Both
  dropmsg: file(
    flag,
    false,
    'clam, spam',
    'Throw refused spam and viruses away and answer 250, as simscan’s dropmsg.',
  ),
  quarantinedir: file(
    line,
    '',
    'spam',
    'Folder that gets a copy of each refused spam, as simscan’s quarantinedir; relative paths begin at the state folder.',
  ),
  scannertest: file(
    flag,
    true,
    'serve',
    'At start and every hour, see whether clamd finds EICAR and the scoring engine GTUBE; the log says so when they do not.',
  ),
  trophie: later(yesNo, false, 'The Trophie scanner, which no longer exists.'),
};
