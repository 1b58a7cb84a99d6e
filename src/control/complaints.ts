import type { Complaint } from '../model/origin.ts';

/** How many complaints are kept: a wrong file of 100,000 lines should not print 100,000 lines. */
const KEPT = 200;

/** Gathers everything that is wrong with a configuration, so that all of it is reported at once. */
export class Complaints {
  readonly list: Complaint[] = [];
  errors = 0;
  /** Complaints beyond the limit, counted but not kept. */
  unlisted = 0;

  error(file: string, line: number, text: string): void {
    this.errors++;
    this.#add({ severity: 'error', file, line, text });
  }

  warn(file: string, line: number, text: string): void {
    this.#add({ severity: 'warning', file, line, text });
  }

  #add(complaint: Complaint): void {
    if (this.list.length < KEPT) this.list.push(complaint);
    else this.unlisted++;
  }
}

/**
 * A parser of one control file format: a pure function from text to a value. `text` is a byte string (latin1), `file`
 * the name to use in complaints. It never throws for bad input: it complains and returns the best value it has.
 */
export type Parse<T> = (text: string, file: string, complaints: Complaints) => T;
