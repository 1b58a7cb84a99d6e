import type { ScanError } from '../model/scan.ts';
import type { Answer } from './stream-client.ts';

/** What clamd says about what it was sent. */
export type ClamdVerdict =
  | { readonly kind: 'clean' }
  | { readonly kind: 'infected'; readonly name: string }
  | ScanError;

/** Chars of a virus name, and of anything else that clamd says, that are kept. */
const MAX_SHOWN = 200;

/**
 * Reads the answer to `zINSTREAM` (clamd(8), clamd 1.4): `stream: OK`, `stream: NAME FOUND`, or a text that ends in `ERROR`, each
 * with a NUL behind it. Nothing but exactly `stream: OK`, said when clamd had the whole stream, is clean.
 */
export function readInstreamReply(answer: Answer): ClamdVerdict {
  const line = readLine(answer);
  if (typeof line !== 'string') return line;
  if (line === 'stream: OK') {
    if (answer.sentAll) return { kind: 'clean' };
    return error('garbage', 'it said OK before it had the whole message');
  }
  const name = /^stream: (.+) FOUND$/.exec(line)?.[1];
  if (name !== undefined) return { kind: 'infected', name: shown(name) };
  if (line === 'INSTREAM size limit exceeded. ERROR')
    return error('limit', 'the message is larger than its StreamMaxLength');
  return error(line.endsWith(' ERROR') ? 'failed' : 'garbage', `it said ${shown(line)}`);
}

/** The one line of an answer to a command with `z`, without its NUL. */
export function readLine(answer: Answer): string | ScanError {
  const text = answer.bytes.toString('latin1');
  // The one answer that ends in LF, whatever the command (clamd 1.4, and others before it).
  if (text === 'COMMAND READ TIMED OUT\n') return error('timeout', 'it waited too long for us');
  const end = text.search(/[\0\n]/);
  if (end < 0) return error('cut', `its answer ends in the middle: ${shown(text)}`);
  if (end < text.length - 1 || text.endsWith('\n')) return error('garbage', `it said ${shown(text)}`);
  return text.slice(0, end);
}

/** Bytes as printable ASCII in one line of bounded length; any other byte, and the backslash, as `\xNN`. */
export function shown(bytes: string): string {
  const text = bytes
    .slice(0, MAX_SHOWN + 1)
    .replace(/[^ -[\]-~]/g, char => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`);
  return text.length <= MAX_SHOWN ? text : `${text.slice(0, MAX_SHOWN)}...`;
}

function error(fault: ScanError['fault'], why: string): ScanError {
  return { kind: 'error', fault, why };
}
