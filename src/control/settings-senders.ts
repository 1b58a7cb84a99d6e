import { parseArcKey } from './arc-key.ts';
import { parseDkimKeys, parseKeyPath } from './dkim-keys.ts';
import type { DkimKeys } from './dkim-keys.ts';
import {
  parseDkimExpire,
  parseDkimIdentity,
  parseDkimSignOptions,
  showDkimSignOptions,
} from './dkim-sign-options.ts';
import { parseDomainList } from './domain-list.ts';
import { flag, format, int, optional, words } from './kinds.ts';
import type { Kind } from './kinds.ts';
import { domains, size } from './list-kinds.ts';
import { CLIENT, EVERYWHERE, client, file } from './setting.ts';
import type { Setting } from './setting.ts';
import { verifyLetters } from './verify-letters.ts';

/** undefined: not set; null: never. */
const expiry: Kind<number | null | undefined> = {
  ...optional<number | null | undefined>('seconds, or `-`', parseDkimExpire),
  show: seconds => (seconds === undefined ? 'unset' : String(seconds ?? '-')),
};

/** Signatures and policies of senders, and signing what our own send. */
export const SENDER_SETTINGS = {
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
};
