import { headerFields } from '../mail/header.ts';
import type { Message } from '../model/message.ts';
import type { SealingOrder, SealingOutcome } from '../model/sealing.ts';
import { sealArc, wantSealDigest } from './arc-seal.ts';
import { BodyDigests } from './body-digests.ts';
import { SignedHeader } from './signed-header.ts';
import { findSigningKey } from './signing-keys.ts';

/** Seals a message as it goes on. `folder`: where a relative path of the key begins. Rejects when it cannot be read. */
export async function sealMessage(
  message: Message,
  order: SealingOrder,
  folder: string,
  now: number,
): Promise<SealingOutcome> {
  const fields = headerFields(message.header, order.headerFields);
  if (fields.cut || message.headerCut) return { trouble: 'the header is too big to be sealed' };
  const { domain, path: pattern } = order;
  const key = await findSigningKey({ pattern, keys: null, domain, withoutPercent: false, folder });
  if (key.kind !== 'key') return { trouble: key.why };
  const digests = new BodyDigests(message);
  wantSealDigest(digests);
  await digests.read();
  return {
    fields: sealArc({
      header: new SignedHeader(fields),
      digests,
      authservId: order.authservId,
      results: order.results.join('; '),
      chain: order.chain,
      key: key.key.key,
      domain,
      selector: key.selector,
      now: Math.floor(now / 1000),
    }),
  };
}
