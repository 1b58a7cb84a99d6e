import type { RecordedRecipient, VerdictRecord } from '../model/record.ts';
import { callerNumber, cut, plain } from './classic-fields.ts';

/** What qmail-scanner keeps of sender and recipient, of Subject and Message-ID, of the whole; bytes. */
const MAX_ADDRESS = 100;
const MAX_TEXT = 80;
const MAX_MESSAGE = 800;

/** What stands before the description of an event, for what qmail-scanner 2.x sorts its quarantine by. */
const CLASSES: ReadonlyMap<string, string> = new Map([
  ['QS_VIRUS', 'Virus'],
  ['SCORE', 'Spam'],
]);

/**
 * The lines that qmail-scanner writes for a message under `--log-details syslog`, each with LF: one for each recipient, as
 * it does. None for a message that was deferred, or refused before it was here.
 *
 *     qmail-scanner[PID]: STATUS SECONDS SIZE FROM RCPT SUBJECT MESSAGE-ID FILES
 *
 * The verdict at the beginning of STATUS is certain, `Clear:RC:0(IP):` (qmail-scanner.md 5; RC:1 is a client that may
 * relay), and which fields there are (8). Their order, lengths and replacements are those of the 1.2x script as its
 * offspring has them. What nobody has told, we chose: STATUS of what was refused, held or discarded is `Policy:`,
 * `Virus:` or `Spam:`, the description without blanks, `:RC:0(IP):`. The description is that of the rule in
 * quarantine-events.txt, else the rule's name.
 *
 * PID is `callerNumber`; IP is 127.0.0.1 when the message came over no network. SECONDS has 8 chars. Blanks become `_`, in
 * RCPT `|`, other bytes that are not printable ASCII `?`; what is empty or not known is `<>`. FILES is one, the message
 * itself: the event's id, `-unpacked:`, its size, so that `postern explain` finds it.
 */
export function qmailScannerLines(record: VerdictRecord): readonly string[] {
  const { size } = record;
  if (size === null || !record.event.startsWith('message-')) return [];
  const head = `qmail-scanner[${callerNumber(record)}]: `;
  const seconds = (record.durationMs / 1000).toFixed(6).slice(0, 8);
  const ends = [
    word(record.subject ?? '', '_', MAX_TEXT),
    word(record.messageId ?? '', '_', MAX_TEXT),
    `${word(record.id, '_', MAX_TEXT)}-unpacked:${size}`,
  ].join(' ');
  return record.recipients.flatMap(recipient => {
    const status = statusOf(record, recipient);
    if (status === null) return [];
    const from = word(record.sender ?? '', '_', MAX_ADDRESS);
    const to = word(recipient.address, '|', MAX_ADDRESS);
    return [`${head}${cut(`${status} ${seconds} ${size} ${from} ${to} ${ends}`, MAX_MESSAGE)}\n`];
  });
}

/** Null: nothing has been decided about this recipient, and the sender comes again. */
function statusOf(record: VerdictRecord, { outcome, rule, address }: RecordedRecipient): string | null {
  const tail = `:RC:${record.relayClient ? 1 : 0}(${plain(record.client?.ip ?? '127.0.0.1')}):`;
  switch (outcome) {
    case 'accepted':
    case 'delivered':
      return `Clear${tail}`;
    case 'deferred':
      return null;
    case 'held':
    case 'discarded':
    case 'refused': {
      const decided = rule ?? record.rule ?? 'unknown';
      const hit = record.findings.find(
        ({ rule: name, state, recipients }) =>
          name === decided && state === 'hit' && (recipients?.includes(address) ?? true),
      );
      const described = decided.startsWith('QS_') ? (hit?.text ?? decided) : decided;
      const description = cut(plain(described).replace(/ /g, ''), MAX_TEXT);
      return `${CLASSES.get(decided) ?? 'Policy'}:${description}${tail}`;
    }
  }
}

/** A field without blanks, never empty. */
function word(text: string, blank: string, length: number): string {
  return cut(plain(text.replace(/\s/g, blank)), length) || '<>';
}
