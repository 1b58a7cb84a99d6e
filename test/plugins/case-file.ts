/** One case of a file in test/cases/ (see the README there). */
export interface RuleCase {
  readonly name: string;
  readonly place: string;
  readonly client: string;
  readonly helo: string | null;
  /** null: the null sender. */
  readonly from: string | null;
  readonly recipients: readonly string[];
  /** `qmail`: the mail comes from postern-queue. */
  readonly edge: string;
  /** Bytes before the banner. */
  readonly early: number;
  readonly control: Readonly<Record<string, string>>;
  /** `NAME TYPE` to an answer: texts or addresses, or `fails`. */
  readonly dns: ReadonlyMap<string, readonly string[] | 'fails'>;
  /** Rules that must hit (or fail); all others must not. */
  readonly expect: readonly string[];
  /** How the answer to the mail begins; null: not looked at. */
  readonly says: string | null;
  /** CRLF lines, unless the case says `lines lf`. */
  readonly message: string;
  /** What is done to it, in order: `dkim DOMAIN SELECTOR tag=value`, `append TEXT`. */
  readonly changes: readonly string[];
  /** What clamd says: `clean`, a name, or `error FAULT`. */
  readonly virus: string;
  /** The same about files that it is shown by themselves. */
  readonly filevirus: string;
  /** What the scoring engine says: `POINTS THRESHOLD RULES`, or `error FAULT`. */
  readonly score: string;
}

/** Words that change the message: see test/plugins/changed-mail.ts. */
const CHANGES: readonly string[] = ['dkim', 'domainkeys', 'arc', 'put', 'append'];

const MESSAGE = 'From: a@example.net\nDate: Thu, 1 Jan 1970 00:00:00 +0000\n\nbody\n';

/** Reads a case file; throws an Error that names the line when it cannot. */
export function parseCases(text: string, file: string): RuleCase[] {
  const cases: RuleCase[] = [];
  const lines = text.split('\n');
  for (let at = 0; at < lines.length; ) {
    if (!lines[at]?.startsWith('== ')) {
      if (lines[at] !== '' && !lines[at]?.startsWith('#')) {
        throw new Error(`${file}:${at + 1}: wanted "== NAME", which begins a case`);
      }
      at++;
      continue;
    }
    let end = at + 1;
    while (end < lines.length && !lines[end]?.startsWith('== ')) end++;
    cases.push(parseCase(lines.slice(at, end), `${file}:${at + 1}`));
    at = end;
  }
  return cases;
}

function parseCase([title = '', ...lines]: readonly string[], place: string): RuleCase {
  const blank = lines.indexOf('');
  const body = blank < 0 ? '' : lines.slice(blank + 1).join('\n');
  const control: Record<string, string> = {};
  const dns = new Map<string, readonly string[] | 'fails'>();
  const recipients: string[] = [];
  const changes: string[] = [];
  const said: Record<string, string> = {};
  let expect: readonly string[] | null = null;
  for (const line of blank < 0 ? lines : lines.slice(0, blank)) {
    const [, word = '', rest = ''] = /^([a-z]+) ?(.*)$/.exec(line) ?? [];
    const [, name = '', value = ''] = /^([a-z._-]+): ?(.*)$/.exec(rest) ?? [];
    const [host = '', type = '', ...answer] = rest.split(' ');
    if (line.startsWith('#')) continue;
    else if (word === 'control') control[name] = name in control ? `${control[name]}\n${value}` : value;
    else if (word === 'dns') dns.set(`${host} ${type}`, answer[0] === 'fails' ? 'fails' : [answer.join(' ')]);
    else if (word === 'rcpt') recipients.push(rest);
    else if (CHANGES.includes(word)) changes.push(line);
    else if (word === 'expect') expect = rest.split(' ').filter(rule => rule !== '');
    else if (
      ['client', 'helo', 'from', 'edge', 'early', 'lines', 'says', 'virus', 'filevirus', 'score'].includes(
        word,
      )
    )
      said[word] = rest;
    else throw new Error(`${place}: what is "${line}"?`);
  }
  if (expect === null) throw new Error(`${place}: no "expect" line`);
  return {
    name: title.slice(3),
    place,
    client: said['client'] ?? '192.0.2.1',
    helo: said['helo'] === 'none' ? null : (said['helo'] ?? 'client.example'),
    from: said['from'] === '<>' ? null : (said['from'] ?? 'a@example.net'),
    recipients: recipients.length > 0 ? recipients : ['b@example.com'],
    edge: said['edge'] ?? 'smtp',
    early: Number(said['early'] ?? '0'),
    control,
    dns,
    changes,
    virus: said['virus'] ?? 'clean',
    filevirus: said['filevirus'] ?? 'clean',
    score: said['score'] ?? '0.1 5 NONE',
    expect,
    says: said['says'] ?? null,
    message: (body.trim() === '' ? MESSAGE : `${body.replace(/\n*$/, '')}\n`).replaceAll(
      '\n',
      said['lines'] === 'lf' ? '\n' : '\r\n',
    ),
  };
}
