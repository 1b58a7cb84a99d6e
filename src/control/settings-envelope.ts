import { parseDnsLists, parseDnsblList } from './dns-lists.ts';
import { parseDomainList } from './domain-list.ts';
import { parseIpList } from './ip-list.ts';
import { classicInt, flag, format, line, oneOf, optionalLine, presence } from './kinds.ts';
import type { Kind } from './kinds.ts';
import { auto, domains, listOf, nothing, patterns, plain, regex, size } from './list-kinds.ts';
import { EVERYWHERE, client, file, variable } from './setting.ts';
import type { Setting } from './setting.ts';

/** What is checked before a message: the client, HELO, sender and recipients. */
export const ENVELOPE_SETTINGS = {
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
};
