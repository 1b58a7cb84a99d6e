/**
 * The stages of an SMTP dialogue, written once, in order. Types, loops, docs and the record derive from this list.
 * Each names what is new when it runs; a check at a stage sees that and everything before it, and nothing later.
 */
export const STAGES = ['connect', 'helo', 'mail', 'rcpt', 'data', 'message'] as const;

export type Stage = (typeof STAGES)[number];

/** What is new at each stage and which command a refusal there answers when refusals are spoken at once. */
export const STAGE_DOC: Readonly<Record<Stage, string>> = {
  connect: 'client address and reverse name; answered by the banner',
  helo: 'the name the client gives itself; answered at HELO or EHLO',
  mail: 'envelope sender and MAIL parameters; a transaction begins; answered at MAIL',
  rcpt: 'one recipient, its settings and its next hop; answered at that RCPT alone',
  data: 'the recipient list is complete; answered at DATA',
  message: 'header and body; answered after the final dot',
};
