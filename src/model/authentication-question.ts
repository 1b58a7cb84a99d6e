import type { Message } from './message.ts';
import type { SpfOutcome } from './spf.ts';

/** What is asked about a message. */
export interface AuthenticationQuestion {
  /** As it was received, with what is taken out of it before it goes on. */
  readonly message: Message;
  readonly spf: () => SpfOutcome | Promise<SpfOutcome>;
  /** DKIM signatures that are looked at. */
  readonly signatures: number;
  /** The least bits of an RSA key. */
  readonly minBits: number;
  /** DNS look-ups for all of it, SPF not counted, and the time for them. */
  readonly lookups: number;
  readonly seconds: number;
  /** Fields of the header that are looked at. */
  readonly headerFields: number;
}
