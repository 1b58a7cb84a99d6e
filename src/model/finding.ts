import type { Stage } from './stage.ts';

/**
 * What a check saw. `pass`: looked and found nothing; `hit`: the rule applies; `error`: could not find out, which is
 * never "clean"; `skipped`: did not look, and says why.
 */
export type FindingState = 'pass' | 'hit' | 'error' | 'skipped';

/** A finding as a plugin returns it. */
export interface Finding<R extends string = string> {
  readonly rule: R;
  readonly state: FindingState;
  /** For the operator: what was seen, or why it was skipped or failed. */
  readonly detail?: string;
  /** The value that was looked at (an address, a name), a byte string from outside. */
  readonly value?: string;
  /** The control file and line that asked for this, `control/badhelo:12`. */
  readonly source?: string;
  /** Text for the client in place of the rule's own, when the rule's source supplies one (an RBL's TXT record). */
  readonly text?: string;
  /** The same text cut into lines, where it is too long for one (SPF's explanation). */
  readonly lines?: readonly string[];
  /** Seconds by which a hit delays the answer (tarpit). */
  readonly delaySeconds?: number;
  /** Score in place of the one in `actions`, when the rule's source supplies one (a DNS list's weight). */
  readonly score?: number;
  /** Header fields for the message, whole lines with CRLF, of clean bytes: they go below our Received field. */
  readonly header?: string;
  /** The same for signatures that cover every field below them: they go below everything else that we add. */
  readonly signature?: string;
  /** A result for the Authentication-Results field (RFC 8601 2.2 resinfo), of clean bytes on one line. */
  readonly authResult?: string;
}

/** A finding as it stands in the record: with its stage, plugin and duration. */
export interface RecordedFinding extends Finding {
  readonly stage: Stage;
  readonly plugin: string;
  /** Milliseconds the plugin took at that stage. */
  readonly ms: number;
  /** Addresses of those it is about, when it is not about every recipient of the message. */
  readonly recipients?: readonly string[];
}
