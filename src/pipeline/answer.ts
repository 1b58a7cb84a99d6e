import type { Reply } from '../model/reply.ts';

/** What an edge tells its client, and the event it can be asked about. */
export interface Answer {
  readonly reply: Reply;
  readonly eventId: string;
  /** After a message, for a client that asked for it (PRDR): a reply for each accepted recipient, in their order. */
  readonly each?: readonly Reply[];
}
