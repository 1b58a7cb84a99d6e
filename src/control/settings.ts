import type { Layer } from '../model/origin.ts';
import { NO_ACTIONS, parseActions, showActions } from './actions.ts';
import { parseAddressList } from './address-list.ts';
import { attachList, parseAttachValue, parseSsattach } from './attach-list.ts';
import type { DkimKeys } from './dkim-keys.ts';
import { parseDkimKeys, parseKeyPath } from './dkim-keys.ts';
import {
  parseDkimExpire,
  parseDkimIdentity,
  parseDkimSignOptions,
  showDkimSignOptions,
} from './dkim-sign-options.ts';
import { parseArcKey } from './arc-key.ts';
import { parseDnsblList, parseDnsLists } from './dns-lists.ts';
import { parseDomainList } from './domain-list.ts';
import { parseIpList } from './ip-list.ts';
import type { Kind } from './kinds.ts';
import {
  classicInt,
  decimal,
  entries,
  flag,
  format,
  int,
  line,
  oneOf,
  octal,
  optional,
  optionalLine,
  presence,
  words,
  yesNo,
} from './kinds.ts';
import { dnsServerFault, listenFault, networkFault } from './network-entries.ts';
import { addLinePatterns, parseLinePatternFile, parseLinePatterns } from './line-patterns.ts';
import type { LinePatterns } from './line-patterns.ts';
import { parseQuarantineEvents } from './quarantine-events.ts';
import { listEntries } from './readers.ts';
import { parsePatternList } from './pattern.ts';
import { parseRoutes } from './routes.ts';
import { verifyLetters } from './verify-letters.ts';

/** One row of the table: everything there is to know of a setting. Its name is its key in the table and its file. */
export interface Setting<T> {
  readonly kind: Kind<T>;
  readonly builtIn: T;
  /** Which layers may set it, besides the built-in value. */
  readonly layers: readonly Layer[];
  /** Variables of tcp.smtp that set it; the first is the one to recommend. */
  readonly variables: readonly string[];
  readonly usedBy: string;
  readonly doc: string;
  /** Older or other names under which the control file may stand. */
  readonly alsoFiles?: readonly string[];
  /** For a list that grows from record to record of simcontrol, where other values replace each other. */
  add?(before: T, more: T): T;
}

const FILES: readonly Layer[] = ['default', 'site'];
const CLIENT: readonly Layer[] = ['default', 'site', 'client'];
const EVERYWHERE: readonly Layer[] = ['default', 'site', 'client', 'recipient'];
const RECIPIENT: readonly Layer[] = ['recipient'];

function file<T>(
  kind: Kind<T>,
  builtIn: T,
  usedBy: string,
  doc: string,
  alsoFiles?: readonly string[],
): Setting<T> {
  return { kind, builtIn, layers: FILES, variables: [], usedBy, doc, ...(alsoFiles ? { alsoFiles } : {}) };
}

function client<T>(
  kind: Kind<T>,
  builtIn: T,
  variables: readonly string[],
  usedBy: string,
  doc: string,
): Setting<T> {
  return { kind, builtIn, layers: CLIENT, variables, usedBy, doc };
}

/** Set by tcp.smtp alone; a file of that name means nothing. */
function variable<T>(kind: Kind<T>, builtIn: T, name: string, usedBy: string, doc: string): Setting<T> {
  return { kind, builtIn, layers: ['client'], variables: [name], usedBy, doc };
}

/** A key of simcontrol whose scanner is not part of this release: read and checked, so that a file can stay as it is. */
function later<T>(kind: Kind<T>, builtIn: T, doc: string): Setting<T> {
  return { kind, builtIn, layers: RECIPIENT, variables: [], usedBy: 'read, not used yet', doc };
}

const size = (list: { readonly size: number }) => `${list.size} entries`;
const listOf = <T extends { readonly size: number }>(syntax: string, parse: Kind<T>['file']) =>
  format(syntax, parse as never, size) as Kind<T>;
const nothing = <T>(parse: (text: string, file: string, complaints: never) => T): T =>
  parse('', '', undefined as never);

