import type { Complaints, Parse } from './complaints.ts';
import { shellWords } from './shell-words.ts';
import type { Word } from './shell-words.ts';

/** Both ends included; IPv4 addresses as unsigned 32-bit numbers. */
export interface CodeRange {
  readonly first: number;
  readonly last: number;
}

/** One `-r` or `-a` with the options in force where it stands. */
export interface DnsListSource {
  /** `-r` lists whom to refuse, `-a` whom to let in. */
  readonly kind: 'block' | 'allow';
  readonly zone: string;
  /** `-b`: 553, not 451. */
  readonly bounce: boolean;
  /** `-c`: who cannot be looked up is refused for now. */
  readonly failClosed: boolean;
  /** `codes=`: the A records that mean "listed"; null: any. */
  readonly codes: readonly CodeRange[] | null;
  /** `text=`: for the client in place of the list's TXT record; `%IP%` is the client's address. */
  readonly text: string | null;
  /** `score=`: a hit adds these points and refuses nobody. */
  readonly score: number | null;
  /** A hit is recorded and nothing else (`=zone` of dnsbllist). */
  readonly observe: boolean;
  /** `control/rbl:3`. */
  readonly place: string;
}

/** DNS lists in the order in which they are asked. */
export interface DnsLists {
  readonly sources: readonly DnsListSource[];
}

/** What rblsmtpd's command line says: run, or complain and show the usage. */
export type RblsmtpdArguments =
  | {
      readonly kind: 'run';
      readonly sources: readonly DnsListSource[];
      /** `-t`. */
      readonly timeoutSeconds: number;
      readonly program: readonly string[];
    }
  /** getopt's words, null when only the program is missing. */
  | { readonly kind: 'usage'; readonly problem: string | null };

