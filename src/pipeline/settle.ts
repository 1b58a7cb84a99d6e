import type { HopAnswer } from '../model/delivery.ts';
import type { Reply } from '../model/reply.ts';

/** What comes of the answers of all next hops; the client has only one answer for all recipients. */
export type Settlement =
  /** Every recipient's next hop has said yes, but for those in `hold`, which it refused for good. */
  | { readonly kind: 'accepted'; readonly hold: readonly number[] }
  /** Some hop could not say: the sender must come again. Duplicates are possible, loss is not. */
  | { readonly kind: 'failed'; readonly reply: Reply }
  /** All hops said no, for good. */
  | { readonly kind: 'refused'; readonly reply: Reply };

/** Settles answers, one a recipient. Pure. `answers` may be empty only when nobody was left to deliver to. */
export function settle(answers: readonly HopAnswer[]): Settlement {
  const failed = answers.find(answer => answer.kind === 'failed');
  if (failed) return { kind: 'failed', reply: failed.reply };
  const refused = answers.flatMap((answer, i) => (answer.kind === 'refused' ? [i] : []));
  const first = refused[0];
  if (first !== undefined && refused.length === answers.length) {
    return { kind: 'refused', reply: (answers[first] as HopAnswer).reply };
  }
  return { kind: 'accepted', hold: refused };
}
