import type { ScanError, ScannerFault } from '../model/scan.ts';
import type { SpamdScanVerb } from './spamd-request.ts';

/** What spamd says about a message. */
export interface SpamdVerdict {
  readonly kind: 'scored';
  /** Its own verdict: the one to go by, since the numbers are rounded to one decimal. */
  readonly spam: boolean;
  /** May be negative. */
  readonly score: number;
  readonly threshold: number;
  /** Rule names, report, header block or message, by verb; empty for CHECK. */
  readonly body: Buffer;
}

/** What TELL has done. */
export interface SpamdTold {
  readonly kind: 'told';
  /** The data bases that have learned, `local`, `remote`; none: nothing was changed. */
  readonly set: readonly string[];
  readonly removed: readonly string[];
}

/** Longest line of an answer's head, and most of them. A status line quotes what spamd disliked. */
const LINE_LIMIT = 2048;
const HEAD_LIMIT = 16 * 1024;
/** How much of foreign text goes into an explanation. */
const SHOWN = 200;

interface Head {
  readonly kind: 'head';
  /** Text after the code. */
  readonly text: string;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Buffer;
}

/**
 * Reads the whole answer, up to the end of the connection, to one of the scanning verbs. Any version is taken: spamd
 * 4.0.1 answers 1.1 to 1.5 and 1.0 with errors. Faults: `cut` when bytes are missing, `failed` when spamd reports an
 * error, `garbage` for all else; `why` does not name the scanner. Half an answer is never a verdict: where the verb has a body its length must be said and
 * right.
 */
export function readSpamdVerdict(bytes: Buffer, verb: SpamdScanVerb): SpamdVerdict | ScanError {
  const head = readHead(bytes);
  if (head.kind === 'error') return head;
  const body = verb === 'CHECK' ? emptyBody(head) : measuredBody(head);
  if (!Buffer.isBuffer(body)) return body;
  const value = head.headers.get('spam');
  if (value === undefined) return fault('garbage', 'answered without a Spam header');
  const match =
    /^(true|yes|false|no)\s*;\s*(-?\d{1,9}(?:\.\d{1,9})?)\s*\/\s*(-?\d{1,9}(?:\.\d{1,9})?)$/i.exec(value);
  if (match === null) return fault('garbage', `answered "Spam: ${shown(value)}"`);
  const [, word = '', score = '', threshold = ''] = match;
  return {
    kind: 'scored',
    spam: /^[ty]/i.test(word),
    // Adding 0 makes 0 of -0, which spamd writes for a score that rounds to it.
    score: Number(score) + 0,
    threshold: Number(threshold) + 0,
    body,
  };
}

/**
 * Rule names out of the body of an answer to SYMBOLS, in spamd's order, the last one included. Null when it is no such
 * list. Below SPAMC/1.3 the list ends in CR LF.
 */
export function spamdRules(body: Buffer): readonly string[] | null {
  const text = body.toString('latin1').trim();
  if (text === '') return [];
  const names = text.split(',').map(name => name.trim());
  return names.every(name => /^[!-~]{1,200}$/.test(name)) ? names : null;
}

/** Reads the whole answer to TELL. `failed` when learning is not allowed, with what to do about it. */
export function readSpamdTold(bytes: Buffer): SpamdTold | ScanError {
  const head = readHead(bytes);
  if (head.kind === 'error') return head;
  const body = emptyBody(head);
  if (!Buffer.isBuffer(body)) return body;
  return {
    kind: 'told',
    set: places(head.headers.get('didset')),
    removed: places(head.headers.get('didremove')),
  };
}

/** Reads the whole answer to PING; null when it is the right one. spamd 4.0.1 sends no empty line after it. */
export function readSpamdPong(bytes: Buffer): ScanError | null {
  const status = readStatus(bytes);
  if (status.kind === 'error') return status;
  return status.text.startsWith('PONG') ? null : fault('garbage', `answered "${shown(status.text)}" to PING`);
}

