import type { VerdictRecord } from '../model/record.ts';
import { callerNumber, cut, plain, settingOf } from './classic-fields.ts';

/** Bytes of a line without its LF: multilog and splogger look no further (logging.md 8). */
const MAX_LINE = 999;

/** Bytes of a subject, a file name, an address; simscan itself stops at 499 of an address. */
const MAX_FIELD = 200;

/** Rules about file names, whoever has asked for them: what simscan calls ATTACH. */
const FILE_RULES: ReadonlySet<string> = new Set(['ATTACH', 'ATTACH_ARCHIVED', 'QS_ATTACHMENT']);

/**
 * The line that simscan 1.4.1 writes for a message (simscan.md 10), with LF, or null when simscan would have written
 * none and there is none that would be true: a message deferred, refused by a rule that simscan has nothing like, or
 * refused before it was here.
 *
 *     simscan:[PPID]:STATE (HITS/REQUIRED/LIMIT):T.TTTTs:SUBJECT:IP:FROM:TO1,TO2
 *     simscan:[PPID]:STATE:T.TTTTs:NAME:IP:FROM:TO1,TO2
 *
 * | STATE | written when | NAME or SUBJECT |
 * | --- | --- | --- |
 * | CLEAN | accepted | Subject |
 * | SPAM PASS | accepted, and the score reaches `tagscore` | Subject |
 * | RELAYCLIENT | accepted from a client that may relay | `-` |
 * | SPAM REJECT | refused for its score | Subject |
 * | SPAM DROPPED | held or discarded for its score: the sender read 250 | Subject |
 * | ATTACH | refused, held or discarded for the name of a file | the name |
 * | REGEX | refused, held or discarded for a line | `#N` |
 *
 * HITS is our score, REQUIRED `tagscore`, LIMIT `rejectscore` or, where none is set, REQUIRED. A message that simscan
 * looks at for viruses or attachments alone gets no line from it when it is clean; from us it gets CLEAN. PPID is
 * `callerNumber`. IP is `(null)` when the message came over no network, as simscan has it. Of a message whose recipients
 * got different answers, the line is that of the strictest.
 *
 * What is not known is empty. Bytes that are not printable ASCII become `?`. A colon in a subject becomes `_`, as with
 * simscan; with us also in names and addresses, and a comma in a recipient, so that a reader can split the line. An IPv6
 * address keeps its colons, as simscan prints it: all other fields around it have none. Long lists of recipients end
 * with the last whole one that fits into 1000 bytes.
 */
export function simscanLine(record: VerdictRecord): string | null {
  const ending = endingOf(record);
  if (ending === null) return null;
  const seconds = (record.durationMs / 1000).toFixed(4);
  const ip = record.client?.ip ?? '(null)';
  const head =
    `simscan:[${callerNumber(record)}]:${ending.state}:${seconds}s:${field(ending.name)}:` +
    `${cut(plain(ip), MAX_FIELD)}:${address(record.sender ?? '')}:`;
  return `${withRecipients(head, record)}\n`;
}

interface Ending {
  readonly state: string;
  readonly name: string;
}

/** State and name for the record's end; null when simscan knows no such end. */
function endingOf(record: VerdictRecord): Ending | null {
  const { event, rule, size, subject } = record;
  if (size === null) return null;
  const scored = (state: string) => ({ state: `${state} ${scores(record)}`, name: subject ?? '' });
  if (event === 'message-accepted') {
    if (record.relayClient) return { state: 'RELAYCLIENT', name: '-' };
    const tag = settingOf(record, 'tagscore');
    return scored(tag > 0 && record.score >= tag ? 'SPAM PASS' : 'CLEAN');
  }
  const refused = event === 'message-refused' && record.reply.startsWith('5');
  if (!refused && event !== 'message-held' && event !== 'message-discarded') return null;
  if (rule === 'SCORE') return scored(refused ? 'SPAM REJECT' : 'SPAM DROPPED');
  const hit = record.findings.find(finding => finding.rule === rule && finding.state === 'hit');
  if (rule === 'REGEX') return { state: 'REGEX', name: hit?.text ?? '' };
  return rule !== null && FILE_RULES.has(rule) ? { state: 'ATTACH', name: hit?.value ?? '' } : null;
}

function scores(record: VerdictRecord): string {
  const required = settingOf(record, 'tagscore');
  const limit = settingOf(record, 'rejectscore') || required;
  return `(${[record.score, required, limit].map(number => number.toFixed(2)).join('/')})`;
}

function field(text: string): string {
  return cut(plain(text).replaceAll(':', '_'), MAX_FIELD);
}

function address(text: string): string {
  return field(text.toLowerCase());
}

/** As many recipients as fit, at least one. */
function withRecipients(head: string, { recipients }: VerdictRecord): string {
  let line = head;
  for (const [i, recipient] of recipients.entries()) {
    const next = `${i === 0 ? '' : ','}${address(recipient.address).replaceAll(',', '_')}`;
    if (line.length + next.length > MAX_LINE) break;
    line += next;
  }
  return line;
}
