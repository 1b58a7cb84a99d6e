/** How a scanner can fail to give an answer. */
export const SCANNER_FAULTS = [
  /** Nobody listens, or the socket is not there. */
  'refused',
  /** It answers too slowly, or not at all. */
  'timeout',
  /** What it says is no answer of the protocol. */
  'garbage',
  /** The connection ended in the middle. */
  'cut',
  /** It says that it has failed (clamd's ERROR, spamd's non-zero code). */
  'failed',
  /** It does not take a message of this size. */
  'limit',
  /** More scans at a time than we allow ourselves; nobody was asked. */
  'busy',
  /** It has failed too often and is left alone for a moment; nobody was asked. */
  'resting',
] as const;

export type ScannerFault = (typeof SCANNER_FAULTS)[number];

/** Could not find out: never "clean". */
export interface ScanError {
  readonly kind: 'error';
  readonly fault: ScannerFault;
  /** For the operator: which scanner, and what it said; printable. */
  readonly why: string;
}

/** What a virus scanner says about a message. */
export type VirusOutcome =
  | { readonly kind: 'clean'; readonly scanner: string }
  /** `name`: as the scanner gives it, printable. */
  | { readonly kind: 'infected'; readonly name: string; readonly scanner: string }
  | ScanError;

/** What a virus scanner says about files of a message that it was shown by themselves. */
export type FilesOutcome =
  /** `files`: so many were shown. */
  | { readonly kind: 'clean'; readonly files: number }
  /** `file`: which one it is, for the operator, a byte string. */
  | { readonly kind: 'infected'; readonly name: string; readonly scanner: string; readonly file: string }
  | ScanError;

/** What a scoring engine says about a message. */
export type SpamOutcome =
  | {
      readonly kind: 'scored';
      /** The engine's own verdict: its score has reached its threshold. */
      readonly spam: boolean;
      /** It would at least mark the message (Rspamd's `add header`, far below its threshold). */
      readonly marked: boolean;
      /** May be negative. */
      readonly score: number;
      readonly threshold: number;
      /** Names of the engine's rules that hit, in its order. */
      readonly rules: readonly string[];
      readonly scanner: string;
    }
  /** Larger than the engine is to see. */
  | { readonly kind: 'skipped'; readonly why: string }
  | ScanError;

/** How a message is to be scored. */
export interface SpamQuestion {
  /** Whose preferences count, a byte string; null: the service's own. */
  readonly user: string | null;
  /** SpamAssassin has no use for it: it reads the header. */
  readonly envelope?: ScanEnvelope;
  /** What stands on top of the message where it was received, CRLF lines: for SpamAssassin, which learns from it who the client was. */
  readonly head?: string;
}

/** What an engine may know of where the message came from. Byte strings; what is not known is left out. */
export interface ScanEnvelope {
  readonly clientIp?: string;
  readonly helo?: string;
  /** Envelope sender; empty: the null sender. */
  readonly sender?: string;
  readonly recipients?: readonly string[];
  /** Who has authenticated, if anybody. */
  readonly authenticated?: string;
  /** Our id of the message, to be found in the engine's log. */
  readonly id?: string;
}

/** State of one scanner for `postern status` and the log. */
export interface ScannerState {
  /** `clamd`, `spamd`, `rspamd`. */
  readonly scanner: string;
  readonly address: string;
  /** `closed`: in use; `open`: left alone until a probe; `half-open`: a probe is under way. */
  readonly breaker: 'closed' | 'open' | 'half-open';
  /** The last fault, and milliseconds since the epoch; null: none so far. */
  readonly lastFault: { readonly fault: ScannerFault; readonly why: string; readonly at: number } | null;
}
