import type { Reply } from '../model/reply.ts';

/** What an edge tells its client, and the event it can be asked about. */
export interface Answer {
  readonly reply: Reply;
  readonly eventId: string;
}
