import type { ScanError, SpamOutcome, SpamQuestion } from '../model/scan.ts';
import type { ScannerAddress } from '../model/scanner-address.ts';
import type { BreakerOptions } from './breaker.ts';
import type { Turn } from './pool.ts';
import { ScannerPool } from './pool.ts';
import { readRspamdLearned, readRspamdVerdict } from './rspamd-answer.ts';
import type { HttpAnswer } from './rspamd-http.ts';
import { httpExchange } from './rspamd-http.ts';
import { rspamdHeaders } from './rspamd-request.ts';
import type { LearnOutcome, PingOutcome, Scanned, SpamEngine } from './spam-engine.ts';
import { unreadable, withHead } from './spam-engine.ts';

/** Actions that mark a message and let it through. */
const MARKING: ReadonlySet<string> = new Set(['add header', 'rewrite subject']);

export interface RspamdOptions {
  /** Normal workers (port 11333), or a proxy; at least one; asked in this order. */
  readonly addresses: readonly ScannerAddress[];
  /** Sent along with messages to score: a controller wants it for that too. */
  readonly password?: string;
  /** Controllers (port 11334), which learn; none: learning is an error. */
  readonly controllers?: readonly ScannerAddress[];
  /** The controllers' enable_password; not needed where they list us in secure_ip. */
  readonly controllerPassword?: string;
  /** Milliseconds for one message, with its wait for a slot and all addresses that are tried. */
  readonly timeoutMs?: number;
  /** Milliseconds for a connection. */
  readonly connectMs?: number;
  /** Messages at a time. */
  readonly maxParallel?: number;
  /** Messages that may wait for their turn. */
  readonly maxWaiting?: number;
  readonly breaker?: BreakerOptions;
}

const TIMEOUT_MS = 30_000;
const CONNECT_MS = 5000;
const MAX_PARALLEL = 20;
/** Messages that are learned at a time. */
const MAX_LEARNING = 4;
/** An answer has some 100 bytes a symbol, more with their options. */
const MAX_ANSWER = 1024 * 1024;

/**
 * A client of rspamd, its HTTP protocol with `/checkv2` (rspamd 3.4, rspamd.com "Rspamd protocol"), without encryption. The
 * message goes as it is, byte for byte. `spam` means that rspamd would refuse it: the threshold in its answer is the one of
 * the action `reject`, three times that of `add header` as shipped.
 */
export function createRspamd(options: RspamdOptions): SpamEngine {
  const connectMs = options.connectMs ?? CONNECT_MS;
  const timeoutMs = options.timeoutMs ?? TIMEOUT_MS;
  const controllerPassword = options.controllerPassword ?? null;

  const limits = ({ address, timeoutMs, signal }: Turn) => ({
    address,
    timeoutMs,
    signal,
    connectMs,
    maxAnswer: MAX_ANSWER,
  });

  const post = (
    path: string,
    message: Scanned,
    question: SpamQuestion,
    password: string | null,
    turn: Turn,
  ): Promise<HttpAnswer | ScanError> => {
    const headers = rspamdHeaders({ ...question, size: message.size, password });
    return httpExchange({ method: 'POST', path, headers, body: withHead(null, message) }, limits(turn));
  };

  const pingOne = async (turn: Turn): Promise<ScanError | null> => {
    const said = await httpExchange({ method: 'GET', path: '/ping', headers: {}, body: [] }, limits(turn));
    if (said.kind === 'error') return said;
    if (said.status === 200 && said.body.toString('latin1').startsWith('pong')) return null;
    return { kind: 'error', fault: 'garbage', why: `answered ${said.status} to /ping` };
  };

  const pool = new ScannerPool({
    scanner: 'rspamd',
    addresses: options.addresses,
    timeoutMs,
    maxParallel: options.maxParallel ?? MAX_PARALLEL,
    maxWaiting: options.maxWaiting,
    breaker: options.breaker,
    ping: pingOne,
  });
  const controllers =
    options.controllers === undefined || options.controllers.length === 0
      ? null
      : new ScannerPool({
          scanner: 'rspamd controller',
          addresses: options.controllers,
          timeoutMs,
          maxParallel: MAX_LEARNING,
          breaker: options.breaker,
          ping: pingOne,
        });

  const scoreAt = async (message: Scanned, question: SpamQuestion, turn: Turn): Promise<SpamOutcome> => {
    const said = await post('/checkv2', message, question, options.password ?? null, turn);
    if (said.kind === 'error') return said;
    const verdict = readRspamdVerdict(said.status, said.body);
    if (verdict.kind !== 'scored') return verdict;
    const { spam, score, threshold, rules, action } = verdict;
    const marked = spam || MARKING.has(action);
    return { kind: 'scored', spam, marked, score, threshold, rules, scanner: turn.scanner };
  };

  const learnAt = async (
    message: Scanned,
    as: 'spam' | 'ham',
    user: string | null,
    turn: Turn,
  ): Promise<LearnOutcome> => {
    const said = await post(`/learn${as}`, message, { user }, controllerPassword, turn);
    if (said.kind === 'error') return said;
    const learned = readRspamdLearned(said.status, said.body);
    return learned.kind === 'error' ? learned : { ...learned, scanner: turn.scanner };
  };

  return {
    name: 'rspamd',
    async score(message, question, signal): Promise<SpamOutcome> {
      try {
        return await pool.ask(turn => scoreAt(message, question, turn), signal);
      } catch (error) {
        return unreadable('rspamd', error);
      }
    },
    async learn(message, as, user, signal): Promise<LearnOutcome> {
      if (controllers === null)
        return {
          kind: 'error',
          fault: 'refused',
          why: 'rspamd: no controller is set, and only a controller learns',
        };
      try {
        return await controllers.ask(turn => learnAt(message, as, user, turn), signal);
      } catch (error) {
        return unreadable('rspamd', error);
      }
    },
    ping(signal): Promise<PingOutcome> {
      const ask = async (turn: Turn): Promise<PingOutcome> =>
        (await pingOne(turn)) ?? { kind: 'alive', scanner: turn.scanner };
      return pool.ask(ask, signal);
    },
    state: () => pool.state(),
    close: () => {
      pool.close();
      controllers?.close();
    },
  };
}