const DEFAULT_TIMEOUT_S = 60;
/** 253 chars of a DNS name less the 32 nibbles of an IPv6 address and their dots. */
const MAX_ZONE = 189;
const ZONE = /^([a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}$/i;

/** Options so far: getopt's view of rblsmtpd, `bBcCt:r:a:`. */
interface Options {
  bounce: boolean;
  failClosed: boolean;
}

type List = Omit<DnsListSource, 'place' | 'codes' | 'text' | 'score' | 'observe'>;

interface OptionReader {
  list(list: List): void;
  timeout(seconds: number): void;
  problem(text: string): void;
}

/**
 * Reads the option cluster at `words[at]` (`-b`, `-bCr`, `-rzone`) as getopt(3) does and returns the index after it and
 * its argument. `-t` that begins with no digit is 0, as scan_ulong reads it.
 */
function readOption(words: readonly string[], at: number, options: Options, reader: OptionReader): number {
  const cluster = words[at] ?? '';
  for (let i = 1; i < cluster.length; i++) {
    const letter = cluster.charAt(i);
    if (letter === 'b' || letter === 'B') options.bounce = letter === 'b';
    else if (letter === 'c' || letter === 'C') options.failClosed = letter === 'c';
    else if (letter === 't' || letter === 'r' || letter === 'a') {
      const attached = cluster.slice(i + 1);
      const argument = attached === '' ? words[at + 1] : attached;
      if (argument === undefined) {
        reader.problem(`option requires an argument -- ${letter}`);
        return at + 1;
      }
      if (letter === 't') reader.timeout(Number(/^[0-9]*/.exec(argument)?.[0] ?? 0));
      else {
        const { bounce, failClosed } = options;
        reader.list({ kind: letter === 'r' ? 'block' : 'allow', zone: argument, bounce, failClosed });
      }
      return attached === '' ? at + 2 : at + 1;
    } else {
      reader.problem(`illegal option -- ${letter}`);
      return at + 1;
    }
  }
  return at + 1;
}

/** The arguments of the command `rblsmtpd` (without its own name), in order; stops at the first mistake. */
export function parseRblsmtpdArguments(argv: readonly string[]): RblsmtpdArguments {
  const options: Options = { bounce: false, failClosed: false };
  const sources: DnsListSource[] = [];
  let timeoutSeconds = DEFAULT_TIMEOUT_S;
  let problem: string | undefined;
  const reader: OptionReader = {
    list: list => {
      const place = `${list.kind === 'block' ? '-r' : '-a'} ${list.zone}`;
      sources.push({ ...list, codes: null, text: null, score: null, observe: false, place });
    },
    timeout: seconds => {
      timeoutSeconds = seconds;
    },
    problem: text => {
      problem ??= text;
    },
  };
  let at = 0;
  for (let word = argv[0]; word?.startsWith('-') && word !== '-'; word = argv[at]) {
    // djb's getopt takes any word that begins so for the end of the options.
    if (word.startsWith('--')) {
      at++;
      break;
    }
    at = readOption(argv, at, options, reader);
    if (problem !== undefined) return { kind: 'usage', problem };
  }
  const program = argv.slice(at);
  if (program.length === 0) return { kind: 'usage', problem: null };
  return { kind: 'run', sources, timeoutSeconds, program };
}

/**
 * The control file `rbl`: rblsmtpd's own options as they stand in a run script, one or several a line, quoted as in the
 * shell; an option holds for what follows it. After a list may stand `codes=127.0.0.2-11,127.0.1.2`, `text="…"` and
 * `score=2.5`, after an anti-list `codes=`.
 */
export const parseDnsLists: Parse<DnsLists> = (text, file, complaints) => {
  const options: Options = { bounce: false, failClosed: false };
  const sources: DnsListSource[] = [];
  for (const words of shellWords(text, file, complaints)) readLine(words, options, sources, file, complaints);
  return { sources };
};

function readLine(
  words: readonly Word[],
  options: Options,
  sources: DnsListSource[],
  file: string,
  complaints: Complaints,
): void {
  const texts = words.map(word => word.text);
  /** The list that words after it speak of. */
  let current: number | null = null;
  for (let at = 0; at < words.length; ) {
    const line = words[at]?.line ?? 0;
    const word = texts[at] ?? '';
    if (!word.startsWith('-') || word === '-') {
      const list = current === null ? undefined : sources[current];
      if (current !== null && list) sources[current] = withWord(list, word, file, line, complaints);
      else complaints.error(file, line, `"${word}" is neither an option of rblsmtpd nor a word after a list`);
      at++;
      continue;
    }
    current = null;
    at = readOption(texts, at, options, {
      list: list => {
        const zone = zoneOf(list.zone, file, line, complaints);
        if (zone === null) return;
        const place = `${file}:${line}`;
        current =
          sources.push({ ...list, zone, codes: null, text: null, score: null, observe: false, place }) - 1;
      },
      timeout: () =>
        complaints.warn(file, line, '-t means nothing here: refused clients stay in the ordinary session'),
      problem: problem => complaints.error(file, line, `${problem} (known: -b -B -c -C -t -r -a)`),
    });
  }
}

/** `list` with what one of the words after it says. */
function withWord(
  list: DnsListSource,
  word: string,
  file: string,
  line: number,
  complaints: Complaints,
): DnsListSource {
  const equals = word.indexOf('=');
  const key = equals < 0 ? word : word.slice(0, equals);
  const value = word.slice(equals + 1);
  if (equals >= 0 && key === 'codes') {
    const codes = value.split(',').map(codeRange);
    const good = codes.filter(range => range !== null);
    if (good.length === codes.length) return { ...list, codes: good };
    complaints.error(file, line, `"${value}" are no return codes such as 127.0.0.2-11,127.0.1.2`);
  } else if (list.kind === 'allow') {
    complaints.error(file, line, `"${word}" after the anti-list ${list.zone}: only codes= may stand there`);
  } else if (equals >= 0 && key === 'text') {
    return { ...list, text: value };
  } else if (equals >= 0 && key === 'score') {
    if (/^-?[0-9]{1,6}(\.[0-9]{1,4})?$/.test(value)) return { ...list, score: Number(value) };
    complaints.error(file, line, `score "${value}" is not a number such as 2 or 2.5`);
  } else {
    complaints.error(file, line, `"${word}" after a list: wanted codes=, text= or score=`);
  }
  return list;
}

/** `127.0.0.2`, `127.0.0.2-11` (last octet) or `127.0.0.2-127.0.0.11`. */
function codeRange(text: string): CodeRange | null {
  const [from = '', to, ...more] = text.split('-');
  const first = ipv4Number(from);
  if (first === null || more.length > 0) return null;
  const lastOctet = /^[0-9]{1,3}$/.test(to ?? '');
  const last = to === undefined ? first : ipv4Number(lastOctet ? from.replace(/[0-9]+$/, to) : to);
  return last === null || last < first ? null : { first, last };
}

function ipv4Number(text: string): number | null {
  if (!/^[0-9]{1,3}(\.[0-9]{1,3}){3}$/.test(text)) return null;
  const octets = text.split('.').map(Number);
  return octets.some(octet => octet > 255) ? null : octets.reduce((sum, octet) => sum * 256 + octet, 0);
}

/** A zone without its final dot, or null after a complaint. */
function zoneOf(text: string, file: string, line: number, complaints: Complaints): string | null {
  const zone = text.endsWith('.') ? text.slice(0, -1) : text;
  if (zone.length <= MAX_ZONE && ZONE.test(zone)) return zone;
  complaints.error(file, line, `"${text}" is no zone of a DNS list, such as bl.example.org`);
  return null;
}

/**
 * sagredo's control file `dnsbllist`, one list a line: `zone` (TXT record, 451), `-zone` (553), `zone:text` and
 * `zone:-text` (A record, text with `%IP%`), `+zone` (anti-list), `=zone` (only recorded).
 */
export const parseDnsblList: Parse<DnsLists> = (text, file, complaints) => {
  const sources: DnsListSource[] = [];
  text.split('\n').forEach((raw, index) => {
    const entry = raw.trim();
    if (entry === '' || entry.startsWith('#')) return;
    const line = index + 1;
    const mark = /^[-+=]/.exec(entry)?.[0] ?? '';
    const colon = entry.indexOf(':');
    const zone = zoneOf(
      (colon < 0 ? entry : entry.slice(0, colon)).slice(mark.length).trim(),
      file,
      line,
      complaints,
    );
    if (zone === null) return;
    const message = colon < 0 ? null : entry.slice(colon + 1).trim();
    if (message !== null && (mark === '+' || mark === '=')) {
      complaints.error(file, line, `"${mark}${zone}" takes no text`);
      return;
    }
    sources.push({
      kind: mark === '+' ? 'allow' : 'block',
      zone,
      bounce: mark === '-' || (message?.startsWith('-') ?? false),
      failClosed: false,
      codes: null,
      text: message?.startsWith('-') ? message.slice(1) : message,
      score: null,
      observe: mark === '=',
      place: `${file}:${line}`,
    });
  });
  return { sources };
};
