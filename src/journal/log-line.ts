import type { VerdictRecord } from '../model/record.ts';

/** multilog and splogger look no further than this many bytes of a line (logging.md 8). */
const MAX_LINE = 999;
/** Recipients named in a line; explain knows all of them. */
const MAX_RECIPIENTS = 5;
/** Bytes of the reason for a temporary refusal: the path of a file, or what a library says. */
const MAX_REASON = 300;

/** The fields of a record's log line, in a fixed order. */
export function recordFields(record: VerdictRecord): Record<string, string | number> {
  const fields: Record<string, string | number> = { id: record.id };
  if (record.sessionId !== record.id) fields['session'] = record.sessionId;
  // All that follows changed nothing.
  if (record.shadow !== undefined) fields['shadow'] = record.shadow;
  fields['client'] = record.client?.ip ?? '-';
  if (record.client?.reverseName) fields['host'] = record.client.reverseName;
  if (record.helo) fields['helo'] = record.helo.name;
  if (record.tls) fields['tls'] = record.tls.protocol;
  if (record.sender !== undefined) fields['from'] = record.sender ?? '<>';
  if (record.recipients.length > 0) {
    const named = record.recipients.slice(0, MAX_RECIPIENTS).map(r => r.address);
    const more = record.recipients.length - named.length;
    fields['to'] = named.join(',') + (more > 0 ? `,+${more}` : '');
  }
  if (record.size !== null) fields['size'] = record.size;
  if (record.messageId !== null) fields['mid'] = record.messageId;
  const hits = record.findings.filter(f => f.state === 'hit' || f.state === 'error');
  if (hits.length > 0) {
    fields['found'] = [...new Set(hits.map(f => (f.state === 'error' ? `${f.rule}?` : f.rule)))].join(',');
  }
  if (record.score !== 0) fields['score'] = record.score;
  if (record.rule !== null) fields['rule'] = record.rule;
  const hop = record.recipients.find(r => r.hop !== null);
  if (hop?.hop) fields['hop'] = hop.hop;
  if (hop?.hopReply) fields['said'] = hop.hopReply;
  fields['reply'] = record.reply;
  fields['ms'] = record.durationMs;
  const why = record.reply.startsWith('4') ? reason(record) : '';
  if (why !== '') fields['why'] = why;
  return fields;
}

/** Why the client has to come again, which may be for the operator to mend: what the rule that decided has found. */
function reason({ rule, findings }: VerdictRecord): string {
  const decided = findings.find(f => f.rule === rule && (f.state === 'hit' || f.state === 'error'));
  return decided?.detail?.slice(0, MAX_REASON) ?? '';
}

/**
 * `event key=value …` with LF, in at most 1000 bytes. Values with blanks are quoted; bytes that could end the line or
 * play with a terminal become `?`. Never begins with `@`, which would be taken for a time stamp.
 */
export function plainLine(event: string, fields: Readonly<Record<string, string | number>>): string {
  let line = event;
  for (const [key, value] of Object.entries(fields)) {
    const text = String(value).replace(/[^\x20-\x7e]/g, '?');
    line += ` ${key}=${/[ "=]/.test(text) || text === '' ? `"${text.replace(/["\\]/g, '?')}"` : text}`;
  }
  return `${line.length > MAX_LINE ? `${line.slice(0, MAX_LINE - 3)}...` : line}\n`;
}
