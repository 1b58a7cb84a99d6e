import type { ArcOutcome } from './authentication.ts';

/** How a message is to be sealed with ARC (RFC 8617). */
export interface SealingOrder {
  readonly authservId: string;
  /** What the checks found, RFC 8601 resinfo each. */
  readonly results: readonly string[];
  /** The chain that it came with. */
  readonly chain: ArcOutcome;
  /** `d=`, and the path of the private key, whose last component is the selector. */
  readonly domain: string;
  readonly path: string;
  /** Fields of the header that are looked at. */
  readonly headerFields: number;
}

/** The new set as CRLF lines, `''` when there is nothing to seal; or what is wrong with the key. */
export type SealingOutcome = { readonly fields: string } | { readonly trouble: string };
