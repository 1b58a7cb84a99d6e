import type { ScanError, ScannerFault, ScannerState } from '../model/scan.ts';

export interface BreakerOptions {
  /** Faults in a row that open it. */
  readonly faults?: number;
  /** Milliseconds of the first rest; each probe that fails doubles the next one ... */
  readonly restMs?: number;
  /** ... up to this. */
  readonly maxRestMs?: number;
  /** A monotonic clock in milliseconds, for the rests. */
  readonly now?: () => number;
  /** Milliseconds since the epoch, for the state. */
  readonly date?: () => number;
}

const DEFAULT_FAULTS = 5;
const DEFAULT_REST_MS = 10_000;
const DEFAULT_MAX_REST_MS = 60_000;

/**
 * Faults of the scanner itself. What it says about one message (`failed`, `limit`) is an answer of a scanner that works, or
 * a sender with five odd mails could have it taken out of service.
 */
const COUNTED: ReadonlySet<ScannerFault> = new Set(['refused', 'timeout', 'garbage', 'cut']);

/** Leave to ask the scanner once; exactly one of the three must follow, further calls do nothing. */
export interface Pass {
  /** The scanner was resting: it is asked to see whether it is back, and nobody else is let through meanwhile. */
  readonly probe: boolean;
  /** It has answered. */
  well(): void;
  /** It has not. A fault that says nothing about the scanner (`failed`, `limit`) counts as an answer. */
  fault(error: ScanError): void;
  /** Nothing was learned: whoever asked has gone. */
  unknown(): void;
}

/**
 * A circuit breaker for one address of a scanner: some faults in a row open it, so that mail does not wait for a scanner
 * that is down; after a rest one question is let through as a probe, and its answer closes it again. There is no timer:
 * the rest is over when somebody asks after it.
 */
export class Breaker {
  readonly #scanner: string;
  readonly #address: string;
  readonly #limit: number;
  readonly #firstRest: number;
  readonly #maxRest: number;
  readonly #now: () => number;
  readonly #date: () => number;
  #state: ScannerState['breaker'] = 'closed';
  #faults = 0;
  #rest: number;
  #restsUntil = 0;
  #lastFault: ScannerState['lastFault'] = null;

  /** `scanner` and `address` are for the state. */
  constructor(scanner: string, address: string, options: BreakerOptions = {}) {
    this.#scanner = scanner;
    this.#address = address;
    this.#limit = options.faults ?? DEFAULT_FAULTS;
    this.#firstRest = options.restMs ?? DEFAULT_REST_MS;
    this.#maxRest = options.maxRestMs ?? DEFAULT_MAX_REST_MS;
    this.#now = options.now ?? (() => performance.now());
    this.#date = options.date ?? Date.now;
    this.#rest = this.#firstRest;
  }

  /** Whether `enter` would let somebody through now. */
  get admits(): boolean {
    if (this.#state === 'closed') return true;
    return this.#state === 'open' && this.#now() >= this.#restsUntil;
  }

  /** Leave to ask, or null: it rests, or its probe is under way. */
  enter(): Pass | null {
    if (!this.admits) return null;
    const probe = this.#state === 'open';
    if (probe) this.#state = 'half-open';
    let over = false;
    const once = (report: () => void): void => {
      if (!over) report();
      over = true;
    };
    return {
      probe,
      well: () => once(() => this.#close()),
      fault: error => once(() => this.#fault(error, probe)),
      unknown: () =>
        once(() => {
          // Its rest is over already: the next one is the probe.
          if (probe && this.#state === 'half-open') this.#state = 'open';
        }),
    };
  }

  state(): ScannerState {
    return {
      scanner: this.#scanner,
      address: this.#address,
      breaker: this.#state,
      lastFault: this.#lastFault,
    };
  }

  /** Whoever has answered works, however long ago it was asked. */
  #close(): void {
    this.#state = 'closed';
    this.#faults = 0;
    this.#rest = this.#firstRest;
  }

  #fault({ fault, why }: ScanError, probe: boolean): void {
    this.#lastFault = { fault, why, at: this.#date() };
    if (!COUNTED.has(fault)) return this.#close();
    if (probe) {
      if (this.#state !== 'half-open') return;
      this.#rest = Math.min(this.#rest * 2, this.#maxRest);
    } else {
      // What was asked before it opened has no say in how long it rests.
      if (this.#state !== 'closed') return;
      this.#faults++;
      if (this.#faults < this.#limit) return;
    }
    this.#state = 'open';
    this.#restsUntil = this.#now() + this.#rest;
  }
}
