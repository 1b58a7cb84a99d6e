import type { ScanError, SpamOutcome } from '../model/scan.ts';
import type { ScannerAddress } from '../model/scanner-address.ts';
import type { BreakerOptions } from './breaker.ts';
import type { Turn } from './pool.ts';
import { ScannerPool } from './pool.ts';
import type { LearnOutcome, PingOutcome, Scanned, SpamEngine } from './spam-engine.ts';
import { unreadable, withHead } from './spam-engine.ts';
import { readSpamdPong, readSpamdTold, readSpamdVerdict, spamdRules } from './spamd-answer.ts';
import type { SpamdRequest } from './spamd-request.ts';
import { spamdRequestHead } from './spamd-request.ts';
import type { Request } from './stream-client.ts';
import { exchange } from './stream-client.ts';

export interface SpamdOptions {
  /** At least one; asked in this order. */
  readonly addresses: readonly ScannerAddress[];
  /** Milliseconds for one message, with its wait for a slot and all addresses that are tried. */
  readonly timeoutMs?: number;
  /** Milliseconds for a connection. */
  readonly connectMs?: number;
  /** Messages at a time. spamd's own bound is --max-children, 5 by default; those beyond it wait in its backlog. */
  readonly maxParallel?: number;
  /** Messages that may wait for their turn. */
  readonly maxWaiting?: number;
  readonly breaker?: BreakerOptions;
}

const TIMEOUT_MS = 30_000;
const CONNECT_MS = 5000;
const MAX_PARALLEL = 10;
/** All of SpamAssassin's rule names together are some 60 KB. */
const MAX_ANSWER = 128 * 1024;

/**
 * A client of SpamAssassin's spamd, protocol SPAMC/1.5 over TCP or a Unix socket (SpamAssassin 4.0.1, spamd/PROTOCOL; older
 * ones answer the same). One connection a message, which is how spamd wants it. The message goes as it is, byte for byte.
 */
export function createSpamd(options: SpamdOptions): SpamEngine {
  const connectMs = options.connectMs ?? CONNECT_MS;

  const talk = async (
    request: SpamdRequest,
    message: Scanned | null,
    turn: Turn,
  ): Promise<Buffer | ScanError> => {
    const head = spamdRequestHead(request);
    const sent: Request = message === null ? [[head]] : withHead(head, message);
    const { address, timeoutMs, signal } = turn;
    // Without the half-close spamd would wait for the end of a last line that has none.
    const limits = { connectMs, timeoutMs, maxAnswer: MAX_ANSWER, halfClose: true };
    const answer = await exchange(sent, { address, signal, ...limits });
    return answer.kind === 'error' ? answer : heardOut(answer.bytes, answer.sentAll);
  };

  const pool = new ScannerPool({
    scanner: 'spamd',
    addresses: options.addresses,
    timeoutMs: options.timeoutMs ?? TIMEOUT_MS,
    maxParallel: options.maxParallel ?? MAX_PARALLEL,
    maxWaiting: options.maxWaiting,
    breaker: options.breaker,
    ping: pingOne,
  });

  async function pingOne(turn: Turn): Promise<ScanError | null> {
    const said = await talk({ verb: 'PING' }, null, turn);
    return Buffer.isBuffer(said) ? readSpamdPong(said) : said;
  }

  const scoreAt = async (message: Scanned, user: string | null, turn: Turn): Promise<SpamOutcome> => {
    const said = await talk({ verb: 'SYMBOLS', size: message.size, user }, message, turn);
    if (!Buffer.isBuffer(said)) return said;
    const verdict = readSpamdVerdict(said, 'SYMBOLS');
    if (verdict.kind === 'error') return verdict;
    const rules = spamdRules(verdict.body);
    if (rules === null) return { kind: 'error', fault: 'garbage', why: 'answered with no list of rules' };
    const { spam, score, threshold } = verdict;
    return { kind: 'scored', spam, marked: spam, score, threshold, rules, scanner: turn.scanner };
  };

  const learnAt = async (
    message: Scanned,
    as: 'spam' | 'ham',
    user: string | null,
    turn: Turn,
  ): Promise<LearnOutcome> => {
    const said = await talk({ verb: 'TELL', size: message.size, user, as }, message, turn);
    if (!Buffer.isBuffer(said)) return said;
    const told = readSpamdTold(said);
    if (told.kind === 'error') return told;
    const { scanner } = turn;
    if (told.set.includes('local')) return { kind: 'learned', scanner };
    return {
      kind: 'already known',
      why: 'spamd has changed nothing: it knew, or its Bayes rules are off',
      scanner,
    };
  };

  return {
    name: 'spamd',
    async score(message, { user }, signal): Promise<SpamOutcome> {
      try {
        return await pool.ask(turn => scoreAt(message, user, turn), signal);
      } catch (error) {
        return unreadable('spamd', error);
      }
    },
    async learn(message, as, user, signal): Promise<LearnOutcome> {
      try {
        return await pool.ask(turn => learnAt(message, as, user, turn), signal);
      } catch (error) {
        return unreadable('spamd', error);
      }
    },
    ping(signal): Promise<PingOutcome> {
      const ask = async (turn: Turn): Promise<PingOutcome> =>
        (await pingOne(turn)) ?? { kind: 'alive', scanner: turn.scanner };
      return pool.ask(ask, signal);
    },
    state: () => pool.state(),
    close: () => pool.close(),
  };
}

/**
 * An error may come before spamd has read all; a verdict that does is about another message than ours. The status line is
 * enough to tell which it is.
 */
function heardOut(bytes: Buffer, sentAll: boolean): Buffer | ScanError {
  if (sentAll || !/^SPAMD\/[\d.]+ 0 /.test(bytes.toString('latin1', 0, 32))) return bytes;
  return { kind: 'error', fault: 'garbage', why: 'answered before it had the whole message' };
}
