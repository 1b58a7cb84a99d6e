import type { ScanError, ScannerFault } from '../model/scan.ts';

/** What rspamd says about a message. */
export interface RspamdVerdict {
  readonly kind: 'scored';
  /** It would refuse the message: the action is `reject`, or the score has reached `threshold`. */
  readonly spam: boolean;
  /** May be negative. */
  readonly score: number;
  /** The score from which rspamd refuses (`required_score`). */
  readonly threshold: number;
  /** `no action`, `greylist`, `add header`, `rewrite subject`, `soft reject`, `reject`, or one of the site's own. */
  readonly action: string;
  /** Symbols in rspamd's order, those that weigh nothing included. */
  readonly rules: readonly string[];
}

/** rspamd's own settings say that it is not to look at this message. */
export interface RspamdSkipped {
  readonly kind: 'skipped';
  readonly why: string;
}

/** What a learning request has done. */
export type RspamdLearned =
  | { readonly kind: 'learned' }
  | { readonly kind: 'already known'; readonly why: string }
  | ScanError;

/** Most symbols that are read; the shipped rules have some 1,500 in all. */
const SYMBOLS_LIMIT = 5000;
const NAME_LIMIT = 200;
/** How much of foreign text goes into an explanation. */
const SHOWN = 200;

/**
 * Reads a whole answer to `/checkv2`: HTTP status, and the body with the length that HTTP has announced. Every field is
 * checked. Faults: `failed` for any status but 200 (413: `limit`), `garbage` for a body that is not what rspamd 3.4
 * says; `why` does not name the scanner.
 */
export function readRspamdVerdict(status: number, body: Buffer): RspamdVerdict | RspamdSkipped | ScanError {
  if (status !== 200) return refused(status, body);
  const answer = readObject(body);
  if (answer === null)
    return fault('garbage', `answered with no JSON object: "${shown(body.toString('latin1'))}"`);
  const score = readNumber(answer.score);
  const threshold = readNumber(answer.required_score);
  const { action } = answer;
  const rules = readSymbols(answer.symbols);
  if (score === null) return fault('garbage', 'answered without a score');
  if (threshold === null) return fault('garbage', 'answered without required_score');
  if (typeof action !== 'string' || action === '') return fault('garbage', 'answered without an action');
  if (rules === null) return fault('garbage', 'answered without symbols');
  // A message that is settled before the scan, GTUBE for one, is "skipped" too, but with an action.
  if (answer.is_skipped === true && action === 'no action') {
    return { kind: 'skipped', why: 'rspamd has not looked at the message: its settings say so' };
  }
  const spam = action === 'reject' || score >= threshold;
  return { kind: 'scored', spam, score, threshold, action: shown(action), rules };
}

/**
 * Reads a whole answer to `/learnspam` or `/learnham`. A message that it has learned before is 404 in rspamd 3.4 and 208
 * in later versions.
 */
export function readRspamdLearned(status: number, body: Buffer): RspamdLearned {
  const answer = readObject(body);
  if (status === 200) {
    return answer?.success === true
      ? { kind: 'learned' }
      : fault('garbage', 'answered without success or error');
  }
  const text = typeof answer?.error === 'string' ? answer.error : '';
  if ((status === 208 || status === 404) && text.includes('already learned')) {
    return { kind: 'already known', why: shown(text) };
  }
  return refused(status, body);
}

function refused(status: number, body: Buffer): ScanError {
  const error = readObject(body)?.error;
  const text = typeof error === 'string' ? ` ${shown(error)}` : '';
  if (status === 413) return fault('limit', `said 413${text}`);
  if (status === 401 || status === 403)
    return fault('failed', `said ${status}${text} (is its password the right one?)`);
  return fault('failed', `said ${status}${text}`);
}

function readObject(body: Buffer): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'));
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A number of a size that a score can have; -0 becomes 0. */
function readNumber(value: unknown): number | null {
  return typeof value === 'number' && Math.abs(value) < 1e9 ? value + 0 : null;
}

function readSymbols(value: unknown): readonly string[] | null {
  if (!isObject(value)) return null;
  const names = Object.keys(value);
  if (names.length > SYMBOLS_LIMIT || !names.every(name => isObject(value[name]))) return null;
  return names.map(name => name.slice(0, NAME_LIMIT).replace(/[^!-~]/g, '?'));
}

function shown(text: string): string {
  return text.slice(0, SHOWN).replace(/[^ -~]/g, '?');
}

function fault(kind: ScannerFault, why: string): ScanError {
  return { kind: 'error', fault: kind, why };
}
