/**
 * How a case ended. `noted`: it failed where the suite itself calls the answer a matter of policy; `passed over`: it does
 * not apply, for a reason that is printed; `excepted`: it failed and stands in the list of exceptions.
 */
export type Verdict = 'pass' | 'fail' | 'noted' | 'passed over' | 'excepted';

export interface Outcome {
  readonly id: string;
  readonly verdict: Verdict;
  /** What was expected and what came; why it was passed over. `''` for a pass. */
  readonly detail: string;
}

export interface Suite {
  /** The file below the suites folder. */
  readonly file: string;
  /** Runs the cases of the file's content that `wanted` says yes to; `folder` is the suites folder. */
  readonly run: (
    content: unknown,
    wanted: (id: string) => boolean,
    folder: string,
  ) => Promise<readonly Outcome[]>;
}

/** Texts from a server may be as long as it likes; a line of our report may not. */
const MAX_SHOWN = 300;

export function pass(id: string): Outcome {
  return { id, verdict: 'pass', detail: '' };
}

export function passedOver(id: string, reason: string): Outcome {
  return { id, verdict: 'passed over', detail: reason };
}

/** A failed case: expected this, came that; strings are shown quoted and escaped. */
export function fail(id: string, what: string, expected: unknown, came: unknown): Outcome {
  return { id, verdict: 'fail', detail: `${what}: expected ${shown(expected)}, came ${shown(came)}` };
}

export function shown(value: unknown): string {
  const text = value instanceof RegExp ? String(value) : (JSON.stringify(value) ?? String(value));
  return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}… (${text.length} characters)` : text;
}

/** The bytes that a string of a suite stands for: UTF-8, and a lone U+DC80 to U+DCFF is that single byte (as Python writes it). */
export function bytesOf(text: string): Buffer {
  const raw = /[\udc80-\udcff]/;
  const pieces = text.split(/((?<![\ud800-\udbff])[\udc80-\udcff])/);
  return Buffer.concat(
    pieces.map(piece =>
      piece.length === 1 && raw.test(piece)
        ? Buffer.from([piece.charCodeAt(0) - 0xdc00])
        : Buffer.from(piece),
    ),
  );
}
