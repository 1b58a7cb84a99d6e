import type { RecordedFinding } from '../model/finding.ts';
import type { RecordedRecipient, VerdictRecord } from '../model/record.ts';
import { EVENTS } from '../model/record.ts';
import { STAGES } from '../model/stage.ts';
import { printable } from './printable.ts';
import { table } from './table.ts';

/**
 * A record for people, as lines of text: first one sentence that says what happened, then all that led to it. Strings
 * from outside are escaped (printable.ts), so that a record can be shown on a terminal.
 */
export function explainText(record: VerdictRecord): string {
  return [
    ...headline(record),
    '',
    ...facts(record),
    '',
    ...recipients(record),
    ...findings(record),
    ...settings(record),
  ].join('\n');
}

/**
 * A record for programs: JSON on one line, pure ASCII without control characters. Parsing it gives the record back
 * exactly, byte strings included.
 */
export function explainJson(record: VerdictRecord): string {
  return asciiJson(record);
}

/** JSON on one line, of characters that show themselves alone. Parsing it gives `value` back exactly. */
export function asciiJson(value: object): string {
  return JSON.stringify(value).replace(
    /[^ -~]/g,
    char => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** A record on one line, for lists: time, id, event, rule, client, sender, recipients, reply. */
export function explainLine(record: VerdictRecord): string {
  const [first, ...more] = record.recipients;
  const to =
    first === undefined ? '-' : `${angle(first.address)}${more.length > 0 ? ` +${more.length}` : ''}`;
  return [
    time(record.time),
    printable(record.id),
    printable(record.event),
    printable(record.rule ?? '-'),
    printable(record.client?.ip ?? 'local'),
    `${senderText(record.sender)} -> ${to}`,
    replyLines(record.reply)[0] ?? '',
  ].join('  ');
}

/** Epoch milliseconds as RFC 3339 in UTC; a number that is no date stays a number. */
export function time(ms: number): string {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? String(ms) : date.toISOString();
}

function headline(record: VerdictRecord): string[] {
  const because = record.rule === null ? '' : ` because of rule ${printable(record.rule)}`;
  const [first = '', ...rest] = replyLines(record.reply);
  if (first === '') return [`${whatHappened(record)}${because}.`];
  return [
    `${whatHappened(record)}${because}. The client read:`,
    `  ${first}`,
    ...rest.map(line => `  ${line}`),
  ];
}

function whatHappened(record: VerdictRecord): string {
  const refused = record.reply.startsWith('4') ? 'deferred (told to come again)' : 'refused';
  const count = record.recipients.length;
  const [only] = record.recipients;
  const whom = count === 1 && only !== undefined ? angle(only.address) : `${count} recipients`;
  const from = senderText(record.sender);
  switch (record.event) {
    case 'connection-refused':
      return `A connection from ${printable(record.client?.ip ?? 'this host')} was ${refused}`;
    case 'sender-refused':
      return record.sender === undefined
        ? `The client ${printable(record.client?.ip ?? 'on this host')} was ${refused} before MAIL`
        : `Mail from ${from} was ${refused}`;
    case 'recipient-refused':
      return `Mail from ${from} for ${whom} was ${refused} at RCPT`;
    case 'message-refused':
      return `A message from ${from} for ${whom} was ${refused}`;
    case 'message-accepted':
      return `A message from ${from} for ${whom} was accepted and passed on${split(record)}`;
    case 'message-held':
      return `A message from ${from} for ${whom} was held in the quarantine${split(record)}`;
    case 'message-discarded':
      return `A message from ${from} for ${whom} was accepted and thrown away`;
    case 'message-abandoned':
      return 'A message was taken back by whoever queued it, before its end';
    case 'quarantine-released':
      return `A held message from ${from} for ${whom} was released`;
    case 'quarantine-not-released':
      return `A held message from ${from} for ${whom} was to be released and is held still${split(record)}`;
    case 'quarantine-deleted':
      return `A held message from ${from} for ${whom} was deleted`;
    default:
      // Written by another version of Postern.
      return `Event ${printable(String(record.event satisfies never))}`;
  }
}

/** How many got what, when not all got the same. */
function split(record: VerdictRecord): string {
  const counts = new Map<string, number>();
  for (const { outcome } of record.recipients) counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
  if (counts.size < 2) return '';
  return ` (${[...counts].map(([outcome, count]) => `${count} ${printable(outcome)}`).join(', ')})`;
}

function facts(record: VerdictRecord): string[] {
  const { client, helo, tls } = record;
  const rows: [string, string][] = [
    ['event', `${printable(record.event)}: ${EVENTS[record.event] ?? 'not known to this version'}`],
    ['id', printable(record.id)],
    ['session', printable(record.sessionId)],
    ['time', `${time(record.time)}, took ${milliseconds(record.durationMs)} ms`],
    ['edge', printable(record.edge)],
  ];
  if (record.shadow !== undefined)
    rows.push(['shadow', `all this changed nothing; the old filter: ${printable(record.shadow)}`]);
  if (client === null) {
    rows.push(['client', 'none: handed over on this host']);
  } else {
    const name = client.reverseName === null ? 'no reverse name' : printable(client.reverseName);
    rows.push(['client', `${printable(client.ip)} port ${client.port} (${name})`]);
    rows.push(['connected to', `${printable(client.localIp)} port ${client.localPort}`]);
    if (client.ident !== null) rows.push(['ident', printable(client.ident)]);
  }
  if (record.caller !== undefined) {
    const { uid, gid, pid, ppid } = record.caller;
    rows.push(['caller', `postern-queue ${pid}, user ${uid}, group ${gid}, started by ${ppid}`]);
  }
  rows.push(['may relay', record.relayClient ? 'yes' : 'no']);
  rows.push(['HELO', helo === null ? 'none' : `${helo.verb} ${printable(helo.name)}`.trimEnd()]);
  rows.push(['TLS', tls === null ? 'none' : `${printable(tls.protocol)} ${printable(tls.cipher)}`]);
  rows.push(['sender', senderText(record.sender)]);
  if (record.messageId !== null) rows.push(['Message-ID', printable(record.messageId)]);
  if (record.subject) rows.push(['Subject', printable(record.subject)]);
  if (record.size !== null) rows.push(['size', `${record.size} bytes`]);
  if (record.crc32 !== null) rows.push(['CRC-32', printable(record.crc32)]);
  rows.push(['score', String(record.score)]);
  rows.push(['rule', record.rule === null ? 'none decided' : printable(record.rule)]);
  rows.push(['configuration', printable(record.configuration)]);
  return table(rows);
}

function recipients(record: VerdictRecord): string[] {
  if (record.recipients.length === 0) return [];
  const rows = record.recipients.map(recipient => [
    angle(recipient.address),
    printable(recipient.outcome ?? '-'),
    printable(recipient.verdict),
    printable(recipient.rule ?? '-'),
    recipient.hop === null ? '-' : printable(recipient.hop),
    recipient.hopReply === null ? '-' : printable(recipient.hopReply.trimEnd()),
    because(record, recipient),
  ]);
  const head = ['address', 'outcome', 'verdict', 'rule', 'next hop', 'it said', 'because'];
  return ['Recipients', ...table([head, ...rows], '  '), ''];
}

/** What was seen that decided for this recipient, and the recipient's own settings in force. */
function because(record: VerdictRecord, recipient: RecordedRecipient): string {
  const finding = record.findings.find(
    found =>
      found.rule === recipient.rule &&
      (found.state === 'hit' || found.state === 'error') &&
      (found.recipients?.includes(recipient.address) ?? true),
  );
  const own = (recipient.settings ?? []).map(
    ({ name, value, origin }) => `${printable(name)}=${printable(value)} (${printable(origin.place)})`,
  );
  const seen = [finding?.value, finding?.detail].flatMap(text =>
    text === undefined ? [] : [printable(text)],
  );
  return [...seen, ...own].join('; ') || '-';
}

function findings(record: VerdictRecord): string[] {
  if (record.findings.length === 0) return ['Findings: none', ''];
  const ordered = record.findings.toSorted((a, b) => STAGES.indexOf(a.stage) - STAGES.indexOf(b.stage));
  const rows = ordered.map(finding => [
    decided(record, finding) ? '>' : ' ',
    printable(finding.stage),
    printable(finding.rule),
    printable(finding.state),
    milliseconds(finding.ms),
    finding.recipients === undefined ? 'all' : finding.recipients.map(angle).join(' '),
    optional(finding.source),
    optional(finding.value),
    printable(finding.detail ?? '') + clientText(finding),
  ]);
  const head = [' ', 'stage', 'rule', 'state', 'ms', 'for', 'asked for in', 'value', 'detail'];
  // Most mail has one recipient, or settings that are the same for all of them.
  const forAll = record.findings.every(finding => finding.recipients === undefined);
  const columns = forAll ? [head, ...rows].map(row => row.toSpliced(5, 1)) : [head, ...rows];
  return ['Findings (> decided)', ...table(columns, ''), ''];
}

function decided(record: VerdictRecord, finding: RecordedFinding): boolean {
  if (finding.state !== 'hit' && finding.state !== 'error') return false;
  return finding.rule === record.rule || record.recipients.some(({ rule }) => rule === finding.rule);
}

function clientText(finding: RecordedFinding): string {
  return finding.text === undefined ? '' : ` (text for the client: ${printable(finding.text)})`;
}

function settings(record: VerdictRecord): string[] {
  if (record.settings.length === 0) return ['Settings: all as shipped'];
  const rows = record.settings.map(setting => [
    printable(setting.name),
    printable(setting.value),
    printable(setting.origin.place),
    printable(setting.origin.layer),
  ]);
  return ['Settings that are not as shipped', ...table([['name', 'value', 'where', 'layer'], ...rows], '  ')];
}

function senderText(sender: string | null | undefined): string {
  if (sender === undefined) return 'none yet';
  return sender === null ? '<> (null sender)' : angle(sender);
}

function angle(address: string): string {
  return `<${printable(address)}>`;
}

function optional(text: string | undefined): string {
  return text === undefined ? '-' : printable(text);
}

function milliseconds(ms: number): string {
  return ms.toFixed(1);
}

/** The lines of a reply, escaped one by one. */
function replyLines(reply: string): string[] {
  return reply
    .trimEnd()
    .split(/\r?\n/)
    .map(line => printable(line));
}