const addresses = (form: 'plain' | 'regex' | 'auto') => ({
  kind: listOf(
    form === 'regex' ? 'POSIX expressions, one a line' : 'addresses, one a line',
    parseAddressList(form),
  ),
  none: nothing(parseAddressList(form)),
});
const plain = addresses('plain');
const auto = addresses('auto');
const regex = addresses('regex');
const patterns = {
  kind: listOf('POSIX expressions, one a line', parsePatternList),
  none: nothing(parsePatternList),
};
const domains = {
  kind: listOf('domains, one a line; `.example.com` is all below it', parseDomainList),
  none: null,
};
const lines: Kind<readonly string[]> = {
  ...words,
  syntax: 'one a line',
  file: (text, name, complaints) => listEntries(text, name, complaints).map(entry => entry.text),
  value: null,
  show: list => list.join(' ') || 'none',
};

/** undefined: not set; null: never. */
const expiry: Kind<number | null | undefined> = {
  ...optional<number | null | undefined>('seconds, or `-`', parseDkimExpire),
  show: seconds => (seconds === undefined ? 'unset' : String(seconds ?? '-')),
};

const MiB = 1024 * 1024;

/**
 * Every setting there is. The parsers of configuration, `postern config`, the settings page and "did you mean" all
 * read this table. Classic names keep the classic meaning and syntax (control-files.md); the rest follow their style.
 */
