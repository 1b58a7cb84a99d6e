import type { ScanError, ScannerState } from '../model/scan.ts';
import type { ScannerAddress } from '../model/scanner-address.ts';
import { showScannerAddress } from '../model/scanner-address.ts';
import type { BreakerOptions, Pass } from './breaker.ts';
import { Breaker } from './breaker.ts';
import { Slots } from './slots.ts';

export interface ScannerPoolOptions {
  /** `clamd`, `spamd`, `rspamd`. */
  readonly scanner: string;
  /** At least one; asked in this order, those that rest left out. */
  readonly addresses: readonly ScannerAddress[];
  /** Milliseconds for one question, with its wait for a slot and all addresses that are tried. */
  readonly timeoutMs: number;
  /** Questions at a time, all addresses together. */
  readonly maxParallel: number;
  /** Questions that may wait for their turn; without it four times as many as run. */
  readonly maxWaiting?: number | undefined;
  readonly breaker?: BreakerOptions | undefined;
  /** Asks the scanner whether it is there, in front of a probe: null when it is. Never rejects. */
  readonly ping: (turn: Turn) => Promise<ScanError | null>;
}

/** One question to one address. */
export interface Turn {
  readonly address: ScannerAddress;
  /** Scanner and address in words: `clamd 127.0.0.1:3310`. */
  readonly scanner: string;
  /** Milliseconds that it may take. */
  readonly timeoutMs: number;
  /** Aborted when whoever asked has gone. */
  readonly signal: AbortSignal;
}

/** Milliseconds for the ping in front of a probe: a message must not wait for a scanner that hangs. */
const PING_MS = 2000;
/** The part of its time that a question may spend in the line: what starts has to have time to end. */
const LINE_PART = 0.5;

interface Place {
  readonly address: ScannerAddress;
  readonly scanner: string;
  readonly breaker: Breaker;
}

/** The addresses of one scanner, with their health, and a bound on what is asked of them at a time. */
export class ScannerPool {
  readonly #scanner: string;
  readonly #timeoutMs: number;
  readonly #ping: ScannerPoolOptions['ping'];
  readonly #places: readonly Place[];
  readonly #slots: Slots;
  readonly #running = new Set<AbortController>();
  #closed = false;

  constructor(options: ScannerPoolOptions) {
    this.#scanner = options.scanner;
    this.#timeoutMs = options.timeoutMs;
    this.#ping = options.ping;
    this.#slots = new Slots(options.maxParallel, options.maxWaiting ?? options.maxParallel * 4);
    this.#places = options.addresses.map(address => {
      const shown = showScannerAddress(address);
      const breaker = new Breaker(options.scanner, shown, options.breaker);
      return { address, scanner: `${options.scanner} ${shown}`, breaker };
    });
  }

  /**
   * Puts a question: `ask` puts it to one address, and is called for the next one while that fails and time is left. Addresses
   * that rest are left out. With several to go, each has its share of the time, so that one that hangs leaves some to
   * the next. An `ask` that rejects (the message could not be read) ends it with the same rejection.
   *
   * Ends with what `ask` said, or with an error: `busy` (no slot), `resting` (no address to ask), or the last fault, `why` naming
   * each address that was tried. `limit` is final: another scanner has no other word on a message's size.
   */
  async ask<T extends { readonly kind: string }>(
    ask: (turn: Turn) => Promise<T | ScanError>,
    signal?: AbortSignal,
  ): Promise<T | ScanError> {
    if (this.#closed) return this.#error('resting', 'closed');
    const gone = new AbortController();
    const forward = (): void => gone.abort();
    if (signal?.aborted === true) forward();
    signal?.addEventListener('abort', forward);
    this.#running.add(gone);
    try {
      return await this.#askInLine(ask, gone.signal);
    } finally {
      this.#running.delete(gone);
      signal?.removeEventListener('abort', forward);
    }
  }

  state(): readonly ScannerState[] {
    return this.#places.map(place => place.breaker.state());
  }

  /** Ends every question under way with `timeout`; each later one ends at once. */
  close(): void {
    this.#closed = true;
    for (const gone of this.#running) gone.abort();
  }

  async #askInLine<T extends { readonly kind: string }>(
    ask: (turn: Turn) => Promise<T | ScanError>,
    signal: AbortSignal,
  ): Promise<T | ScanError> {
    const until = performance.now() + this.#timeoutMs;
    if (!this.#places.some(place => place.breaker.admits)) return this.#resting();
    const release = await this.#slots.take(this.#timeoutMs * LINE_PART, signal);
    if (signal.aborted) {
      release?.();
      return this.#error('timeout', 'given up by whoever asked');
    }
    if (release === null) return this.#error('busy', `${this.#slots.used} questions are under way`);
    try {
      return await this.#askInTurn(ask, until, signal);
    } finally {
      release();
    }
  }

  async #askInTurn<T extends { readonly kind: string }>(
    ask: (turn: Turn) => Promise<T | ScanError>,
    until: number,
    signal: AbortSignal,
  ): Promise<T | ScanError> {
    const tried: ScanError[] = [];
    const places = this.#places.filter(place => place.breaker.admits);
    for (const [index, { address, scanner, breaker }] of places.entries()) {
      const left = until - performance.now();
      if (left < 1) break;
      const pass = breaker.enter();
      if (pass === null) continue;
      const timeoutMs = Math.ceil(left / (places.length - index));
      const outcome = await this.#askOne(ask, { address, scanner, timeoutMs, signal }, pass);
      if (!isError(outcome)) return outcome;
      tried.push({ ...outcome, why: `${scanner}: ${outcome.why}` });
      if (outcome.fault === 'limit' || signal.aborted) break;
    }
    const last = tried.at(-1);
    if (last === undefined) return this.#resting();
    return { ...last, why: tried.map(({ why }) => why).join('; ') };
  }

  async #askOne<T extends { readonly kind: string }>(
    ask: (turn: Turn) => Promise<T | ScanError>,
    turn: Turn,
    pass: Pass,
  ): Promise<T | ScanError> {
    try {
      const since = performance.now();
      const silent = pass.probe
        ? await this.#ping({ ...turn, timeoutMs: Math.min(PING_MS, turn.timeoutMs) })
        : null;
      const timeoutMs = Math.max(1, Math.ceil(turn.timeoutMs - (performance.now() - since)));
      const outcome = silent ?? (await ask({ ...turn, timeoutMs }));
      if (!isError(outcome)) pass.well();
      else if (!turn.signal.aborted) pass.fault(outcome);
      return outcome;
    } finally {
      // Does nothing when something was learned.
      pass.unknown();
    }
  }

  #resting(): ScanError {
    const faults = this.#places.flatMap(({ scanner, breaker }) => {
      const last = breaker.state().lastFault;
      return last === null ? [] : [`${scanner}: ${last.why}`];
    });
    return this.#error('resting', `left alone for a moment, after ${faults.join('; ')}`);
  }

  #error(fault: ScanError['fault'], why: string): ScanError {
    return { kind: 'error', fault, why: `${this.#scanner}: ${why}` };
  }
}

function isError(outcome: { readonly kind: string }): outcome is ScanError {
  return outcome.kind === 'error';
}
