import type { SpfQuestion, SpfResult } from '../model/spf.ts';
import type { SpfTroubleKind } from './spf-lookups.ts';
import { CLASSIC_WORDS } from './spf-words.ts';

/** What the field tells. Byte strings from outside; they are cleaned here. */
export interface ReceivedSpf {
  readonly result: SpfResult;
  /** What went wrong, for the two errors. */
  readonly trouble: { readonly kind: SpfTroubleKind; readonly problem: string } | null;
  /** Which name was looked at (RFC 7208 2.3, 2.4). */
  readonly identity: 'helo' | 'mailfrom';
  /** Its domain. */
  readonly domain: string;
  /** Whose record decided; null: local policy. */
  readonly source: string | null;
  /** The term that decided, for the form of RFC 7208. */
  readonly term: string | null;
}

type Asked = Pick<SpfQuestion, 'ip' | 'helo' | 'sender' | 'receiver' | 'header'>;

/** RFC 5322 2.1.1, without the CRLF. */
const MAX_LINE = 998;
/** So that three names and an address fit on a line. */
const MAX_NAME = 200;
const MAX_TERM = 100;

/**
 * The Received-SPF field, one line with CRLF, of printable ASCII whatever the client said. `classic`: the words of
 * qmail-spf rc5 (`unknown`, `error`); `rfc7208`: the words and pairs of RFC 7208 9.1, pairs that do not fit left out.
 */
export function receivedSpf(about: ReceivedSpf, asked: Asked): string {
  const comment = commentOf(about, asked);
  if (asked.header === 'classic') {
    const unknown = about.trouble?.kind === 'mechanism' ? ` ${clean(about.trouble.problem, MAX_TERM)}` : '';
    return `Received-SPF: ${CLASSIC_WORDS[about.result]}${unknown} (${comment})\r\n`;
  }
  const { result, trouble, term } = about;
  const pairs: (readonly [name: string, value: string])[] = [
    ['identity', about.identity],
    ['client-ip', asked.ip],
    ['envelope-from', asked.sender],
    ['helo', asked.helo],
    ['receiver', asked.receiver],
    ['mechanism', term ?? (result === 'neutral' ? 'default' : '')],
    ['problem', trouble?.problem ?? ''],
  ];
  let line = `Received-SPF: ${about.result} (${comment})`;
  let separator = ' ';
  for (const [name, value] of pairs) {
    const pair = `${separator}${name}=${quoted(value)}`;
    if (value === '' || line.length + pair.length > MAX_LINE) continue;
    line += pair;
    separator = '; ';
  }
  return `${line}\r\n`;
}

/** The text in parentheses, as rc5 words it; what rc5 does not know (limits) in words like them. */
function commentOf({ result, trouble, domain, source }: ReceivedSpf, { ip, receiver }: Asked): string {
  const me = clean(receiver, MAX_NAME) || 'unknown';
  const record = source === null ? 'local policy' : `SPF record at ${clean(source, MAX_NAME)}`;
  const about = clean(domain, MAX_NAME);
  switch (result) {
    case 'pass':
      return `${me}: ${record} designates ${ip} as permitted sender`;
    case 'fail':
      return `${me}: ${record} does not designate ${ip} as permitted sender`;
    case 'softfail':
      return `${me}: transitioning ${record} does not designate ${ip} as permitted sender`;
    case 'neutral':
      return `${me}: ${ip} is neither permitted nor denied by ${record}`;
    case 'none':
      return `${me}: domain at ${about} does not designate permitted sender hosts`;
    case 'temperror':
      return `${me}: error in processing during lookup of ${about}: DNS problem`;
    case 'permerror':
      switch (trouble?.kind) {
        case 'no record':
          return `${me}: domain at ${about} does not designate permitted sender hosts`;
        case 'mechanism':
          return `${me}: ${record} uses mechanism not recognized by this client`;
        case 'address':
          return `${me}: No IP address in conversation`;
        case 'many records':
          return `${me}: Multiple SPF records returned`;
        case 'limit':
          return `${me}: ${record} exceeds a limit, ${clean(trouble.problem, MAX_NAME)}`;
        case 'syntax':
        case 'dns':
        case undefined:
          return `${me}: parse error in ${record}`;
      }
  }
}

/** Printable ASCII that can stand in a comment; everything else becomes `?`. */
function clean(text: string, limit: number): string {
  return text.slice(0, limit).replace(/[^\x20-\x7e]|[()\\]/g, '?');
}

/** A dot-atom as it is, everything else as a quoted-string (RFC 5322 3.2.3, 3.2.4). */
function quoted(value: string): string {
  const text = value.slice(0, MAX_NAME).replace(/[^\x20-\x7e]/g, '?');
  if (/^[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~]+(?:\.[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~]+)*$/.test(text)) return text;
  return `"${text.replace(/["\\]/g, '\\$&')}"`;
}
