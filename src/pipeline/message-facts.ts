import type { SettingValues } from '../control/settings.ts';
import { readMime } from '../mail/mime/read-mime.ts';
import type { Message, MessageFacts } from '../model/message.ts';
import type { SpamQuestion } from '../model/scan.ts';
import type { DataFacts } from '../model/session.ts';
import { mimeLimits } from './mime-limits.ts';
import { once, onceEach } from './once.ts';
import { virusInFiles } from './virus-in-files.ts';
import type { Services } from './run-stage.ts';
import { signingOrder } from './signing-order.ts';

/** What the facts of a message are made of. */
export interface MessageAtHand {
  /** As it came, and as it goes on: without the fields that were cut. */
  readonly received: Message;
  readonly message: Message;
  readonly eventId: string;
  /** What stands on top of it where it was received, for SpamAssassin; `''`: it is there already. */
  readonly head: () => string;
  readonly spoolFolder: string;
  /** Aborted when the client is gone. */
  readonly signal: AbortSignal;
}

/** The facts of the message stage: whatever takes work is done for the first who asks, once. */
export function messageFacts(
  facts: DataFacts,
  { received, message, eventId, head, spoolFolder, signal }: MessageAtHand,
  values: SettingValues,
  services: Services,
): MessageFacts {
  const { headerfields: headerFields } = values;
  const question = (user: string | null): SpamQuestion => ({
    user,
    envelope: {
      ...(facts.client === null ? {} : { clientIp: facts.client.ip }),
      ...(facts.helo === null ? {} : { helo: facts.helo.name }),
      sender: facts.sender?.text ?? '',
      recipients: facts.recipients.map(({ text }) => text),
      id: eventId,
    },
    head: head(),
  });
  const limits = mimeLimits(values, spoolFolder);
  const mime = once(() => readMime(message, limits, signal));
  /** Of the virus scan, files included: as of `performance.now()`. */
  const scanUntil = once(() => performance.now() + values.clamtime * 1000);
  return {
    ...facts,
    message,
    mime,
    authentication: services.authenticate({
      message: received,
      spf: () => facts.spf(),
      signatures: values.dkimsignatures,
      minBits: values.dkimminbits,
      lookups: values.authlookups,
      seconds: values.authtime,
      headerFields,
    }),
    virus: once(() => {
      scanUntil();
      return services.virus(message, signal);
    }),
    virusInFiles: once(() =>
      virusInFiles(message, {
        which: values.clamattachments,
        mime,
        limits,
        budget: { files: values.clamfiles, bytes: values.clambytes },
        scan: services.virus,
        until: scanUntil(),
        signal,
      }),
    ),
    score: onceEach((user: string | null) => services.score(message, question(user), signal)),
    sign: once(() => services.sign(message, signingOrder(values), headerFields)),
  };
}
