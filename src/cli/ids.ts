import { randomInt } from 'node:crypto';

/**
 * Makes ids for sessions and events: 8 characters of time (base 36, milliseconds), so that they sort, then 3 that tell
 * processes and hosts apart, then a counter. `mi8k2x9f4qz01`.
 */
export function createIds(now: () => number = Date.now): () => string {
  const process = randomInt(36 ** 3)
    .toString(36)
    .padStart(3, '0');
  let last = 0;
  let counter = 0;
  return () => {
    // Never backwards: a clock that is set back must not make an id twice.
    const ms = Math.max(now(), last);
    counter = ms === last ? counter + 1 : 0;
    if (counter === 36 ** 2) {
      last = ms + 1;
      counter = 0;
    } else last = ms;
    return last.toString(36).padStart(8, '0') + process + counter.toString(36).padStart(2, '0');
  };
}
