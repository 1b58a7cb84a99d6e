/** What one DNS list said about a client. `error` covers look-up failures and answers that are no listing. */
export type ListOutcome =
  | {
      readonly kind: 'listed';
      /** For the client, a byte string; `''` for an anti-list. */
      readonly text: string;
      /** The A records seen, if any were asked for. */
      readonly codes: readonly string[];
    }
  | { readonly kind: 'unlisted'; readonly detail: string }
  | { readonly kind: 'error'; readonly why: string };

/** What the decision has to know of a list: rblsmtpd's options in force where the list was named. */
export interface RankedList {
  /** `-r` or `-a`. */
  readonly kind: 'block' | 'allow';
  /** `-b`: 553, else 451. */
  readonly bounce: boolean;
  /** `-c`. */
  readonly failClosed: boolean;
}

export type ListDecision<S> =
  | { readonly kind: 'undecided' }
  /** `failed`: the anti-list could not be asked, which lets everyone in while failing open. */
  | { readonly kind: 'accept'; readonly source: S; readonly failed: boolean }
  | {
      readonly kind: 'block';
      readonly source: S;
      readonly code: 451 | 553;
      readonly text: string;
      /** The list could not be asked and fails closed. */
      readonly failed: boolean;
    };

export interface ListState<S> {
  readonly decision: ListDecision<S>;
  /** Some list asked so far could not answer: a later 553 becomes a 451. */
  readonly mustNotBounce: boolean;
}

/** rblsmtpd 0.88's words for a list that fails closed. */
export const LOOKUP_ERROR_TEXT = 'temporary RBL lookup error';

/** Nothing asked yet. */
export const UNDECIDED: ListState<never> = { decision: { kind: 'undecided' }, mustNotBounce: false };

/**
 * One step of rblsmtpd's decision (ucspi-tcp 0.88; rblsmtpd.c, rbl() and antirbl()): the state after `source`, given
 * what it said. Once decided, nothing changes any more: the first list that answers wins.
 */
export function advance<S extends RankedList>(
  state: ListState<S>,
  source: S,
  outcome: ListOutcome,
): ListState<S> {
  if (state.decision.kind !== 'undecided') return state;
  if (outcome.kind === 'unlisted') return state;
  if (source.kind === 'allow') return advanceAllow(state, source, outcome.kind === 'error');
  if (outcome.kind === 'listed') {
    const code = source.bounce && !state.mustNotBounce ? 553 : 451;
    return { ...state, decision: { kind: 'block', source, code, text: outcome.text, failed: false } };
  }
  if (!source.failClosed) return { ...state, mustNotBounce: true };
  return {
    decision: { kind: 'block', source, code: 451, text: LOOKUP_ERROR_TEXT, failed: true },
    mustNotBounce: true,
  };
}

function advanceAllow<S extends RankedList>(state: ListState<S>, source: S, failed: boolean): ListState<S> {
  const mustNotBounce = state.mustNotBounce || failed;
  if (failed && source.failClosed) return { ...state, mustNotBounce };
  return { decision: { kind: 'accept', source, failed }, mustNotBounce };
}

/** The decision over all lists, in the order of the options. */
export function decide<S extends RankedList>(
  answers: Iterable<readonly [source: S, outcome: ListOutcome]>,
): ListDecision<S> {
  let state: ListState<S> = UNDECIDED;
  for (const [source, outcome] of answers) state = advance(state, source, outcome);
  return state.decision;
}