function readHead(bytes: Buffer): Head | ScanError {
  const status = readStatus(bytes);
  if (status.kind === 'error') return status;
  const headers = new Map<string, string>();
  for (let at = status.end; ; ) {
    const line = readLine(bytes, at);
    if (line === null) return at > HEAD_LIMIT || bytes.length - at > LINE_LIMIT ? tooLong() : CUT;
    at = line.end;
    if (at > HEAD_LIMIT) return tooLong();
    if (line.text === '') return { kind: 'head', text: status.text, headers, body: bytes.subarray(at) };
    const colon = line.text.indexOf(':');
    if (colon < 1) return fault('garbage', `answered the header line "${shown(line.text)}"`);
    const name = line.text.slice(0, colon).toLowerCase();
    // Two of a kind say two things, and we don't know which is meant.
    if (headers.has(name)) return fault('garbage', `answered with two headers "${shown(name)}"`);
    headers.set(name, line.text.slice(colon + 1).trim());
  }
}

function readStatus(
  bytes: Buffer,
): { readonly kind: 'status'; readonly text: string; readonly end: number } | ScanError {
  if (bytes.length === 0)
    return fault('cut', 'closed the connection without an answer (is this address allowed, option -A?)');
  const line = readLine(bytes, 0);
  if (line === null) {
    if (bytes.length > LINE_LIMIT) return tooLong();
    const begun = bytes.toString('latin1', 0, 6);
    return 'SPAMD/'.startsWith(begun) ? CUT : notSpamd(bytes.toString('latin1'));
  }
  const match = /^SPAMD\/\d{1,3}\.\d{1,3} (\d{1,3})(?: (.*))?$/s.exec(line.text);
  if (match === null) return notSpamd(line.text);
  const code = Number(match[1]);
  const text = match[2] ?? '';
  if (code !== 0) return fault('failed', `said ${code} ${shown(text)}${hint(code, text)}`);
  return { kind: 'status', text, end: line.end };
}

/** The line at `at` without its CR LF (LF alone is taken too); null when it does not end, or not soon enough. */
function readLine(bytes: Buffer, at: number): { readonly text: string; readonly end: number } | null {
  const lf = bytes.subarray(at, at + LINE_LIMIT).indexOf(0x0a);
  if (lf < 0) return null;
  const text = bytes.toString('latin1', at, at + lf);
  return { text: text.endsWith('\r') ? text.slice(0, -1) : text, end: at + lf + 1 };
}

/** The body, whose length must be said: without it nobody could tell a whole one from the beginning of one. */
function measuredBody({ headers, body }: Head): Buffer | ScanError {
  const length = headers.get('content-length');
  if (length === undefined) return fault('cut', 'answered without Content-length');
  if (!/^\d{1,10}$/.test(length)) return fault('garbage', `answered "Content-length: ${shown(length)}"`);
  const missing = Number(length) - body.length;
  if (missing > 0) return fault('cut', `closed the connection with ${missing} bytes of its answer missing`);
  if (missing < 0) return fault('garbage', `answered with ${-missing} bytes more than it had announced`);
  return body;
}

/** No body where there is to be none; TELL is answered with one empty line too many. */
function emptyBody({ body }: Head): Buffer | ScanError {
  if (body.length > 4 || /[^\r\n]/.test(body.toString('latin1'))) {
    return fault('garbage', `answered with ${body.length} bytes too many`);
  }
  return body.subarray(0, 0);
}

function places(value: string | undefined): readonly string[] {
  return (value ?? '')
    .split(',')
    .map(place => place.trim().toLowerCase())
    .filter(place => place === 'local' || place === 'remote');
}

const CUT: ScanError = fault('cut', 'closed the connection in the middle of its answer');

function tooLong(): ScanError {
  return fault('garbage', 'answered with an endless line or too many of them');
}

function notSpamd(text: string): ScanError {
  return fault('garbage', `this is no spamd: it says "${shown(text)}"`);
}

/** What the operator can do about a code. */
function hint(code: number, text: string): string {
  return code === 69 && text.includes('TELL') ? ' (start spamd with --allow-tell)' : '';
}

function shown(text: string): string {
  return text.slice(0, SHOWN).replace(/[^ -~]/g, '?');
}

function fault(kind: ScannerFault, why: string): ScanError {
  return { kind: 'error', fault: kind, why };
}