export const SETTINGS = {
  // Who we are
  me: file(line, '', 'everybody', 'Our host name. Without it, the name the system gives.'),
  smtpgreeting: client(
    optionalLine,
    null,
    ['SMTPGREETING'],
    'smtp',
    'Text of the banner after 220; default `me`.',
  ),
  localiphost: file(
    optionalLine,
    null,
    'recipients',
    'Domain that stands for `user@[our own address]`; default `me`.',
  ),
  helohost: file(optionalLine, null, 'next hops', 'The name we give to next hops; default `me`.'),
  envnoathost: file(optionalLine, null, 'recipients', 'Domain for recipients without `@`; default `me`.'),

  // Listening and limits
  listen: file(
    entries('IP:PORT or [IPv6]:PORT, one a line; or none', listenFault),
    ['127.0.0.1:2525'],
    'smtp',
    'Addresses to listen on for SMTP; `none` where Postern only stands behind qmail-smtpd.',
  ),
  workers: file(int('processes', 0, 256), 0, 'serve', 'Worker processes; 0 is one a core.'),
  proxyfrom: file(
    entries('addresses or networks (CIDR), one a line', networkFault),
    [],
    'smtp',
    'Clients whose connections begin with a PROXY header, v1 or v2.',
  ),
  concurrencyincoming: file(
    classicInt('connections'),
    500,
    'smtp',
    'Connections at a time, all clients together.',
  ),
  concurrencyperclient: client(
    int('connections', 1, 1_000_000),
    20,
    ['CONCURRENCYPERCLIENT', 'MAXCONNIP'],
    'smtp',
    'Connections at a time from one client: one IPv4 address or one IPv6 /64. One more gets 421.',
  ),
  greetdelay: client(
    classicInt('seconds'),
    0,
    ['GREETDELAY', 'SMTPD_GREETDELAY'],
    'smtp',
    'Wait before the banner, to see who talks first. 0: no wait, and no test.',
  ),
  timeoutsmtpd: client(
    classicInt('seconds'),
    300,
    ['TIMEOUTSMTPD'],
    'smtp',
    'Idle limit for each read; 0 counts as 1.',
  ),
  sessiontime: client(
    int('seconds', 10, 86_400),
    1800,
    ['SESSIONTIME'],
    'smtp',
    'Limit on a whole session; a message in transfer may finish under `datarate`.',
  ),
  datarate: client(
    int('bytes a second', 0, 1_000_000_000),
    500,
    ['DATARATE'],
    'smtp',
    'Slowest DATA allowed, averaged after the first 30 seconds; 0: any.',
  ),
  datatime: client(
    int('seconds', 1, 3600),
    240,
    ['DATATIME'],
    'pipeline',
    'Limit on checks and next hop together, after the final dot.',
  ),
  harderrors: client(
    int('errors', 0, 10_000),
    15,
    ['HARDERRORS'],
    'smtp',
    'Refused or bad commands in a session before it is closed with 421; 0: no limit.',
  ),
  maxmessages: client(
    int('messages', 0, 1_000_000),
    100,
    ['MAXMESSAGES'],
    'smtp',
    'Messages in one session, then 421; 0: no limit.',
  ),
  commandlength: file(int('bytes', 512, 65_536), 2048, 'smtp', 'Longest command line, CRLF included.'),
  databytes: client(
    classicInt('bytes'),
    50 * MiB,
    ['DATABYTES'],
    'smtp',
    'Largest message, counted as qmail stores it (LF line ends). 0: no limit.',
  ),
  headerbytes: file(
    int('bytes', 4096, 16 * MiB),
    256 * 1024,
    'smtp, headers',
    'Header block looked at; a longer one is the rule HEADER_TOO_BIG.',
  ),
  headerfields: file(
    int('fields', 10, 100_000),
    2000,
    'headers',
    'Header fields allowed; more is the rule HEADER_TOO_BIG.',
  ),
  mimedepth: file(
    int('levels', 1, 1000),
    64,
    'mime',
    'How deep entities may be nested; deeper is the rule MIME_DEPTH.',
  ),
  mimeparts: file(
    int('parts', 1, 100_000),
    2000,
    'mime',
    'Parts of a message that are taken apart; more is the rule MIME_PARTS.',
  ),
  archivedepth: file(
    int('levels', 1, 100),
    8,
    'archives',
    'How deep archives in archives are opened; deeper is the rule ARCHIVE_LIMIT, as with the three below.',
  ),
  archiveentries: file(
    int('entries', 1, 1_000_000),
    5000,
    'archives',
    'Entries looked at in all archives of a message together.',
  ),
  archivebytes: file(
    int('bytes', 0, 16 * 1024 * MiB),
    200 * MiB,
    'archives',
    'Bytes unpacked from all archives of a message together.',
  ),
  archiveratio: file(
    int('to one', 1, 1_000_000),
    200,
    'archives',
    'How many times its packed size an entry may unpack to.',
  ),
  maxhops: file(
    int('hops', 1, 1000),
    50,
    'hops',
    'Received fields allowed before a message counts as looping.',
  ),
  spoolbytes: file(
    int('bytes', 0, 64 * MiB),
    256 * 1024,
    'smtp',
    'Bytes of a message kept in memory; the rest goes to an unlinked file in `spooldir`.',
  ),
  spooldir: file(line, '', 'smtp', 'Folder for spool files; default the state folder.'),
  linebreaks: client(
    oneOf('refuse', 'normalise'),
    'refuse',
    ['LINEBREAKS'],
    'smtp',
    'What to do with bare CR, bare LF and NUL in a message: refuse it (550), or turn CR and LF into CRLF and drop NUL.',
  ),
  requirehelo: client(
    flag,
    false,
    ['REQUIREHELO'],
    'smtp',
    'MAIL needs HELO or EHLO first (qmail-smtpd does not ask for it).',
  ),
  refuseat: client(
    oneOf('rcpt', 'stage'),
    'rcpt',
    ['REFUSEAT'],
    'pipeline',
    'When a refusal found at connect, HELO or MAIL is spoken: at RCPT, or at its own stage.',
  ),
  deny: file(
    oneOf('close', 'banner'),
    'close',
    'smtp',
    'What a `deny` line of tcp.smtp does: close without a word as tcpserver does, or answer 554.',
  ),
  replies: file(
    oneOf('enhanced', 'classic'),
    'enhanced',
    'smtp',
    'Replies with enhanced status and event id, or bare as qmail-smtpd gave them.',
  ),
  tlscert: file(
    line,
    '',
    'smtp',
    'PEM file with the certificate chain, and the key unless `tlskey` names one; qmail’s is `servercert.pem`. Without it, no STARTTLS. Read again when it changes.',
  ),
  tlskey: file(line, '', 'smtp', 'PEM file with the private key; default the file `tlscert`.'),

  // Clients
  tcpsmtp: file(
    line,
    '',
    'connections',
    'The tcp.smtp file, text or .cdb; default `tcp.smtp` in the control directory when there is one. A .cdb beside the text wins, as it was live. Read again when it changes.',
  ),
  reversename: file(
    oneOf('auto', 'yes', 'no'),
    'auto',
    'connections',
    'Look up the client’s reverse name: always, never, or when a line of tcp.smtp needs it.',
  ),
  ident: file(
    int('seconds', 0, 30),
    0,
    'connections',
    'How long to wait for an RFC 1413 answer, for `user@` lines of tcp.smtp; 0: do not ask.',
  ),
  relayclient: variable(
    optionalLine,
    null,
    'RELAYCLIENT',
    'rcpthosts',
    'Set, even empty: the client may send to any domain; the value is appended to each recipient.',
  ),
  dnsservers: file(
    entries('IP or IP:PORT, one a line', dnsServerFault),
    [],
    'dns',
    'DNS servers; default the system’s.',
  ),
  dnstimeout: file(
    int('milliseconds', 100, 60_000),
    3000,
    'dns',
    'Limit on one DNS question; it is asked twice.',
  ),

  // Connection checks
  rbl: file(
    format('options of rblsmtpd', parseDnsLists, lists => `${lists.sources.length} lists`),
    nothing(parseDnsLists),
    'rbl',
    'DNS lists in the words of rblsmtpd: `-r`, `-a`, `-b`, `-B`, `-c`, `-C` in order; with `codes=`, `text=`, `score=` after a list.',
  ),
  dnsbllist: file(
    format('zones, one a line', parseDnsblList, lists => `${lists.sources.length} lists`),
    nothing(parseDnsblList),
    'rbl',
    'DNS lists in the syntax of sagredo’s qmail-smtpd.',
  ),
  rblsmtpd: variable(
    optionalLine,
    null,
    'RBLSMTPD',
    'rbl',
    'Empty: no DNS lists for this client. Text: defer with it; `-text`: reject with it.',
  ),
  iplist: file(
    listOf('rbldns or rbldnsd data', parseIpList),
    nothing(parseIpList),
    'iplist',
    'Addresses refused without asking DNS, in the format of rbldns or rbldnsd.',
  ),

  // Envelope checks
  badhelo: file(patterns.kind, patterns.none, 'badhelo', 'Refused HELO names.'),
  nobadhelo: variable(
    presence,
    false,
    'NOBADHELO',
    'badhelo',
    'Set to anything: `badhelo` is not used for this client.',
  ),
  badmailfrom: file(
    auto.kind,
    auto.none,
    'badmailfrom',
    'Refused envelope senders: an address, `@domain`, `.domain`, or a line with `^ $ * [ ( | \\ ?` or a leading `!` as a POSIX expression.',
  ),
  badmailfromnorelay: file(
    regex.kind,
    regex.none,
    'badmailfrom',
    'As `badmailfrom`, but not for relay clients; always expressions.',
  ),
  badmailto: file(regex.kind, regex.none, 'badmailto', 'Refused recipients, as expressions.'),
  badmailtonorelay: file(regex.kind, regex.none, 'badmailto', 'As `badmailto`, but not for relay clients.', [
    'badrcpttonorelay',
  ]),
  badrcptto: file(
    plain.kind,
    plain.none,
    'badmailto',
    'Refused recipients: an address or `@domain`; not for relay clients.',
  ),
  rcpthosts: file(
    format('domains, one a line; `.example.com` is all below it', parseDomainList, list =>
      list === null ? 'missing' : size(list),
    ) as Kind<ReturnType<typeof parseDomainList> | null>,
    domains.none as ReturnType<typeof parseDomainList> | null,
    'rcpthosts',
    'Domains that mail is accepted for. Missing: Postern does not start, unless `openrelay` says yes.',
  ),
  morercpthosts: file(
    format('domains, text or .cdb', parseDomainList, list =>
      list === null ? 'missing' : size(list),
    ) as Kind<ReturnType<typeof parseDomainList> | null>,
    null as ReturnType<typeof parseDomainList> | null,
    'rcpthosts',
    'More of `rcpthosts`; the .cdb of qmail-newmrh when there is one.',
  ),
  openrelay: file(
    flag,
    false,
    'rcpthosts',
    'Start without `rcpthosts` and accept mail for every domain from anybody.',
  ),
  maxrcpt: client(
    classicInt('recipients'),
    1000,
    ['MAXRCPT'],
    'maxrcpt',
    'RCPT commands in one transaction, refused ones included; 0: no limit.',
  ),
  tarpitcount: client(
    classicInt('recipients'),
    0,
    ['TARPITCOUNT'],
    'tarpit',
    'From this accepted recipient on, each answer waits; 0: never.',
  ),
  tarpitdelay: client(classicInt('seconds'), 5, ['TARPITDELAY'], 'tarpit', 'How long it waits.'),
  spfbehavior: {
    kind: classicInt('level'),
    builtIn: 0,
    layers: EVERYWHERE,
    variables: ['SPFBEHAVIOR'],
    usedBy: 'spf',
    doc: 'Which SPF results are refused: 0 no check, 1 a Received-SPF field only, 2 DNS failures for now, 3 fail, 4 softfail, 5 neutral, 6 everything but pass; each with what stands before it.',
  } as Setting<number>,
  spfrules: client(
    line,
    '',
    ['SPFRULES'],
    'spf',
    'SPF terms that are tried just before the failing `all` of a sender’s record.',
  ),
  spfguess: client(
    line,
    '',
    ['SPFGUESS'],
    'spf',
    'SPF terms for senders whose domain has no record, such as `a/24 mx/24 ptr`; `spfrules` follow.',
  ),
  spfexp: client(
    line,
    '',
    ['SPFEXP'],
    'spf',
    'Text for clients that are refused when the domain has no text of its own, with SPF macros; empty: that of the old patch.',
  ),
  spfheader: file(
    oneOf('classic', 'rfc7208'),
    'classic',
    'spf',
    'The Received-SPF field in the words of the qmail patch, or in those of RFC 7208 9.1.',
  ),

  // Sender authentication: signatures and policies
  dkimverify: {
    kind: verifyLetters,
    builtIn: null,
    layers: CLIENT,
    variables: ['DKIMVERIFY'],
    usedBy: 'dkim',
    doc: 'Verify DKIM signatures. Letters as qmail-dkim has them say which results are refused (upper case) or deferred (lower case); none of them: only told. `-`: do not verify.',
  } as Setting<string | null>,
  dkimsignatures: file(
    int('signatures', 1, 100),
    10,
    'dkim',
    'DKIM signatures of a message that are looked at, from the top; more are only counted (DKIM_MANY).',
  ),
  dkimminbits: file(
    int('bits', 512, 8192),
    1024,
    'dkim, arc',
    'Shortest RSA key that a signature counts with (RFC 8301: 1024).',
  ),
  dkverify: {
    kind: verifyLetters,
    builtIn: null,
    layers: CLIENT,
    variables: ['DKVERIFY'],
    usedBy: 'domainkeys',
    doc: 'Verify DomainKeys (RFC 4870), which DKIM has replaced. Letters as qmail-dk has them, `DEGIJKfh`; the meaning of a letter is another one than with `dkimverify`. Empty: only told. `-`: do not verify.',
  } as Setting<string | null>,
  dkearlyexits: file(
    flag,
    false,
    'domainkeys',
    'With any `dkverify`, refuse messages without From or with a malformed signature, and defer at DNS trouble and bad keys, whatever its letters: as qmail-dk 0.54 did.',
  ),
  dkstatus: file(
    flag,
    true,
    'domainkeys',
    'Add the DomainKey-Status field of qmail-dk where `dkverify` is set.',
  ),
  dmarc: {
    kind: flag,
    builtIn: false,
    layers: EVERYWHERE,
    variables: ['DMARC'],
    usedBy: 'dmarc',
    doc: 'Look whether SPF or DKIM agree with the From domain and what its owner asks for otherwise (RFC 9989); what is done about it stands in `actions`.',
  } as Setting<boolean>,
  arc: {
    kind: flag,
    builtIn: false,
    layers: CLIENT,
    variables: ['ARC'],
    usedBy: 'arc',
    doc: 'Verify the ARC chain of forwarded mail (RFC 8617).',
  } as Setting<boolean>,
  arctrusted: file(
    format('domains, one a line; `.example.com` is all below it', parseDomainList, list =>
      list === null ? 'none' : size(list),
    ) as Kind<ReturnType<typeof parseDomainList> | null>,
    domains.none as ReturnType<typeof parseDomainList> | null,
    'dmarc',
    'Sealers (`d=` of ARC-Seal) that are believed: where all in a valid chain are listed and the first saw DMARC pass, a DMARC failure is overridden.',
  ),
  arcseal: file(
    optional('DOMAIN:PATH', parseArcKey, ({ domain, path }) => `${domain}:${path}`),
    null,
    'pipeline',
    'Seal mail that passes with ARC, in the name of DOMAIN and with the private key at PATH, whose file name is the selector.',
  ),
  authresults: file(
    flag,
    true,
    'pipeline',
    'Add an Authentication-Results field (RFC 8601) with `me` as its name.',
  ),
  authlookups: file(
    int('look-ups', 1, 1000),
    50,
    'dkim, domainkeys, dmarc, arc',
    'DNS look-ups that the signatures of one message may cost, and its policies once more; SPF has its own limits.',
  ),
  authtime: file(
    int('seconds', 1, 60),
    20,
    'dkim, domainkeys, dmarc, arc',
    'Limit on these look-ups together; what is not known then counts as a DNS failure.',
  ),

  // Signing what relay clients send
  dkimsign: client(
    optional('path of a key', parseKeyPath),
    null,
    ['DKIMSIGN', 'DKIMKEY'],
    'sign',
    'Sign mail of relay clients, logged-in users and this host with DKIM: path of the private key, in which `%` stands for the domain in From. The name of the file is the selector. Without the file, mail goes out unsigned where there is a `%`, and waits where there is none.',
  ),
  dkimkeys: file(
    format<DkimKeys | null>('DOMAIN:PATH:VARIABLE=VALUE,…', parseDkimKeys, keys =>
      keys === null ? 'none' : `${keys.size} lines`,
    ),
    null as DkimKeys | null,
    'sign',
    'Keys by domain, which come before `dkimsign`: qmail-dkim’s file. `.example.com` signs for all below it as example.com.',
  ),
  dkimsignoptions: client(
    optional('-c, -x, -z, -i, -t, -q', parseDkimSignOptions, showDkimSignOptions),
    null,
    ['DKIMSIGNOPTIONS'],
    'sign',
    'How DKIM signatures are made, in qmail-dkim’s words: canonical form, hash and key type, expiry (a week), identity.',
  ),
  dkimidentity: client(
    optional('user@domain or @domain', parseDkimIdentity),
    null,
    ['DKIMIDENTITY'],
    'sign',
    '`i=` of DKIM signatures, where it belongs to the domain that signs.',
  ),
  dkimexpire: client(
    expiry,
    undefined as number | null | undefined,
    ['DKIMEXPIRE'],
    'sign',
    'How long DKIM signatures are good for; `-`: for ever.',
  ),
  dkimsignextra: client(
    optional('path of a key', parseKeyPath),
    null,
    ['DKIMSIGNEXTRA'],
    'sign',
    'Key of a second DKIM signature beside the first: Ed25519 beside RSA.',
  ),
  dkimsignoptionsextra: client(
    optional('-c, -x, -z, -i, -t, -q', parseDkimSignOptions, showDkimSignOptions),
    null,
    ['DKIMSIGNOPTIONSEXTRA'],
    'sign',
    'How the second one is made; else as the first.',
  ),
  excludedkimsign: client(
    words,
    [] as readonly string[],
    ['EXCLUDE_DKIMSIGN'],
    'sign',
    'Fields that are not signed; From always is.',
  ),
  dksign: client(
    optional('path of a key', parseKeyPath),
    null,
    ['DKSIGN'],
    'sign',
    'Sign the same mail with DomainKeys (RFC 4870), as qmail-dk: path of the private RSA key, in which `%` stands for the domain in Sender or From.',
  ),
  dkcomment: client(
    flag,
    false,
    ['DKCOMMENT'],
    'sign',
    'With the Comment field that qmail-dk put above its signature.',
  ),

  // Content checks
  quarantineevents: file(
    format(
      'NAME or EXPRESSION, TAB, SIZE= or Policy-HEADER:, TAB, description',
      parseQuarantineEvents,
      rules => `${rules.size} rules`,
    ),
    nothing(parseQuarantineEvents),
    'events',
    'Rules of qmail-scanner for attachments and headers. A site’s own file replaces the shipped one, which stands beside `rules/`.',
    ['quarantine-events.txt', 'quarantine-attachments.txt'],
  ),
  attach: {
    kind: {
      syntax: 'ends of names, one a line; joined by `:` in simcontrol',
      file: parseSsattach,
      value: parseAttachValue,
      show: list => list.patterns.map(pattern => Buffer.from(pattern).toString('latin1')).join(':') || 'none',
    },
    builtIn: attachList([]),
    layers: ['default', 'site', 'recipient'],
    variables: [],
    usedBy: 'attach',
    doc: 'Refused attachment names, by their ends: simscan’s list. In simcontrol, a list replaces the one before it.',
    alsoFiles: ['ssattach'],
  } as Setting<ReturnType<typeof attachList>>,
  attacharchives: {
    kind: flag,
    builtIn: true,
    layers: EVERYWHERE,
    variables: ['ATTACHARCHIVES'],
    usedBy: 'attach',
    doc: 'Compare names inside archives with `attach`, too; simscan did not see them.',
  } as Setting<boolean>,
  regex: {
    kind: {
      syntax: 'expressions, one a line; joined by `:` in simcontrol',
      file: parseLinePatternFile,
      value: parseLinePatterns,
      show: list => list.map(one => one.source).join(':') || 'none',
    },
    builtIn: [],
    layers: ['default', 'site', 'recipient'],
    variables: [],
    usedBy: 'regex',
    doc: 'Expressions that refuse a message when one matches a line of it. In simcontrol, each list goes behind the one before it.',
    add: addLinePatterns,
  } as Setting<LinePatterns>,

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

  // simcontrol keys whose scanners come later
  clam: later(yesNo, false, 'Scan for viruses.'),
  spam: later(yesNo, false, 'Ask SpamAssassin.'),
  spam_hits: later(decimal('points'), 0, 'Refuse from this SpamAssassin score on.'),
  spam_passthru: later(yesNo, false, 'Deliver spam, marked.'),
  trophie: later(yesNo, false, 'The Trophie scanner, which no longer exists.'),
  spamuser: later(line, '', 'User whose SpamAssassin preferences apply.'),
  size_limit: later(int('bytes', 0, 1024 * MiB), 250_000, 'Largest message that SpamAssassin sees.'),
};

type ValueOf<S> = S extends Setting<infer T> ? T : never;

export type SettingName = keyof typeof SETTINGS;

/** The value of every setting, as checks and edges read them. */
export type SettingValues = { readonly [N in SettingName]: ValueOf<(typeof SETTINGS)[N]> };

/** Values may have any type here; for code that treats all settings alike. */
export type AnySetting = Setting<unknown>;

export const SETTING_NAMES = Object.keys(SETTINGS) as SettingName[];

/** The values of a site that sets nothing, without the shipped files either. */
export const BUILT_IN = Object.fromEntries(
  SETTING_NAMES.map(name => [name, SETTINGS[name].builtIn]),
) as unknown as SettingValues;

/** The row of `name`, when there is one. */
export function settingNamed(name: string): AnySetting | null {
  return Object.hasOwn(SETTINGS, name) ? SETTINGS[name as SettingName] : null;
}
