import { setImmediate as pause } from 'node:timers/promises';

/** How long other clients may have to wait for a stretch of work. */
const TURN_MS = 8;

/** Gives others their turn in work that may take long. */
export interface Turns {
  /** The turn has been long enough. */
  over(): boolean;
  /** Lets the others go first, and begins a new turn; throws the signal's reason when nobody wants the work any more. */
  yield(): Promise<void>;
}

/** The first turn begins now. */
export function takeTurns(signal: AbortSignal): Turns {
  let began = performance.now();
  return {
    over: () => performance.now() - began >= TURN_MS,
    async yield() {
      await pause();
      signal.throwIfAborted();
      began = performance.now();
    },
  };
}
