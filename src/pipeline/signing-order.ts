import type { SettingValues } from '../control/settings.ts';
import type { DkimSignWords, SigningOrder } from '../model/dkim-signing.ts';
import { lowerAscii } from '../model/address.ts';

/** What the settings of a client say about signing its mail. */
export function signingOrder(values: SettingValues): SigningOrder {
  const { dkimsignoptions, dkimidentity, dkimexpire, dkimsignextra, dkimsignoptionsextra } = values;
  const words: DkimSignWords = {
    ...(dkimsignoptions === null ? {} : { options: dkimsignoptions }),
    ...(dkimidentity === null ? {} : { identity: dkimidentity }),
    ...(dkimexpire === undefined ? {} : { expireSeconds: dkimexpire }),
    ...(dkimsignextra === null ? {} : { extraKey: dkimsignextra }),
    ...(dkimsignoptionsextra === null ? {} : { extraOptions: dkimsignoptionsextra }),
  };
  return {
    dkimSign: values.dkimsign,
    dkimKeys: values.dkimkeys,
    words,
    excluded: new Set(values.excludedkimsign.map(lowerAscii)),
    dkSign: values.dksign,
    dkComment: values.dkcomment,
  };
}
