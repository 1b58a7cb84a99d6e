/** A case that we do not pass on purpose. docs/conformance.md says the same, with the reasons at length. */
export interface Exception {
  readonly suite: string;
  readonly id: string;
  readonly reason: string;
}

/** One that passes all the same fails the run, so that this list stays true. */
export const EXCEPTIONS: readonly Exception[] = [];

/** Suites whose subject is not built yet: the folder or file below the suites folder, and what is missing. */
export const NOT_IN_THIS_RELEASE: Readonly<Record<string, string>> = {
  'spamdyke/cases.json': 'the options of spamdyke',
};
