/** The results of RFC 7208 2.6. */
export const SPF_RESULTS = ['pass', 'fail', 'softfail', 'neutral', 'none', 'permerror', 'temperror'] as const;

export type SpfResult = (typeof SPF_RESULTS)[number];

/** What is asked about a message. Strings from the client and from control files are byte strings. */
export interface SpfQuestion {
  /** The client, as in `Client.ip`. */
  readonly ip: string;
  /** It is this host itself: nobody is asked, and it passes. */
  readonly ownAddress: boolean;
  /** The HELO name; `''`: not known. */
  readonly helo: string;
  /** The envelope sender; `''`: the null sender. */
  readonly sender: string;
  /** Our name. */
  readonly receiver: string;
  /** `spfrules`, `spfguess`, `spfexp`; `''`: none. */
  readonly rules: string;
  readonly guess: string;
  readonly explanation: string;
  /** The form of the Received-SPF field: of the qmail patch, or RFC 7208 9.1. */
  readonly header: 'classic' | 'rfc7208';
}

/** What came of it. */
export interface SpfOutcome {
  readonly result: SpfResult;
  /** The domain that was looked at: the sender's, or the HELO name (RFC 7208 2.3, 2.4); `''` when there was none. */
  readonly domain: string;
  /** It was the domain's own record that decided, and not `spfrules`, `spfguess` or the client's address. */
  readonly byDomain: boolean;
  /** No record, and the DNS failed while `spfguess` was to stand in for it: no reason to refuse anybody for good. */
  readonly guessFailed: boolean;
  /** For the operator: which term of whose record decided, or what went wrong. */
  readonly detail: string;
  /** The DNS questions with their answers, in order, shortened. */
  readonly lookups: readonly string[];
  /** One line for the client when the result refuses it: the domain's own words (`exp=`) or `spfexp`. Printable ASCII. */
  readonly explanation: string;
  /** The Received-SPF field, one line with its CRLF. */
  readonly header: string;
}

/** Evaluates SPF. Never rejects: what cannot be found out is `temperror`. */
export type SpfCheck = (question: SpfQuestion) => SpfOutcome | Promise<SpfOutcome>;
