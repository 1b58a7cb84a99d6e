import { closing, reply } from '../model/reply.ts';

/** Replies of the pipeline itself, side by side. The texts of rules stand in `rules/actions`. */
export const REPLIES = {
  ok: reply(250, '2.0.0', 'ok'),
  senderOk: reply(250, '2.1.0', 'ok'),
  recipientOk: reply(250, '2.1.5', 'ok'),
  denied: closing(554, '5.7.1', 'sorry, you are not allowed to connect (#5.7.1)'),
  broken: reply(451, '4.3.0', 'temporary failure on our side, try again later (#4.3.0)'),
  tooSlow: reply(451, '4.4.2', 'checks and delivery took too long, try again later (#4.4.2)'),
  quarantineFailed: reply(451, '4.3.0', 'the message could not be stored, try again later (#4.3.0)'),
  storageLow: reply(452, '4.3.1', 'not enough room to store mail, try again later (#4.3.1)'),
} as const;
