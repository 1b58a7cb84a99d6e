import type { ScanEnvelope } from '../model/scan.ts';

/** Longest value of one header, bytes. */
const VALUE_LIMIT = 1000;
/** All recipients together, bytes: rspamd 3.4 refuses a request whose headers go over 80 KiB. */
const RECIPIENTS_LIMIT = 32 * 1024;

export interface RspamdRequest {
  /** Exact number of message bytes that will follow. */
  readonly size: number;
  /** Whose settings and statistics count, a byte string; null: none is named. */
  readonly user: string | null;
  readonly envelope?: ScanEnvelope;
  /** The worker's password; null: none is sent. */
  readonly password: string | null;
}

/**
 * The headers of a request to rspamd 3.4 (rspamd.com, "Rspamd protocol"). A value that could end its header line, or
 * that is too long, is left out; of very many recipients the first are sent.
 *
 * The user goes as `Deliver-To`. rspamd's own `User` header means something else: the sender's SMTP AUTH name, for
 * which rspamd spares a message half of its checks.
 */
export function rspamdHeaders(request: RspamdRequest): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = { 'Content-Length': String(request.size) };
  const set = (name: string, value: string | null | undefined): void => {
    const clean = cleanValue(value ?? '');
    if (clean !== null) headers[name] = clean;
  };
  set('Password', request.password);
  set('Deliver-To', request.user);
  const { clientIp, helo, sender, recipients = [], authenticated, id } = request.envelope ?? {};
  set('IP', clientIp);
  set('Helo', helo);
  set('User', authenticated);
  set('Queue-Id', id);
  if (sender !== undefined) set('From', `<${sender}>`);
  const sent = withinLimit(recipients.map(r => cleanValue(`<${r}>`)).filter(r => r !== null));
  if (sent.length > 0) headers.Rcpt = sent;
  return headers;
}

/** Null for a value that is empty, too long or has control characters in it. */
function cleanValue(value: string): string | null {
  const trimmed = value.trim();
  if (trimmed === '' || trimmed.length > VALUE_LIMIT) return null;
  return /^[\x20-\x7e\x80-\xff]+$/.test(trimmed) ? trimmed : null;
}

function withinLimit(values: readonly string[]): string[] {
  let total = 0;
  return values.filter(value => (total += value.length) <= RECIPIENTS_LIMIT);
}
