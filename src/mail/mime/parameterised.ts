/** One reading of one parameter of a MIME header field. */
export interface Parameter {
  /** Lower case, without the `*`, `*N` and `*N*` of RFC 2231. */
  readonly name: string;
  /** A byte string: pieces joined, quotes and backslashes removed, percent signs of RFC 2231 decoded. */
  readonly value: string;
  /** Of an extended value (RFC 2231 4), as it is written there; else null. */
  readonly charset: string | null;
  /** Written with `*`: its bytes were percent-encoded. */
  readonly extended: boolean;
  /** As it stands, a byte string, at most 4096 bytes. */
  readonly raw: string;
  /** It stands in a comment, where only careless readers see it. */
  readonly inComment: boolean;
}

/** A header field of the form `value; name=value; …`. */
export interface Parameterised {
  /** `multipart/mixed`, `attachment`: the first word, lower case; `''` when there is none. */
  readonly value: string;
  /** In the order of the field, all readings; where readers differ the most common one is first. */
  readonly parameters: readonly Parameter[];
  /** False when the field is not well formed (RFC 2045 5.1) or was too long to be read whole. */
  readonly valid: boolean;
}
